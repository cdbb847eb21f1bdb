"""Which token may follow: the grammar of `tokens.py` as masks, so that whatever is sampled can be decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.tokens import HEADER_TOKENS
from rhapsody_lib.backing.vocabulary import MAX_BAR_STEPS, METRES, QUALITY_NAMES, Vocabulary, bar_steps
from rhapsody_lib.music.score import PARTS

_HEADER = ("style", "metre", "tempo", "mode", *("program" for _ in PARTS))
_BAR_FRAME = ("bar", "section", "metre", "tempo", "line")
#: Families after which something else may come than after a note.
_FRAMING = frozenset({*_BAR_FRAME, *_HEADER, "end", "position", "chord"})


class Grammar:
    """Masks that all states share."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        families = vocabulary.family_of
        self.family_of = families
        self.header = [vocabulary.mask(family) for family in _HEADER]
        self.boundary = vocabulary.mask("bar", "end")
        self.frame_after = {
            family: vocabulary.mask(*_BAR_FRAME[index + 1 :], "bar", "end") for index, family in enumerate(_BAR_FRAME)
        }
        self.chords = vocabulary.mask("chord")
        self.over = vocabulary.mask("over")
        self.velocities = vocabulary.mask("velocity")
        self.durations = vocabulary.mask("duration")
        self.notes = vocabulary.mask(*PARTS)


class GrammarState:
    """The state of one sequence. `allowed()` is a fresh bool [vocabulary]; `advance` takes a token that it allows."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self.header_left = HEADER_TOKENS
        self.family = ""
        self.steps = MAX_BAR_STEPS
        self.position = -1
        self.note = -1
        self._root = -1
        self._velocity_open = self._duration_open = False
        self._timed: set[str] = set()

    def copy(self) -> GrammarState:
        """An independent state at the same place."""
        twin = object.__new__(GrammarState)
        twin.__dict__.update(self.__dict__)
        twin._timed = set(self._timed)
        return twin

    @property
    def part(self) -> str:
        """Part of the last note of this onset, empty if there is none yet."""
        return self._grammar.family_of[self.note] if self.note >= 0 else ""

    @property
    def ended(self) -> bool:
        """Whether `End` was taken."""
        return self.family == "end"

    @property
    def key(self) -> tuple[str | int | bool, ...]:
        """All that `allowed` depends on: states of equal keys allow the same."""
        framing = self.family in _FRAMING
        root = self._root if self.family == "chord" else -1
        onset: tuple[int | bool, ...] = (self.position, self.note, root)
        if self.note >= 0:
            onset = (*onset, self._velocity_open, self._duration_open, self._duration_due())
        return (self.family if framing else "", self.header_left, self.steps, *onset)

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next, bool [vocabulary]."""
        grammar, starts = self._grammar, self._grammar.vocabulary.starts
        mask: NDArray[np.bool_]
        if self.header_left:
            mask = grammar.header[HEADER_TOKENS - self.header_left].copy()
            return mask
        if self.family in ("program", "end"):
            mask = grammar.boundary.copy()
            return mask if self.family == "program" else np.zeros_like(mask)
        if self.note >= 0 and self._duration_due():
            mask = grammar.durations.copy()
            return mask | grammar.velocities if self._velocity_open else mask
        if self.family in _BAR_FRAME:
            mask = grammar.frame_after[self.family].copy()
        else:
            mask = grammar.boundary.copy() if self.family != "position" else np.zeros_like(grammar.notes)
            first, last = grammar.vocabulary.note_span
            mask[max(first, self.note + 1) : last] = True
            self._allow_attributes(mask)
        if self.family != "position":
            mask[starts["position"] + self.position + 1 : starts["position"] + self.steps] = True
        return mask

    def _allow_attributes(self, mask: NDArray[np.bool_]) -> None:
        grammar = self._grammar
        if self.family == "position":
            mask |= grammar.chords
        elif self.family == "chord":
            mask |= grammar.over
            mask[grammar.vocabulary.starts["over"] + self._root] = False
        if self.note >= 0 and self._velocity_open:
            mask |= grammar.velocities
        if self.note >= 0 and self._duration_open:
            mask |= grammar.durations

    def _duration_due(self) -> bool:
        return self.part != "drums" and self.part not in self._timed

    def advance(self, token: int) -> None:
        """Take a token."""
        family = self._grammar.family_of[token]
        vocabulary = self._grammar.vocabulary
        if family == "metre":
            self.steps = bar_steps(METRES[token - vocabulary.starts["metre"]])
        if self.header_left:
            self.header_left -= 1
        elif family == "bar":
            self.position, self.note, self._timed = -1, -1, set()
        elif family == "position":
            self.position, self.note = token - vocabulary.starts["position"], -1
        elif family == "chord":
            self._root = (token - vocabulary.starts["chord"]) // len(QUALITY_NAMES)
        elif family in PARTS:
            self.note, self._velocity_open, self._duration_open = token, True, family != "drums"
        elif family == "velocity":
            self._velocity_open = False
        elif family == "duration":
            self._velocity_open = self._duration_open = False
            self._timed.add(self.part)
        self.family = family
