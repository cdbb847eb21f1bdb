"""What one song may sound like, beyond the grammar: its ranges, voices, sung bars, sounding bars and its close.

All that is forbidden and all that is made less likely at a place is one row that is added to the network's logits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.grammar import Grammar, Place
from rhapsody_lib.backing.model import FloatArray
from rhapsody_lib.backing.places import Heard
from rhapsody_lib.backing.quantise import duration_steps
from rhapsody_lib.backing.tokens import model_shift
from rhapsody_lib.backing.vocabulary import DURATIONS, QUALITY_NAMES, Vocabulary, part_range
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.score import PART_RANGES, PARTS

#: Change of the logit of a note where its part never strikes in the primer's section.
UNHEARD = -2.5
#: Change of the logit for each part that is passed over where it mostly strikes, counted for so many at most.
PASSED, MOST_PASSED = -2.0, 3
#: Share of the primer's bars in which a part strikes at a step where it mostly strikes.
USUAL = 0.5
#: Range of a sung melody.
SINGABLE = (53, 79)
#: Semitones from the tonic to the roots that a cadence closes from: dominant and subdominant, in minor the seventh too.
CADENCE_ROOTS = {"major": (7, 5), "minor": (7, 5, 10)}
#: Parts that strings join, before them in the order of a step's notes.
_JOINED = PARTS[: PARTS.index("strings")]
_SILENT = float("-inf")


@dataclass(frozen=True)
class BarRule:
    """What one bar must be.

    Args:
        frame: tokens that open it, given and not sampled.
        given: all its other tokens; then nothing of it is sampled.
        tune: its chords and melody, (step, tokens) in rising order; then only the accompaniment is sampled.
        joins: of a bar with all parts but the strings given in `tune`: only these are sampled.
        must_sing: it must have a melody note.
        is_cadence: its chords are dominant and subdominant, for the bar after it closes the song.
        is_final: it closes the song: held tonic triad, over its root in the bass.
    """

    frame: tuple[int, ...]
    given: tuple[int, ...] = ()
    tune: tuple[tuple[int, tuple[int, ...]], ...] = ()
    joins: bool = False
    must_sing: bool = False
    is_cadence: bool = False
    is_final: bool = False


class Rules:
    """Masks for one song: the pitches of its key's ranges, and its last chord, which all parts of the song may play.

    `sampled` are the tokens that may be sampled at all, in rising order; of the ways to end a bar only the first, for
    how many bars are left is given.
    """

    def __init__(self, vocabulary: Vocabulary, key: Key, bar_steps: int, parts: Collection[str] = PARTS) -> None:
        self.vocabulary, self.bar_steps = vocabulary, bar_steps
        self._grammar = Grammar(vocabulary)
        self.permitted = ~vocabulary.mask("section", "metre", "tempo", "line", *PARTS)
        for part in PARTS:
            low, high = SINGABLE if part == "melody" else PART_RANGES[part]
            shift = 0 if part == "drums" else model_shift(key)
            span_low, span_high = part_range(part)
            first, last = max(low + shift, span_low), min(high + shift, span_high)
            self.permitted[vocabulary.note(part, first) : vocabulary.note(part, last) + 1] = True
        self._pitched = {part for part in parts if part not in {"drums", "melody"}} or {"piano", "bass"}
        self._closing = next(part for part in ("bass", "piano", "guitar", "strings") if part in self._pitched)
        #: Below it only roots sound in the last bar: the lowest octave of the part that gives its root.
        self._deep = PART_RANGES[self._closing][0] + model_shift(key) + 12
        self.boundary = vocabulary.mask("bar", "end")
        self._classes = self._bias_classes()
        self.prefer({})
        root = 0 if key.mode == "major" else 9
        self.tonic = ChordSymbol(root, "" if key.mode == "major" else "m", root)
        self.final = self._final_mask()
        self._unfounded = self._unfounded_mask()
        self._not_cadence = vocabulary.mask("chord")
        for step in CADENCE_ROOTS[key.mode]:
            begin = vocabulary.starts["chord"] + (root + step) % 12 * len(QUALITY_NAMES)
            self._not_cadence[begin : begin + len(QUALITY_NAMES)] = False
        self.sampled = self._sampled()

    def limited(self, parts: Collection[str], drums: Collection[int]) -> Rules:
        """The same rules for a section in which only some parts, and of the drums only some pitches, play.

        The last bar is free of this. No drums given means all. All parts of the song play where no pitched one would.
        """
        playing = {*parts} if {*parts} - {"drums", "melody"} else {*parts, *self._pitched}
        twin = copy(self)
        twin.permitted = self.permitted.copy()
        for part in PARTS:
            if part not in playing:
                twin.permitted[self.vocabulary.span(part)] = False
        if drums:
            span = self.vocabulary.span("drums")
            known = {self.vocabulary.note("drums", pitch) for pitch in drums}
            twin.permitted[[token for token in range(span.start, span.stop) if token not in known]] = False
        twin.sampled = twin._sampled()
        twin.prefer({})
        return twin

    def prefer(self, shares: Mapping[str, Mapping[int, float]], firmness: float = 1.0) -> None:
        """Keep the accompaniment near how it mostly goes in the primer's section.

        A part is unlikely to strike where it never does there, and it costs to pass over a part where it strikes in
        half of the bars or more.

        Args:
            shares: for each part, the share of bars in which it strikes at a step.
            firmness: by what all changes are weighted.
        """
        self._firmness, self._biases = np.float32(firmness), dict[tuple[int, int], FloatArray]()
        # Row -1, the last one, is for the place before the first step.
        usual = np.zeros((self.bar_steps + 1, len(PARTS)), dtype=bool)
        unheard = np.zeros((self.bar_steps + 1, len(PARTS)), dtype=np.float32)
        for index, part in enumerate(PARTS):
            if part in shares:
                unheard[:, index] = UNHEARD
                for step, share in shares[part].items():
                    unheard[step, index], usual[step, index] = 0.0, share >= USUAL
        self._usual, self._unheard = usual, unheard
        #: Parts that mostly strike at the steps before each, and in the whole bar.
        self._struck = np.concatenate([[0], np.cumsum(usual[:-1].sum(axis=1))])

    def _sampled(self) -> NDArray[np.int64]:
        wanted = (self.permitted | self.final) & ~self.vocabulary.mask("pad", "program", "style", "mode")
        wanted[self.boundary] = False
        wanted[self.boundary.argmax()] = True
        return np.flatnonzero(wanted)

    def _bias_classes(self) -> NDArray[np.int64]:
        """Of each token the place of its change in what `_bias` finds: parts, steps, the end of the bar, none."""
        vocabulary, steps = self.vocabulary, len(PARTS)
        classes = np.full(len(vocabulary), steps + self.bar_steps + 1)
        for index, part in enumerate(PARTS):
            classes[vocabulary.span(part)] = index
        first = vocabulary.starts["position"]
        classes[first : first + self.bar_steps] = np.arange(steps, steps + self.bar_steps)
        classes[self.boundary] = steps + self.bar_steps
        return classes

    def _bias(self, step: int, part: int) -> FloatArray:
        """Changes of the logits [vocabulary] at a step (-1 before the first), where `part` (number) struck last."""
        if (step, part) not in self._biases:
            waiting = self._usual[step] & (np.arange(len(PARTS)) > part)
            changes = np.zeros(len(PARTS) + self.bar_steps + 2, dtype=np.float32)
            changes[: len(PARTS)] = self._unheard[step] + PASSED * (np.cumsum(waiting) - waiting)
            passed = waiting.sum() + self._struck[step + 1 :] - self._struck[step + 1]
            changes[len(PARTS) + step + 1 : -1] = PASSED * np.minimum(passed, MOST_PASSED)
            self._biases[step, part] = (changes * self._firmness)[self._classes]
        return self._biases[step, part]

    def opening(self, rule: BarRule) -> list[int]:
        """Tokens given at the start of a bar."""
        first = self.vocabulary.starts["position"]
        if rule.is_final:
            return [*rule.frame, first, *self.vocabulary.chord(self.tonic)]
        return [*rule.frame, first] if rule.is_cadence else [*rule.frame, *rule.given]

    def _final_mask(self) -> NDArray[np.bool_]:
        vocabulary = self.vocabulary
        mask: NDArray[np.bool_] = self.permitted.copy()
        mask[vocabulary.span("position")] = False
        mask[vocabulary.span("over")] = False
        mask[vocabulary.span("duration")] = False
        mask[vocabulary.starts["duration"] + DURATIONS.index(duration_steps(self.bar_steps))] = True
        for part in PARTS:
            if part == "drums":
                continue
            span = vocabulary.span(part)
            if part not in self._pitched and part != "melody":
                mask[span] = False
            for token in range(span.start, span.stop):
                pitch = vocabulary.part_and_pitch(token)[1]
                low = pitch < self._deep
                tones = self.tonic.pitch_classes if not low else (self.tonic.root,)
                mask[token] &= pitch % 12 in tones and (low or part != "bass")
        return mask

    def _unfounded_mask(self) -> NDArray[np.bool_]:
        """What may not follow in the last bar while its root is missing: the part that gives it strikes it first."""
        closing = PARTS.index(self._closing)
        mask: NDArray[np.bool_] = self.boundary | self.vocabulary.mask(*PARTS[closing + 1 :])
        span = self.vocabulary.span(self._closing)
        for token in range(span.start, span.stop):
            pitch = self.vocabulary.part_and_pitch(token)[1]
            mask[token] = pitch % 12 != self.tonic.root or pitch >= self._deep
        return mask

    def mask(self, place: Place, rule: BarRule, heard: Heard) -> NDArray[np.bool_]:
        """Tokens that may come next, bool [vocabulary]."""
        vocabulary, part = self.vocabulary, place.part
        mask = self._grammar.allowed(place) & (self.final if rule.is_final else self.permitted)
        if heard.full:
            mask[vocabulary.span(part)] = False
        late = not part and 2 * place.position >= self.bar_steps
        if not heard.sounded:
            mask &= ~self.boundary
            if late:
                mask[vocabulary.span("drums")] = False
        if not heard.sung:
            mask &= ~self.boundary
            if late or rule.is_final:  # the last bar has one onset, at which the melody comes first
                mask[vocabulary.starts["drums"] : vocabulary.note_span[1]] = False
        if rule.is_cadence:
            mask &= ~self._not_cadence
            if place.family == "position" and place.position == 0:
                mask &= vocabulary.mask("chord")
        if rule.is_final and (not part or PARTS.index(part) < PARTS.index(self._closing)):
            mask &= ~self._unfounded
        if rule.tune:
            mask &= ~vocabulary.mask("chord", "over", "melody")
            if part == "melody" or (rule.joins and part != "strings"):
                mask &= ~vocabulary.mask("velocity", "duration")
            if rule.joins:
                mask &= ~vocabulary.mask(*_JOINED)
        if heard.long and (mask & self.boundary).any():
            mask &= self.boundary if not rule.tune else vocabulary.mask("bar", "end", "position")
        return mask

    def row(self, place: Place, rule: BarRule, heard: Heard, tokens: NDArray[np.int64]) -> FloatArray:
        """What is added to the logits of some tokens: changes of the likely, and -inf for what may not come next."""
        mask = self.mask(place, rule, heard)
        mask[self.boundary.argmax()] = mask[self.boundary].any()
        part = PARTS.index(place.part) if place.part else -1
        row = np.where(mask, self._bias(place.position, part), np.float32(_SILENT))
        found: FloatArray = row[tokens]
        return found
