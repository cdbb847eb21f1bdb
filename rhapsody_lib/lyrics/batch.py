"""A batch of songs being written side by side: what each has said, and what the model thinks comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rhapsody_lib.lyrics.model import Floats, LyricsModel, State, softmax
from rhapsody_lib.lyrics.phrases import HISTORY
from rhapsody_lib.lyrics.rhyming import Rhymes
from rhapsody_lib.lyrics.sampling import History, Ids
from rhapsody_lib.lyrics.vocabulary import LINE_ID, MARKS, UNKNOWN_ID
from rhapsody_lib.words.syllables import syllables

#: Share of the phrases in the mixture with the network.
PHRASE_SHARE = 0.5
#: A song that speaks of the one does not go on about the other.
_CASTS = (
    ("he", "him", "his", "he's", "he'd", "he'll", "himself"),
    ("she", "her", "hers", "she's", "she'd", "she'll", "herself"),
)

#: Words of lower ids are common and may return as often as they like; all others at most so often in a song.
COMMON_WORDS, _MOST_USES = len(MARKS) + 80, 3


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
        self.trigrams.update(tuple(line[start : start + 3]) for start in range(len(line) - 2))


class SongBatch:
    """Reads marks and lines into the model, song by song, and asks it for the next word.

    Args:
        model: the trained model.
        extra_words: words of the prompt that the model does not know: it reads them as unknown, and the cache may
            bring them back.
        theme: words of the model whose company in the training songs is sought.
        songs: songs in the batch.
    """

    def __init__(self, model: LyricsModel, extra_words: Sequence[str], theme: Sequence[int], songs: int) -> None:
        self.model = model
        self.known = len(model.vocabulary)
        self.words = (*model.vocabulary.tokens, *extra_words)
        self._ids = {word: index for index, word in enumerate(self.words)}
        counts = [len(syllables(word)) for word in extra_words]
        self.syllables = np.concatenate([model.steering.syllables, np.array(counts, dtype=np.int32)])
        # A word of no syllables could be drawn without end.
        self.syllables[len(MARKS) :] = np.maximum(self.syllables[len(MARKS) :], 1)
        self.may_start = np.pad(model.steering.may_start, (0, len(extra_words)), constant_values=True)
        self.rhymes = Rhymes(model.steering, self.words)
        self.told = [Told() for _ in range(songs)]
        self.state: State = model.initial_state(songs)
        self.recent: list[list[int]] = [[] for _ in range(songs)]
        self._history = History(songs, model.hidden_size, len(self.words))
        odds = model.phrases.related(theme)
        odds[: len(MARKS)] = [mark == LINE_ID for mark in range(len(MARKS))]
        # Symbols and other scripts stay where the prompt has them: they are not strewn about.
        strewn = [word.isascii() and word[:1].isalpha() for word in extra_words]
        self.odds = np.concatenate([odds, np.array(strewn, dtype=np.float32)])
        self.casts = [{self._ids[word] for word in cast if word in self._ids} for cast in _CASTS]

    def spent(self, song: int) -> set[int]:
        """Words that a song has used up, or that are of another cast than it has."""
        uses = self.told[song].uses
        spent = {word for word, count in uses.items() if count >= _MOST_USES and word >= COMMON_WORDS}
        met = [not cast.isdisjoint(uses) for cast in self.casts]
        if any(met):
            spent.update(*(cast for cast, is_met in zip(self.casts, met, strict=True) if not is_met))
        return spent

    def count_syllables(self, words: Sequence[int]) -> int:
        """Syllables of a line."""
        return int(self.syllables[list(words)].sum())

    def read_mark(self, mark: int) -> None:
        """All songs read one mark."""
        self._read([[mark]] * len(self.told))

    def read_lines(self, lines: Sequence[Sequence[int] | None]) -> None:
        """Each song reads its line, none where it has none."""
        self._read([[*reversed(line), LINE_ID] if line else [] for line in lines])
        for told, line in zip(self.told, lines, strict=True):
            if line:
                told.add(line)

    def say_again(self, sections: Sequence[Sequence[int]]) -> None:
        """Each song returns to a section, of which only the words are told: the model has read its marks."""
        for told, words in zip(self.told, sections, strict=True):
            told.words += words

    def _read(self, sequences: Sequence[Sequence[int]]) -> None:
        hidden, cell = self.state
        for position in range(max(map(len, sequences))):
            songs = np.array([song for song, ids in enumerate(sequences) if len(ids) > position], dtype=np.int64)
            ids = np.array([sequences[song][position] for song in songs], dtype=np.int64)
            for song in songs:
                self.recent[song] = [*self.recent[song][1 - HISTORY :], sequences[song][position]]
            said = ids >= len(MARKS)
            self._history.add(songs[said], hidden[songs[said]], ids[said])
            hidden[songs], cell[songs] = self.step(ids, (hidden[songs], cell[songs]))

    def step(self, ids: Ids, state: State) -> State:
        """The state after one more word a row."""
        return self.model.step(np.where(ids < self.known, ids, UNKNOWN_ID), state)

    def probabilities(self, hidden: Floats, songs: Ids, contexts: Sequence[Sequence[int]]) -> Floats:
        """Of the next word, [rows x words]: the network's, mixed with the phrases' and the cache's.

        Args:
            hidden: state of each row.
            songs: whose history each row has, in ascending order.
            contexts: the last tokens of each row.
        """
        network = softmax(self.model.logits(hidden))
        network *= np.float32(1 - PHRASE_SHARE)
        for row, context in enumerate(contexts):
            network[row] += np.float32(PHRASE_SHARE) * self.model.phrases.after(context)
        probabilities = np.pad(network, ((0, 0), (0, len(self.words) - self.known)))
        return self._history.mixed(probabilities, hidden, songs)
