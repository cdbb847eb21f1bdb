"""Tables that steer writing, learnt from the training songs.

Syllables and rhymes of words; how lines begin and end, and how long they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.vocabulary import LINE_ID, MARKS, Tokens, Vocabulary
from rhapsody_lib.words.rhyme import rhyme_classes, rhyme_strength, rhyme_vowels
from rhapsody_lib.words.syllables import syllables

#: Words of different rhyme classes rhyme nearly from this strength on.
NEAR_RHYME = 0.75
#: Share of a word's uses at the end, or at the beginning, of lines from which it may stand there.
_LEAST_SHARE = 0.04
#: Lines of this many syllables and more are counted together.
MAX_SYLLABLES = 16
Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class SteeringTables:
    """All by word id, int32; marks count as 0.

    Args:
        syllables: syllables of each word.
        rhyme_classes: words of the same class rhyme; -1 for marks.
        uses: how often the word stands in the training songs.
        line_ends: how often it ended a line.
        line_starts: how often it began one.
        line_syllables: how many training lines have 0, 1, 2 ... syllables.
        near_rhymes: pairs of classes that rhyme nearly (`home`, `stone`), each pair both ways, [pairs x 2].
        drawable: whether the word may be written into a song, bool; all may where none is given.
    """

    syllables: Integers
    rhyme_classes: Integers
    uses: Integers
    line_ends: Integers
    line_starts: Integers
    line_syllables: Integers
    near_rhymes: Integers
    drawable: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        if not len(self.drawable):
            object.__setattr__(self, "drawable", np.ones(len(self.uses), dtype=np.bool_))

    @classmethod
    def build(cls, vocabulary: Vocabulary, streams: Iterable[Tokens]) -> SteeringTables:
        """Tables of a vocabulary and the training songs' streams."""
        size = len(vocabulary)
        counts = np.zeros(size, dtype=np.int32)
        counts[len(MARKS) :] = [len(syllables(word)) for word in vocabulary.words]
        classes = np.full(size, -1, dtype=np.int32)
        classes[len(MARKS) :] = rhyme_classes(vocabulary.words)
        uses, ends, starts = (
            np.zeros(size, dtype=np.int32),
            np.zeros(size, dtype=np.int32),
            np.zeros(size, dtype=np.int32),
        )
        lengths = np.zeros(MAX_SYLLABLES + 1, dtype=np.int32)
        for stream in streams:
            for line in _lines(stream):
                np.add.at(uses, line, 1)
                ends[line[0]] += 1
                starts[line[-1]] += 1
                lengths[min(int(counts[line].sum()), MAX_SYLLABLES)] += 1
        return cls(counts, classes, uses, ends, starts, lengths, _near_rhymes(vocabulary, classes, ends))

    @property
    def may_end(self) -> npt.NDArray[np.bool_]:
        """Words that a line may end in: those that end lines now and then, not once by enjambment like `the`."""
        return _now_and_then(self.line_ends, self.uses)

    @property
    def may_start(self) -> npt.NDArray[np.bool_]:
        """Words that a line may begin with."""
        return _now_and_then(self.line_starts, self.uses)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file(dict(vars(self)), path)

    @classmethod
    def load(cls, path: Path) -> SteeringTables:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is missing or is none.
        """
        try:
            return cls(**load_file(path))
        except (OSError, SafetensorError, TypeError) as error:
            raise DamagedArtifactError(f"{path}: cannot be read ({error}). Train the lyrics model again.") from error


def _now_and_then(times: Integers, uses: Integers) -> npt.NDArray[np.bool_]:
    shares = times / np.maximum(uses, 1)
    return np.asarray(shares >= _LEAST_SHARE)


def _lines(stream: Tokens) -> Iterable[Sequence[int] | Integers]:
    """The lines of a stream, each last word first, without its mark."""
    start = 0
    for position, token in enumerate(stream):
        if token == LINE_ID and position > start:
            yield stream[start:position]
        if token < len(MARKS) and token != 0:
            start = position + 1


def _near_rhymes(vocabulary: Vocabulary, classes: Integers, line_ends: Integers) -> Integers:
    """Pairs of classes whose words rhyme nearly; only classes that end lines are asked, by one word each."""
    spoken = {int(classes[word]): vocabulary.tokens[word] for word in np.flatnonzero((line_ends > 0) & (classes >= 0))}
    # All pairs of a large vocabulary would take minutes.
    of_vowels: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for rhyme_class, word in spoken.items():
        of_vowels.setdefault(rhyme_vowels(word), []).append((rhyme_class, word))
    pairs = [
        (one, other)
        for members in of_vowels.values()
        for one, word in members
        for other, partner in members
        if one < other and rhyme_strength(word, partner) >= NEAR_RHYME
    ]
    both = sorted(pairs + [(other, one) for one, other in pairs])
    return np.array(both, dtype=np.int32).reshape(len(both), 2)
