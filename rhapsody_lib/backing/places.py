"""Where sequences that grow side by side stand in the grammar and in their bars: an automaton whose states are numbers.

Every sequence has a slot, a column of one table. All that the next token of a slot depends on, save that notes rise, is
packed into one number (`Places.keys`), by which the row of what may come next is looked up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rhapsody_lib.backing.context import Ints
from rhapsody_lib.backing.grammar import BAR_FRAME, Place
from rhapsody_lib.backing.vocabulary import QUALITY_NAMES, Vocabulary
from rhapsody_lib.music.score import PARTS

#: A bar longer than this is closed as soon as the grammar allows.
MAX_BAR_TOKENS = 300
#: Notes of one part struck together at most; melody and bass are single voices.
VOICES = {"melody": 1, "drums": 5, "piano": 6, "guitar": 6, "bass": 1, "strings": 5}
#: Families after which something else may come than after a note, by their number; 0 stands for all others.
_FRAMING = ("", *BAR_FRAME, "position", "chord")
_MELODY, _DRUMS = PARTS.index("melody") + 1, PARTS.index("drums") + 1

#: Rows of the table. Parts are counted from 1; 0 is none.
(
    _FAMILY,
    _POSITION,
    _NOTE,
    _ROOT,
    _PART,
    _VELOCITY,
    _DURATION,
    _TIMED,
    _STRUCK,
    _SUNG,
    _SOUNDED,
    _TOKENS,
    _RULE,
    _FIELDS,
) = range(14)
#: First bits of what a key is packed of: family, position, part, root, seven flags, rule.
_POSITION_BIT, _PART_BIT, _ROOT_BIT, _FLAGS_BIT, _RULE_BIT = 4, 11, 14, 18, 25


class Heard(NamedTuple):
    """What the rules need to know of a bar being written.

    Args:
        full: whether the part of the last note strikes with as many notes as it may.
        sung: whether the bar has a melody note, or need not have one.
        sounded: whether it has any note but drums and melody.
        long: whether it is longer than `MAX_BAR_TOKENS`.
    """

    full: bool
    sung: bool
    sounded: bool
    long: bool


class Places:
    """The places of sequences in the grammar and in their bars, one in each slot."""

    def __init__(self, vocabulary: Vocabulary, slots: int, bar_steps: int) -> None:
        self._steps, self._first_position = bar_steps, vocabulary.starts["position"]
        families = vocabulary.family_of
        chords, roots = vocabulary.span("chord"), np.full(len(vocabulary), -1)
        roots[chords] = np.arange(chords.stop - chords.start) // len(QUALITY_NAMES)
        #: Of each token its family's and its part's number, its chord's root, and whether it is of some families.
        self._facts = np.array(
            [
                [_FRAMING.index(f) if f in _FRAMING else 0 for f in families],
                [PARTS.index(f) + 1 if f in PARTS else 0 for f in families],
                roots,
                *(vocabulary.mask(family) for family in ("bar", "position", "velocity", "duration")),
            ]
        )
        self._voices = np.array([1 << 30, *(VOICES[part] for part in PARTS)])
        self._table = np.zeros((_FIELDS, slots), dtype=np.int64)

    def obey(self, slot: int, rule: int, *, must_sing: bool) -> None:
        """Let the bar that was opened in a slot be of a rule, a number that becomes part of its keys."""
        self._table[_RULE, slot], self._table[_SUNG, slot] = rule, not must_sing

    def push(self, slots: Ints, tokens: Ints) -> None:
        """Append a token, which may come there, to each of some slots."""
        table = self._table[:, slots]
        facts = self._facts[:, tokens]
        table[_FAMILY], part, table[_ROOT] = facts[:3]
        opens, position, velocity, timed = facts[3:] != 0
        is_note, ends_onset = part > 0, opens | position
        table[_TIMED] = np.where(opens, 0, table[_TIMED] | (timed << table[_PART]))
        table[_STRUCK] = np.where(is_note, np.where(part == table[_PART], table[_STRUCK] + 1, 1), table[_STRUCK])
        table[_PART] = np.where(is_note, part, np.where(ends_onset, 0, table[_PART]))
        table[_NOTE] = np.where(is_note, tokens, np.where(ends_onset, -1, table[_NOTE]))
        step = np.where(opens, -1, tokens - self._first_position)
        table[_POSITION] = np.where(ends_onset, step, table[_POSITION])
        attribute = timed | velocity
        table[_VELOCITY] = np.where(attribute | ends_onset, 0, table[_VELOCITY] | is_note)
        table[_DURATION] = np.where(timed | ends_onset, 0, np.where(is_note, part != _DRUMS, table[_DURATION]))
        table[_SUNG] = ~opens & (table[_SUNG] | (part == _MELODY))
        table[_SOUNDED] = ~opens & (table[_SOUNDED] | (part > _DRUMS))
        table[_TOKENS] = np.where(opens, 1, table[_TOKENS] + 1)
        self._table[:, slots] = table

    def keys(self, slots: Ints) -> list[int]:
        """A number for each of some slots; where numbers are equal, the same may come next, save for notes' rise."""
        table = self._table[:, slots]
        flags = table[_VELOCITY] | table[_DURATION] << 1 | self._due(table) << 2 | self._full(table) << 3
        flags |= table[_SUNG] << 4 | table[_SOUNDED] << 5 | (table[_TOKENS] > MAX_BAR_TOKENS) << 6
        keys = table[_FAMILY] | (table[_POSITION] + 1) << _POSITION_BIT | table[_PART] << _PART_BIT
        keys |= (table[_ROOT] + 1) << _ROOT_BIT | flags << _FLAGS_BIT | table[_RULE] << _RULE_BIT
        found: list[int] = keys.tolist()
        return found

    def notes(self, slots: Ints) -> Ints:
        """The last note of this onset in each of some slots, -1 for none."""
        found: Ints = self._table[_NOTE, slots]
        return found

    def at(self, slot: int) -> tuple[int, Place, Heard]:
        """The rule and the place of one slot, told by names; before the first of its part's notes."""
        column = self._table[:, slot]
        place = Place(
            _FRAMING[column[_FAMILY]],
            self._steps,
            int(column[_POSITION]),
            ("", *PARTS)[column[_PART]],
            -1,
            int(column[_ROOT]),
            bool(column[_VELOCITY]),
            bool(column[_DURATION]),
            bool(self._due(column)),
        )
        long = bool(column[_TOKENS] > MAX_BAR_TOKENS)
        heard = Heard(bool(self._full(column)), bool(column[_SUNG]), bool(column[_SOUNDED]), long)
        return int(column[_RULE]), place, heard

    def _due(self, table: Ints) -> Ints:
        """Whether the last note needs a duration: it is pitched, and its part has none in this bar."""
        pitched = (table[_PART] > 0) & (table[_PART] != _DRUMS)
        due: Ints = pitched & ~(table[_TIMED] >> table[_PART]) & 1
        return due

    def _full(self, table: Ints) -> Ints:
        full: Ints = (table[_STRUCK] >= self._voices[table[_PART]]).astype(np.int64)
        return full
