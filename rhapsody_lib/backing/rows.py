"""What is added to the logits of a step, a row for each candidate: looked up by its place in grammar and bar."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rhapsody_lib.backing.context import Ints
from rhapsody_lib.backing.model import FloatArray
from rhapsody_lib.backing.places import Places
from rhapsody_lib.backing.rules import BarRule, Rules
from rhapsody_lib.backing.vocabulary import MAX_BAR_STEPS, Vocabulary

#: Rows that are kept at most, of a few kilobytes each.
MAX_ROWS = 4096


class Rows:
    """The rows that are added to the logits of `tokens`, kept by the key of their place."""

    def __init__(self, vocabulary: Vocabulary, tokens: Ints) -> None:
        self._tokens = tokens
        first, last = np.searchsorted(tokens, vocabulary.note_span)
        #: Row n forbids the first n of the notes: within an onset they rise.
        self._rising = np.zeros((last - first + 1, len(tokens)), dtype=np.float32)
        self._rising[:, first:last][np.tri(last - first + 1, last - first, -1, dtype=bool)] = -np.inf
        self._first = first
        #: Row n forbids to pass by step n or to end the bar before it, the last row (-1) nothing.
        self.due = np.zeros((MAX_BAR_STEPS + 1, len(tokens)), dtype=np.float32)
        steps = tokens - vocabulary.starts["position"]
        later = (steps > np.arange(MAX_BAR_STEPS)[:, None]) & (steps < MAX_BAR_STEPS)
        self.due[:-1][later | vocabulary.mask("bar", "end")[tokens]] = -np.inf
        self._table = np.empty((MAX_ROWS, len(tokens)), dtype=np.float32)
        self._numbers: dict[int, int] = {}

    def of(self, places: Places, slots: Ints, kinds: Mapping[int, tuple[Rules, BarRule]]) -> FloatArray:
        """The rows of some slots, whose bars are of the `kinds` that `Places.obey` was told, [slots x tokens]."""
        keys = places.keys(slots)
        if len(self._numbers) + len(keys) > MAX_ROWS:
            self._numbers.clear()
        numbers = []
        for slot, key in zip(slots.tolist(), keys, strict=True):
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._numbers)
                kind, place, heard = places.at(slot)
                rules, rule = kinds[kind]
                self._table[number] = rules.row(place, rule, heard, self._tokens)
            numbers.append(number)
        risen = np.searchsorted(self._tokens, places.notes(slots), side="right") - self._first
        rows: FloatArray = self._table[numbers] + self._rising[np.maximum(risen, 0)]
        return rows
