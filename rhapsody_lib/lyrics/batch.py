"""A batch of songs being written side by side: what each has said, and what the model thinks comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rhapsody_lib.lyrics.model import CACHE_SHARE, NEVER, Floats, LyricsModel, State, product
from rhapsody_lib.lyrics.palette import LINE, Palette
from rhapsody_lib.lyrics.phrases import HISTORY, PhraseBook
from rhapsody_lib.lyrics.rhyming import Rhymes
from rhapsody_lib.lyrics.sampling import History, Ids
from rhapsody_lib.lyrics.vocabulary import LINE_ID

#: Share of the phrases in the mixture with the network.
PHRASE_SHARE = 0.5
#: A word that is not common stands at most so often in a song.
_MOST_USES = 3


@dataclass
class Told:
    """What one song has said: its words in reading order, and what must not return."""

    words: list[int] = field(default_factory=list)
    lines: set[tuple[int, ...]] = field(default_factory=set)
    ends: set[int] = field(default_factory=set)
    uses: Counter[int] = field(default_factory=Counter)
    starts: Counter[int] = field(default_factory=Counter)
    trigrams: set[tuple[int, ...]] = field(default_factory=set)

    def add(self, line: Sequence[int]) -> None:
        """Take in a line."""
        self.words += line
        self.lines.add(tuple(line))
        self.ends.update(line[-1:])
        self.starts.update(line[:1])
        self.uses.update(line)
        self.trigrams.update(zip(line, line[1:], line[2:], strict=False))


@dataclass(frozen=True)
class Likely:
    """Words that may come next, one row's after another's.

    Args:
        rows: the row of each, ascending, [words].
        words: the word, ascending within a row.
        plain: its probability.
        factors: the phrases' factor for its odds.
    """

    rows: Ids
    words: Ids
    plain: Floats
    factors: Floats


class SongBatch:
    """Reads marks and lines into the model, song by song, and asks it for the next word. Words are those of a palette.

    Args:
        model: the trained model.
        palette: the words that the songs may use.
        songs: songs in the batch.
    """

    def __init__(self, model: LyricsModel, palette: Palette, songs: int) -> None:
        self.model, self.palette = model, palette
        self.rhymes = Rhymes(model.steering, palette)
        self.told = [Told() for _ in range(songs)]
        self.state: State = model.initial_state(songs)
        #: The last tokens that each song has read, the newest last, [songs x HISTORY].
        self.recent: Ids = np.full((songs, HISTORY), -1, dtype=np.int64)
        matrix, bias = model.output_for(palette.ids, palette.known)
        # With a column more for all words that are none of the palette, which never come.
        self._output = np.pad(matrix, ((0, 0), (0, 1))), np.append(bias, NEVER)
        self._sums: Floats = np.zeros(0, dtype=np.float32)
        self._phrases = PhraseBook(model.phrases, palette.ids, palette.known)
        self._history = History(songs, model.hidden_size, nothing=len(palette))

    def spent(self, song: int) -> list[int]:
        """Words that a song has used up, or that are of another cast than it has."""
        uses, common = self.told[song].uses, self.palette.common
        spent = [word for word, count in uses.items() if count >= _MOST_USES and not common[word]]
        met = [any(uses[word] for word in cast) for cast in self.palette.casts]
        if any(met):
            spent += [word for cast, is_met in zip(self.palette.casts, met, strict=True) if not is_met for word in cast]
        return spent

    def read_mark(self, mark: int) -> None:
        """All songs read one mark."""
        self._read(np.full(len(self.told), mark, dtype=np.int64), np.arange(len(self.told)))

    def read_lines(self, lines: Sequence[Sequence[int] | None]) -> None:
        """Each song reads a line that was given, none where it has none."""
        for position in range(max((len(line) for line in lines if line), default=0)):
            songs = [song for song, line in enumerate(lines) if line and len(line) > position]
            words = [line[-1 - position] for line in lines if line and len(line) > position]
            for song, word in zip(songs, words, strict=True):
                self._history.add(song, self.state[0][song : song + 1], [word])
            self._read(self.palette.ids[words], np.array(songs, dtype=np.int64))
        self._end_lines(lines)

    def keep_lines(self, lines: Sequence[Sequence[int] | None], states: Sequence[State | None]) -> None:
        """Each song takes in the line that was written for it, whose states are known, and reads its mark.

        Args:
            lines: a line a song, none where it has none.
            states: for each song the hidden states before each word of its line in the order of writing, and after the
                last, [words + 1 x hidden], and the cell after the last; unused where it has no line.
        """
        for song, (line, state) in enumerate(zip(lines, states, strict=True)):
            if line and state:
                hidden, cell = state
                self._history.add(song, hidden[: len(line)], list(reversed(line)))
                self.state[0][song], self.state[1][song] = hidden[len(line)], cell
                self.recent[song] = [*self.recent[song].tolist(), *self.palette.ids[list(reversed(line))].tolist()][
                    -HISTORY:
                ]
        self._end_lines(lines)

    def _end_lines(self, lines: Sequence[Sequence[int] | None]) -> None:
        songs = [song for song, line in enumerate(lines) if line]
        if songs:
            self._read(np.full(len(songs), LINE_ID, dtype=np.int64), np.array(songs, dtype=np.int64))
        for told, line in zip(self.told, lines, strict=True):
            if line:
                told.add(line)

    def say_again(self, sections: Sequence[Sequence[int]]) -> None:
        """Each song returns to a section, of which only the words are told: the model has read its marks."""
        for told, words in zip(self.told, sections, strict=True):
            told.words += words

    def _read(self, tokens: Ids, songs: Ids) -> None:
        hidden, cell = self.state
        self.recent[songs, :-1] = self.recent[songs, 1:]
        self.recent[songs, -1] = tokens
        hidden[songs], cell[songs] = self.model.step(tokens, (hidden[songs], cell[songs]))

    def step(self, words: Ids, state: State) -> State:
        """The state after one more word of the palette a row."""
        return self.model.step(self.palette.ids[words], state)

    def _scores(self, hidden: Floats) -> tuple[Floats, Floats]:
        """What the network gives the words, [rows x (words + 1)], and the sum of each row, [rows x 1]."""
        matrix, bias = self._output
        scores = product(self.model.projected(hidden), matrix)
        scores += bias
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        return scores, scores.sum(axis=1, keepdims=True)

    def probabilities(self, hidden: Floats, songs: Ids, contexts: Ids) -> Floats:
        """Of the next word, [rows x words]: the network's, mixed with the phrases' and the cache's.

        Args:
            hidden: state of each row.
            songs: whose history each row has, in ascending order.
            contexts: the last tokens of each row, [rows x HISTORY].
        """
        scores, sums = self._scores(hidden)
        scores *= np.float32(1 - PHRASE_SHARE) / sums
        found = scores[:, :-1] + np.float32(PHRASE_SHARE) * self._phrases.after(contexts)
        return self._history.mixed(found, hidden, songs)

    def likely(self, hidden: Floats, songs: Ids, contexts: Ids, least: float) -> Likely:
        """The same probabilities of the words that may well come, and the phrases' factors for their odds.

        Those are the words that followed the last token in the training songs, and those to which the network alone
        gives `least` or more; and the line mark in any case.
        """
        scores, sums = self._scores(hidden)
        may, wide = scores > sums * np.float32(least), scores.shape[1]
        may[:, LINE] = True
        met = self._phrases.met(contexts)
        may.reshape(-1)[met.flat] = True
        may[:, -1] = False
        flat = np.flatnonzero(may)
        rows = flat // wide
        words = flat - rows * wide
        cached, shares = self._history.shares(hidden, songs)
        found = np.float32(1 - PHRASE_SHARE) * scores.reshape(-1)[flat] / sums[rows, 0]
        found += np.float32(PHRASE_SHARE) * (met.left[rows] * self._phrases.single[words])
        cells = cached + np.arange(0, len(songs) * wide, wide)[:, None]
        added = self._zeros(len(songs) * wide)
        met.add_to(added)
        found += np.float32(PHRASE_SHARE) * added[flat]
        added[met.flat] = 0
        if shares.size:
            added[cells] = shares
            kept = np.where(self._history.met(songs), np.float32(1 - CACHE_SHARE), np.float32(1))
            found = kept[rows] * found + np.float32(CACHE_SHARE) * added[flat]
            added[cells] = 0
        return Likely(rows, words, found, self._phrases.factors(met, flat, words))

    def _zeros(self, size: int) -> Floats:
        """Zeros to add up in; whoever does leaves them zeros."""
        if len(self._sums) < size:
            self._sums = np.zeros(size, dtype=np.float32)
        return self._sums[:size]

    def extended(self, contexts: Ids, words: Ids) -> Ids:
        """Contexts with one more word of the palette a row."""
        return np.concatenate([contexts[:, 1:], self.palette.ids[words][:, None]], axis=1)

    def text(self, words: Sequence[int]) -> list[str]:
        """The words as text."""
        return [self.palette.texts[word] for word in words if word != LINE]
