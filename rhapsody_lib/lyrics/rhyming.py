"""Which words may end a line, and which of them rhyme with a given one, as masks over a palette."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.palette import Palette
from rhapsody_lib.lyrics.steering import NEAR_RHYME, SteeringTables
from rhapsody_lib.words.rhyme import rhyme_strength

#: How well words of near classes count as rhyming.
_NEAR_STRENGTH = 0.8
Strengths = npt.NDArray[np.float32]


class Rhymes:
    """Rhymes among the words of a palette.

    Args:
        tables: what the training songs taught.
        palette: the words.
    """

    def __init__(self, tables: SteeringTables, palette: Palette) -> None:
        self._palette, self._classes = palette, palette.rhyme_classes
        self._near: dict[int, list[int]] = {}
        # The tables know classes of the whole vocabulary, of which the palette may have few.
        highest = int(self._classes.max(initial=0))
        for one, other in tables.near_rhymes.tolist():
            if max(one, other) <= highest:
                self._near.setdefault(one, []).append(other)
        self.may_end = palette.may_end
        self._found: dict[int, Strengths] = {}
        self.has_partners = self._count_partners() >= 2

    def _count_partners(self) -> npt.NDArray[np.int32]:
        ending = self._classes[self.may_end & (self._classes >= 0)]
        sizes = np.bincount(ending, minlength=int(self._classes.max(initial=0)) + 1)
        near = np.array([sum(int(sizes[other]) for other in self._near.get(one, ())) for one in range(len(sizes))])
        total = np.where(self._classes >= 0, (sizes + near)[self._classes] - 1, 0)
        return np.asarray(total, dtype=np.int32)

    def strengths(self, word: int) -> Strengths:
        """How well each word that may end a line rhymes with `word`, float32 [words]: 1 full, 0 not."""
        if word not in self._found:
            self._found[word] = self._by_class(word) if self._palette.known[word] else self._by_sound(word)
        return self._found[word]

    def _by_class(self, word: int) -> Strengths:
        own = int(self._classes[word])
        strengths = np.where(np.isin(self._classes, self._near.get(own, [])), _NEAR_STRENGTH, 0).astype(np.float32)
        if own >= 0:
            strengths[self._classes == own] = 1
        strengths[word] = 0
        return np.where(self.may_end, strengths, np.float32(0))

    def _by_sound(self, word: int) -> Strengths:
        strengths = np.zeros(len(self._palette), dtype=np.float32)
        for other in np.flatnonzero(self.may_end).tolist():
            strength = rhyme_strength(self._palette.texts[word], self._palette.texts[other])
            strengths[other] = strength if strength >= NEAR_RHYME else 0
        return strengths
