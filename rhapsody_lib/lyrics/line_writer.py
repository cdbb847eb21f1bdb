"""One line for each song of a batch: several are written, from the rhyme word backwards, and the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from rhapsody_lib.lyrics.batch import COMMON_WORDS, SongBatch, Told
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.model import Floats
from rhapsody_lib.lyrics.phrases import HISTORY
from rhapsody_lib.lyrics.sampling import Ids, draw_distinct, draw_nucleus
from rhapsody_lib.lyrics.vocabulary import LINE_ID

#: How often lines are proposed anew where every proposal is refused, each time at a higher temperature.
_ATTEMPTS, _HEATING = 4, 0.3
#: Rhymes to which the model gives less than this share of the line ends are not worth a bad line.
_LEAST_RHYME_MASS = 1e-4
#: The line mark's odds are raised by this where the line has just the syllables wished for.
_ON_LENGTH = 3.0
_MOST_REDRAWS = 12
#: Worth, in nats a word: of a full rhyme, of the least likely word of the line, of each line that began with the same
#: word, of pairs and triples of words that were never met.
_RHYME_WORTH, _WORST_WORTH, _SAME_START_WORTH, _UNMET_WORTH = 0.8, 0.25, -0.15, 1.0


@dataclass(frozen=True)
class LineWish:
    """What a line should be.

    Args:
        syllables: one more or one fewer will do.
        rhyme_with: the word to rhyme with.
        opens_rhyme: a later line is to rhyme with this one, so it should end in a word that has rhymes.
        before: the words that will follow the line, as far as they are known.
    """

    syllables: int
    rhyme_with: int | None = None
    opens_rhyme: bool = False
    before: tuple[int, ...] = ()


@dataclass
class Line:
    """A written line: word ids in reading order, log-probability of each and of the line mark, how well it rhymes.

    `unmet` is the logarithm of what its pairs and triples of words were held against it that no training song has.
    """

    words: list[int]
    log_probabilities: list[float]
    rhyme: float = 0.0
    unmet: float = 0.0
    closed: bool = False


@dataclass
class _Row:
    """A proposal on its way."""

    song: int
    wish: LineWish
    line: Line
    banned: set[int] = field(default_factory=set)


class LineWriter:
    """Writes lines for the songs of a batch.

    Args:
        batch: the songs.
        proposals: lines written for each line kept.
        temperature: below 1 sharpens, above 1 flattens the network's distribution.
        top_p: share of the mass that words are drawn from.
        rng: all randomness.
    """

    def __init__(
        self, batch: SongBatch, *, proposals: int, temperature: float, top_p: float, rng: np.random.Generator
    ) -> None:
        self._batch, self._rng = batch, rng
        self._proposals, self._temperature, self._top_p = proposals, temperature, top_p

    def write(self, wishes: Sequence[LineWish | None]) -> list[Line | None]:
        """A line for each song that wishes one, not yet read; none where every proposal would copy or repeat."""
        kept: list[Line | None] = [None] * len(wishes)
        for attempt in range(_ATTEMPTS):
            pending = {song: wish for song, wish in enumerate(wishes) if wish and kept[song] is None}
            if not pending:
                break
            rows = self._first_words(pending, attempt)
            self._complete(rows, self._temperature + attempt * _HEATING)
            for song in pending:
                told = self._batch.told[song]
                good = [row.line for row in rows if row.song == song and row.line.closed and not self._refused(row)]
                kept[song] = max(good, key=partial(self._worth, told=told), default=None)
        return kept

    @staticmethod
    def _worth(line: Line, told: Told) -> float:
        """How good a proposal is, in nats a word."""
        likely = float(np.mean(line.log_probabilities)) + _WORST_WORTH * min(line.log_probabilities[1:])
        likely += _UNMET_WORTH * line.unmet / len(line.log_probabilities)
        return likely + _RHYME_WORTH * line.rhyme + _SAME_START_WORTH * told.starts[line.words[0]]

    def _first_words(self, pending: dict[int, LineWish], attempt: int) -> list[_Row]:
        """Rows with the word that the line will end in, a different one for each proposal of a song."""
        batch = self._batch
        songs = np.array(list(pending), dtype=np.int64)
        plain = batch.probabilities(batch.state[0][songs], songs, [batch.recent[song] for song in songs])
        allowed, strengths = plain.copy(), np.zeros_like(plain)
        for index, (song, wish) in enumerate(pending.items()):
            told = batch.told[song]
            ending = batch.rhymes.may_end & (batch.syllables <= wish.syllables + 1)
            ending[list(told.ends)] = False
            ending[list(batch.spent(song))] = False
            ending &= batch.odds > 0
            ending[LINE_ID] = False
            if wish.opens_rhyme and (allowed[index] * (ending & batch.rhymes.has_partners)).sum() > 0:
                ending &= batch.rhymes.has_partners
            allowed[index] *= ending * batch.odds
            if wish.rhyme_with is not None and attempt < _ATTEMPTS // 2:
                strengths[index] = batch.rhymes.strengths(wish.rhyme_with)
                rhyming = allowed[index] * strengths[index]
                if rhyming.sum() >= _LEAST_RHYME_MASS:
                    allowed[index] = rhyming
        drawn = draw_distinct(allowed, self._temperature + attempt * _HEATING, self._proposals, self._rng)
        return [
            self._row(song, wish, int(word), float(plain[index, word]), float(strengths[index, word]))
            for index, (song, wish) in enumerate(pending.items())
            for word in drawn[index]
            if word >= 0
        ]

    def _row(self, song: int, wish: LineWish, word: int, probability: float, rhyme: float) -> _Row:
        row = _Row(song, wish, Line([word], [_log(probability)], rhyme))
        row.banned.update(self._batch.spent(song))
        self._ban(row, word)
        return row

    @staticmethod
    def _ban(row: _Row, word: int) -> None:
        """A word that is not common stands once in a line; no word stands twice in a row."""
        if word >= COMMON_WORDS:
            row.banned.add(word)

    def _complete(self, rows: list[_Row], temperature: float) -> None:
        """Write all rows to their beginnings; a row that finds no word stays unclosed."""
        batch = self._batch
        songs = np.array([row.song for row in rows], dtype=np.int64)
        hidden, cell = batch.state[0][songs], batch.state[1][songs]
        active = np.arange(len(rows))
        while active.size:
            ids = np.array([rows[index].line.words[0] for index in active], dtype=np.int64)
            hidden, cell = batch.step(ids, (hidden, cell))
            going_on = [rows[index] for index in active]
            plain = batch.probabilities(hidden, songs[active], [self._context(row) for row in going_on])
            factors = np.ones_like(plain)
            if temperature <= self._temperature + _HEATING:
                for place, row in enumerate(going_on):
                    factors[place, : batch.known] = batch.model.phrases.fluency(self._context(row))
            allowed = plain * factors * batch.odds
            self._mask(allowed, going_on)
            drawn = self._draw(allowed, going_on, temperature)
            going = np.zeros(len(active), dtype=bool)
            for place, (index, word) in enumerate(zip(active, drawn, strict=True)):
                if word >= 0:
                    rows[index].line.unmet += _log(float(factors[place, word]))
                    going[place] = self._extend(rows[index], int(word), float(plain[place, word]))
            active, hidden, cell = active[going], hidden[going], cell[going]

    def _context(self, row: _Row) -> list[int]:
        """The last tokens that a row has read: the line mark, then the line from its end."""
        return [*self._batch.recent[row.song], *row.line.words[HISTORY - 1 :: -1]]

    def _extend(self, row: _Row, word: int, probability: float) -> bool:
        """Put the word before the line, or close it; whether the line goes on."""
        row.line.log_probabilities.append(_log(probability))
        if word == LINE_ID:
            row.line.closed = True
            return False
        row.line.words.insert(0, word)
        self._ban(row, word)
        return True

    def _mask(self, probabilities: Floats, rows: list[_Row]) -> None:
        """Leave only what keeps the line near its length; raise the line mark where the length is met."""
        counts = np.array([self._batch.count_syllables(row.line.words) for row in rows])
        wished = np.array([row.wish.syllables for row in rows])
        fits = self._batch.syllables[None, :] <= (wished + 1 - counts)[:, None]
        fits[:, LINE_ID] = counts >= wished - 1
        starts = self._batch.may_start[[row.line.words[0] for row in rows]]
        fits[:, LINE_ID] &= starts | (counts > wished)
        for index, row in enumerate(rows):
            fits[index, [*row.banned, row.line.words[0]]] = False
        probabilities *= fits
        probabilities[counts == wished, LINE_ID] *= _ON_LENGTH

    def _draw(self, probabilities: Floats, rows: list[_Row], temperature: float) -> Ids:
        """A word a row that makes neither a copy nor a run of three that the song has had; -1 where none is found."""
        drawn = draw_nucleus(probabilities, temperature, self._top_p, self._rng)
        again = [index for index, word in enumerate(drawn) if word >= 0 and self._repeats(rows[index], int(word))]
        for _ in range(_MOST_REDRAWS):
            if not again:
                break
            probabilities[again, drawn[again]] = 0
            drawn[again] = draw_nucleus(probabilities[again], temperature, self._top_p, self._rng)
            again = [index for index in again if drawn[index] >= 0 and self._repeats(rows[index], int(drawn[index]))]
        drawn[again] = -1
        return drawn

    def _repeats(self, row: _Row, word: int) -> bool:
        if word == LINE_ID:
            return False
        words = [word, *row.line.words]
        if tuple(words[:3]) in self._batch.told[row.song].trigrams:
            return True
        return len(words) >= COPY_WORDS and self._copies(words[:COPY_WORDS])

    def _refused(self, row: _Row) -> bool:
        """Whether the whole line stands in the song already, or makes a copy with the words around it."""
        told, reach = self._batch.told[row.song], COPY_WORDS - 1
        words = row.line.words
        texts = [self._batch.words[word] for word in words]
        if tuple(words) in told.lines or self._batch.model.copies.is_line(texts):
            return True
        return self._copies([*told.words[-reach:], *words, *row.wish.before[:reach]])

    def _copies(self, words: Sequence[int]) -> bool:
        return self._batch.model.copies.is_copy([self._batch.words[word] for word in words])


def _log(probability: float) -> float:
    return float(np.log(max(probability, 1e-12)))
