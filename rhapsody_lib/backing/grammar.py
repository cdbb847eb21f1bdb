"""Which token may follow: the grammar of `tokens.py` as masks, so that whatever is sampled can be decoded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.vocabulary import MAX_BAR_STEPS, Vocabulary

BAR_FRAME = ("bar", "section", "metre", "tempo", "line")


class Place(NamedTuple):
    """All that the next token of a bar depends on.

    Args:
        family: of the last token where it matters, for one of a note empty.
        steps: of the bar.
        position: step of this onset, -1 before the first.
        part: of the last note of this onset, empty if there is none.
        note: that note, notes after which may come; -1 for any.
        root: of the chord that was the last token, else -1.
        velocity_open: whether the note may yet be given a velocity.
        duration_open: whether it may yet be given a duration.
        duration_due: whether it must be given one: its part has none in this bar.
    """

    family: str = ""
    steps: int = MAX_BAR_STEPS
    position: int = -1
    part: str = ""
    note: int = -1
    root: int = -1
    velocity_open: bool = False
    duration_open: bool = False
    duration_due: bool = False


class Grammar:
    """The tokens that may follow at each place within the bars of a song."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._boundary = vocabulary.mask("bar", "end")
        self._frame_after = {
            family: vocabulary.mask(*BAR_FRAME[index + 1 :], "bar", "end") for index, family in enumerate(BAR_FRAME)
        }
        self._chords = vocabulary.mask("chord")
        self._over = vocabulary.mask("over")
        self._velocities = vocabulary.mask("velocity")
        self._durations = vocabulary.mask("duration")

    def allowed(self, place: Place) -> NDArray[np.bool_]:
        """Which tokens may come next, a fresh bool [vocabulary]."""
        starts = self._vocabulary.starts
        mask: NDArray[np.bool_]
        if place.duration_due:
            mask = self._durations.copy()
            return mask | self._velocities if place.velocity_open else mask
        if place.family in BAR_FRAME:
            mask = self._frame_after[place.family].copy()
        else:
            mask = self._boundary.copy() if place.family != "position" else np.zeros_like(self._boundary)
            first, last = self._vocabulary.note_span
            mask[max(first, place.note + 1) : last] = True
            self._allow_attributes(mask, place)
        if place.family != "position":
            mask[starts["position"] + place.position + 1 : starts["position"] + place.steps] = True
        return mask

    def _allow_attributes(self, mask: NDArray[np.bool_], place: Place) -> None:
        if place.family == "position":
            mask |= self._chords
        elif place.family == "chord":
            mask |= self._over
            mask[self._vocabulary.starts["over"] + place.root] = False
        if place.velocity_open:
            mask |= self._velocities
        if place.duration_open:
            mask |= self._durations
