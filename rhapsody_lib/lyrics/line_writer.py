"""One line for each song of a batch: several are written, from the rhyme word backwards, and the best is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rhapsody_lib.lyrics.batch import Likely, SongBatch
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.model import Floats, State
from rhapsody_lib.lyrics.palette import LINE
from rhapsody_lib.lyrics.proposals import Line, Proposals, latest_runs
from rhapsody_lib.lyrics.runs import run_hashes
from rhapsody_lib.lyrics.sampling import Ids, Nucleus, draw_distinct, least_weight

#: How often lines are proposed anew where every proposal is refused, each time at a higher temperature.
_ATTEMPTS, _HEATING = 4, 0.3
#: Rhymes to which the model gives less than this share of the line ends are not worth a bad line.
_LEAST_RHYME_MASS = 1e-4
#: The line mark's odds are raised by this where the line has just the length wished for.
_ON_LENGTH = 3.0
_MOST_REDRAWS = 12
#: From this attempt on words need not have been met side by side.
_ANYTHING = 2
#: Words that never followed the last one are asked for if the network alone gives them so much; the same where they
#: need not have.
_LIKELY, _LESS_LIKELY = 0.01, 0.0005
#: Worth, in nats a word: of a full rhyme, of the least likely word of the line, of each line that began with the same
#: word, of pairs and triples of words that were never met; of a line without a word that says something, and of a word
#: of the theme.
_RHYME_WORTH, _WORST_WORTH, _SAME_START_WORTH, _UNMET_WORTH = 0.8, 0.25, -0.15, 1.0
_EMPTY_WORTH, _THEME_WORTH = -0.4, 0.2
_TINY = np.float32(1e-12)


@dataclass(frozen=True)
class LineWish:
    """What a line should be.

    Args:
        size: syllables, or words where the songs count words; one more or one fewer will do.
        rhyme_with: the word to rhyme with.
        opens_rhyme: a later line is to rhyme with this one, so it should end in a word that has rhymes.
        before: the words that will follow the line, as far as they are known.
    """

    size: int
    rhyme_with: int | None = None
    opens_rhyme: bool = False
    before: tuple[int, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A line that was kept, and the states that its song went through."""

    line: Line
    states: State


class LineWriter:
    """Writes lines for the songs of a batch.

    Args:
        batch: the songs.
        sizes: what each word adds to a line's length, [words].
        proposals: lines written for each line kept.
        temperature: below 1 sharpens, above 1 flattens the network's distribution.
        top_p: share of the mass that words are drawn from.
        rng: all randomness.
    """

    def __init__(
        self,
        batch: SongBatch,
        sizes: Ids,
        *,
        proposals: int,
        temperature: float,
        top_p: float,
        rng: np.random.Generator,
    ) -> None:
        self._batch, self._sizes, self._rng = batch, sizes, rng
        self._proposals, self._temperature, self._top_p = proposals, temperature, top_p

    def write(self, wishes: Sequence[LineWish | None]) -> list[Kept | None]:
        """A line for each song that wishes one, not yet read; none where every proposal would copy or repeat."""
        kept: list[Kept | None] = [None] * len(wishes)
        for attempt in range(_ATTEMPTS):
            pending = {song: wish for song, wish in enumerate(wishes) if wish and kept[song] is None}
            if not pending:
                break
            free = self._free_words(pending)
            rows = self._first_words(pending, free, attempt)
            self._complete(rows, pending, free, attempt)
            for song, wish in pending.items():
                kept[song] = self._best(rows, song, wish)
        return kept

    def _best(self, rows: Proposals, song: int, wish: LineWish) -> Kept | None:
        """The best proposal of a song that is not refused."""
        good = np.flatnonzero(rows.closed & (rows.songs == song)).tolist()
        lines = {row: rows.line(row) for row in good}
        for line in lines.values():
            line.theme = int(self._batch.palette.of_theme[line.words].sum())
        for row in sorted(good, key=lambda row: -self._worth(lines[row], song)):
            if not self._refused(lines[row].words, song, wish):
                return Kept(lines[row], rows.states(row))
        return None

    def _worth(self, line: Line, song: int) -> float:
        """How good a proposal is, in nats a word."""
        logs = line.log_probabilities
        likely = sum(logs) / len(logs) + _WORST_WORTH * min(logs[1:]) + _UNMET_WORTH * line.unmet / len(logs)
        likely += _RHYME_WORTH * line.rhyme + _SAME_START_WORTH * self._batch.told[song].starts[line.words[0]]
        likely += _EMPTY_WORTH * bool(self._batch.palette.common[line.words].all())
        return likely + _THEME_WORTH * bool(line.theme)

    def _free_words(self, songs: dict[int, LineWish]) -> Floats:
        """Factors for the words that each song may still draw, [songs x (words + 1)]; the last is no word."""
        free = np.tile(np.append(self._batch.palette.odds, np.float32(0)), (len(songs), 1))
        for index, song in enumerate(songs):
            free[index, self._batch.spent(song)] = 0
        return free

    def _first_words(self, pending: dict[int, LineWish], free: Floats, attempt: int) -> Proposals:
        """Rows with the word that the line will end in, a different one for each proposal of a song."""
        batch, rhymes = self._batch, self._batch.rhymes
        songs = np.array(list(pending), dtype=np.int64)
        plain = batch.probabilities(batch.state[0][songs], songs, batch.recent[songs])
        allowed, strengths = plain * free[:, :-1], np.zeros_like(plain)
        allowed[:, LINE] = 0
        for index, (song, wish) in enumerate(pending.items()):
            row = allowed[index]
            row *= rhymes.may_end & (self._sizes <= wish.size + 1)
            row[list(batch.told[song].ends)] = 0
            if wish.opens_rhyme and (opening := row * rhymes.has_partners).any():
                row[:] = opening
            if wish.rhyme_with is not None and attempt < _ANYTHING:
                strengths[index] = rhymes.strengths(wish.rhyme_with)
                rhyming = row * strengths[index]
                if rhyming.sum() >= _LEAST_RHYME_MASS:
                    row[:] = rhyming
        drawn = draw_distinct(allowed, self._temperature + attempt * _HEATING, self._proposals, self._rng)
        owners, places = np.nonzero(drawn >= 0)
        words = drawn[owners, places]
        logs = np.log(np.maximum(plain[owners, words], _TINY))
        return Proposals(songs[owners], words, logs, strengths[owners, words], batch.state)

    def _complete(self, rows: Proposals, pending: dict[int, LineWish], free: Floats, attempt: int) -> None:
        """Write all rows to their beginnings; a row that finds no word stays unclosed."""
        batch, common, known = self._batch, self._batch.palette.common, attempt < _ANYTHING
        order = {song: index for index, song in enumerate(pending)}
        owners = np.array([order[song] for song in rows.songs.tolist()], dtype=np.int64)
        wished = np.array([wish.size for wish in pending.values()], dtype=np.int64)[owners]
        free, counts = free[owners], self._sizes[rows.words[:, 0]]
        contexts = batch.recent[rows.songs]
        active = np.arange(len(owners))
        while active.size:
            newest = rows.words[active, rows.lengths[active] - 1]
            # A word that is not common stands once in a line; no word stands twice in a row.
            rare = ~common[newest]
            free[active[rare], newest[rare]] = 0
            hidden, cell = rows.newest
            state = batch.step(newest, (hidden[active], cell[active]))
            rows.read(active, state)
            contexts[active] = batch.extended(contexts[active], newest)
            likely = batch.likely(state[0], rows.songs[active], contexts[active], _LIKELY if known else _LESS_LIKELY)
            weights = likely.plain * free[active[likely.rows], likely.words]
            if known:
                weights *= likely.factors
            self._keep_to_size(weights, likely, newest, counts[active], wished[active])
            places = self._draw(weights, likely, rows, active, attempt)
            drawn = np.where(places >= 0, likely.words[places], -1)
            logs = np.log(np.maximum(likely.plain[places], _TINY))
            unmet = np.log(likely.factors[places]) if known else np.zeros_like(logs)
            going = rows.extend(active, drawn, logs, unmet)
            active, drawn = active[going], drawn[going]
            counts[active] += self._sizes[drawn]

    def _keep_to_size(self, weights: Floats, likely: Likely, newest: Ids, counts: Ids, wished: Ids) -> None:
        """Leave only what keeps the line near its length; raise the line mark where the length is met."""
        fits = self._sizes[likely.words] <= (wished + 1 - counts)[likely.rows]
        fits &= likely.words != newest[likely.rows]
        weights *= fits
        may_start = self._batch.palette.may_start[newest] | (counts > wished)
        # The line mark is the first word of each row.
        marks = np.flatnonzero(likely.words == LINE)
        weights[marks] *= ((counts >= wished - 1) & may_start) * np.where(counts == wished, _ON_LENGTH, np.float32(1))

    def _draw(self, weights: Floats, likely: Likely, rows: Proposals, active: Ids, attempt: int) -> Ids:
        """The place in `likely` of a word a row that makes neither a copy nor a run of three that the song has had.

        -1 where none is found.
        """
        most = np.maximum.reduceat(weights, np.flatnonzero(likely.words == LINE))
        kept = np.flatnonzero(weights > least_weight(most)[likely.rows])
        temperature = self._temperature + attempt * _HEATING
        nucleus = Nucleus(likely.rows[kept], weights[kept], len(active), temperature, self._top_p)
        kept = np.append(kept, -1)
        words = np.append(likely.words, -1)
        places = kept[nucleus.draw(np.arange(len(active)), self._rng)]
        again = self._repeating(rows, active, words[places])
        for _ in range(_MOST_REDRAWS):
            if not again.size:
                break
            nucleus.strike(again)
            places[again] = kept[nucleus.draw(again, self._rng)]
            again = again[self._repeating(rows, active[again], words[places[again]])]
        places[again] = -1
        return places

    def _repeating(self, rows: Proposals, active: Ids, drawn: Ids) -> Ids:
        """Which rows would repeat or copy with the word drawn."""
        told = self._batch.told
        bad = (drawn > LINE) & (rows.lengths[active] > 1)
        firsts = rows.words[active, rows.lengths[active] - 1]
        seconds = rows.words[active, np.maximum(rows.lengths[active] - 2, 0)]
        runs = zip(drawn.tolist(), firsts.tolist(), seconds.tolist(), strict=True)
        songs = rows.songs[active].tolist()
        bad &= np.array([run in told[song].trigrams for run, song in zip(runs, songs, strict=True)], dtype=np.bool_)
        long, latest = latest_runs(rows.words[active], rows.lengths[active], COPY_WORDS - 1)
        if long.size:
            words = np.concatenate([np.maximum(drawn[long], LINE)[:, None], latest], axis=1)
            copied = self._batch.model.copies.copied(run_hashes(self._batch.palette.hashes[words], COPY_WORDS))[:, 0]
            bad[long] |= copied & (drawn[long] > LINE)
        return np.flatnonzero(bad)

    def _refused(self, words: list[int], song: int, wish: LineWish) -> bool:
        """Whether the whole line stands in the song already, or makes a copy with the words around it."""
        batch, reach = self._batch, COPY_WORDS - 1
        told = batch.told[song]
        if tuple(words) in told.lines or batch.model.copies.is_line(batch.text(words)):
            return True
        around = batch.palette.hashes[[*told.words[-reach:], *words, *wish.before[:reach]]]
        return bool(batch.model.copies.copied(run_hashes(around, COPY_WORDS)).any())
