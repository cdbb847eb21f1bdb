"""One whole sequence in the grammar, header and all, token by token: what the many at once are tested against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.grammar import BAR_FRAME, Grammar, Place
from rhapsody_lib.backing.tokens import HEADER_TOKENS
from rhapsody_lib.backing.vocabulary import MAX_BAR_STEPS, METRES, QUALITY_NAMES, Vocabulary, bar_steps
from rhapsody_lib.music.score import PARTS

_HEADER = ("style", "metre", "tempo", "mode", *("program" for _ in PARTS))
_FRAMING = frozenset({*BAR_FRAME, "position", "chord"})


class GrammarState:
    """`allowed()` is a fresh bool [vocabulary]; `advance` takes a token that it allows."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._grammar = vocabulary, Grammar(vocabulary)
        self.header_left = HEADER_TOKENS
        self.family, self.steps, self.position, self.note = "", MAX_BAR_STEPS, -1, -1
        self._root = -1
        self._velocity_open = self._duration_open = False
        self._timed: set[str] = set()

    @property
    def part(self) -> str:
        return self._vocabulary.family_of[self.note] if self.note >= 0 else ""

    @property
    def ended(self) -> bool:
        return self.family == "end"

    @property
    def place(self) -> Place:
        """The place within the bars, once the header is over."""
        is_note = self.note >= 0
        return Place(
            self.family if self.family in _FRAMING else "",
            self.steps,
            self.position,
            self.part,
            self.note,
            self._root if self.family == "chord" else -1,
            is_note and self._velocity_open,
            is_note and self._duration_open,
            is_note and self.part != "drums" and self.part not in self._timed,
        )

    def allowed(self) -> NDArray[np.bool_]:
        if self.header_left:
            return self._vocabulary.mask(_HEADER[HEADER_TOKENS - self.header_left])
        if self.family == "program":
            return self._vocabulary.mask("bar", "end")
        return self._grammar.allowed(self.place) if not self.ended else np.zeros(len(self._vocabulary), dtype=bool)

    def advance(self, token: int) -> None:
        family, starts = self._vocabulary.family_of[token], self._vocabulary.starts
        if family == "metre":
            self.steps = bar_steps(METRES[token - starts["metre"]])
        if self.header_left:
            self.header_left -= 1
        elif family == "bar":
            self.position, self.note, self._timed = -1, -1, set()
        elif family == "position":
            self.position, self.note = token - starts["position"], -1
        elif family == "chord":
            self._root = (token - starts["chord"]) // len(QUALITY_NAMES)
        elif family in PARTS:
            self.note, self._velocity_open, self._duration_open = token, True, family != "drums"
        elif family == "velocity":
            self._velocity_open = False
        elif family == "duration":
            self._velocity_open = self._duration_open = False
            self._timed.add(self.part)
        self.family = family
