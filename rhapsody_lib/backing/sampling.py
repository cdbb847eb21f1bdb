"""Sampling of phrases: several candidates at once, each bound to the grammar and to the rules of its bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.context import BarContext
from rhapsody_lib.backing.grammar import Grammar, GrammarState
from rhapsody_lib.backing.model import BackingModel, FloatArray
from rhapsody_lib.backing.quantise import duration_steps
from rhapsody_lib.backing.tokens import model_shift
from rhapsody_lib.backing.vocabulary import DURATIONS, Vocabulary, part_range
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.score import PART_RANGES, PARTS

#: Tokens less likely than this share of the likeliest are not sampled (min-p sampling, Nguyen et al. 2024).
MIN_SHARE = 0.04
#: Change of the logit of a note where its part never strikes in the primer's section.
UNHEARD = -2.5
#: Change of the logit for each part that is passed over where it mostly strikes, counted for so many at most.
PASSED, MOST_PASSED = -2.0, 3
#: Share of the primer's bars in which a part strikes at a step where it mostly strikes.
USUAL = 0.5
#: A bar longer than this is closed as soon as the grammar allows.
MAX_BAR_TOKENS = 300
#: Notes of one part struck together at most; melody and bass are single voices.
VOICES = {"melody": 1, "drums": 5, "piano": 6, "guitar": 6, "bass": 1, "strings": 5}
#: Range of a sung melody.
SINGABLE = (53, 79)


@dataclass(frozen=True)
class BarRule:
    """What one bar must be.

    Args:
        frame: tokens that open it, given and not sampled.
        must_sing: it must have a melody note.
        is_final: it closes the song: held tonic triad, over its root in the bass.
    """

    frame: tuple[int, ...]
    must_sing: bool = False
    is_final: bool = False


class Rules:
    """Masks for one song: the pitches of its key's ranges, and its last chord."""

    def __init__(self, vocabulary: Vocabulary, key: Key, bar_steps: int) -> None:
        self.vocabulary, self.bar_steps = vocabulary, bar_steps
        self.permitted = ~vocabulary.mask("section", "metre", "tempo", "line", *PARTS)
        for part in PARTS:
            low, high = SINGABLE if part == "melody" else PART_RANGES[part]
            shift = 0 if part == "drums" else model_shift(key)
            span_low, span_high = part_range(part)
            first, last = max(low + shift, span_low), min(high + shift, span_high)
            self.permitted[vocabulary.note(part, first) : vocabulary.note(part, last) + 1] = True
        self._bass_low = PART_RANGES["bass"][0] + model_shift(key)
        self._shares: Mapping[str, Mapping[int, float]] = {}
        self._biases: dict[tuple[int, int], FloatArray] = {}
        self.boundary = vocabulary.mask("bar", "end")
        self.boundary_ids = np.flatnonzero(self.boundary)
        root = 0 if key.mode == "major" else 9
        self.tonic = ChordSymbol(root, "" if key.mode == "major" else "m", root)
        self.final_opening = (vocabulary.starts["position"], *vocabulary.chord(self.tonic))
        self.final = self._final_mask()

    def limited(self, parts: Collection[str], drums: Collection[int]) -> Rules:
        """The same rules for a section in which only some parts, and of the drums only some pitches, play.

        The last bar is free of this. No drums given means all.
        """
        twin = copy(self)
        twin.prefer({})
        twin.permitted = self.permitted.copy()
        for part in PARTS:
            if part not in parts:
                twin.permitted[self.vocabulary.span(part)] = False
        if drums:
            span = self.vocabulary.span("drums")
            known = {self.vocabulary.note("drums", pitch) for pitch in drums}
            twin.permitted[[token for token in range(span.start, span.stop) if token not in known]] = False
        return twin

    def prefer(self, shares: Mapping[str, Mapping[int, float]]) -> None:
        """Keep the accompaniment near how it mostly goes in the primer's section.

        A part is unlikely to strike where it never does there, and it costs to pass over a part where it strikes in
        half of the bars or more.

        Args:
            shares: for each part, the share of bars in which it strikes at a step.
        """
        self._shares, self._biases = shares, {}

    def _usual(self, step: int, after: int) -> list[int]:
        """Parts, beyond number `after`, that mostly strike at a step."""
        names = enumerate(PARTS)
        return [index for index, part in names if index > after and self._shares.get(part, {}).get(step, 0.0) >= USUAL]

    def bias(self, step: int, part: int) -> FloatArray:
        """Changes of the logits [vocabulary] at a step (-1 before the first), where `part` (number) struck last."""
        if (step, part) not in self._biases:
            vocabulary, bias = self.vocabulary, np.zeros(len(self.vocabulary), dtype=np.float32)
            waiting = self._usual(step, part)
            for index, name in enumerate(PARTS):
                unheard = UNHEARD if name in self._shares and step not in self._shares[name] else 0.0
                bias[vocabulary.span(name)] = unheard + PASSED * sum(other < index for other in waiting)
            passed = len(waiting)
            for later in range(step + 1, self.bar_steps):
                bias[vocabulary.starts["position"] + later] = PASSED * min(passed, MOST_PASSED)
                passed += len(self._usual(later, -1))
            bias[self.boundary] = PASSED * min(passed, MOST_PASSED)
            self._biases[step, part] = bias
        return self._biases[step, part]

    def opening(self, rule: BarRule) -> list[int]:
        """Tokens given at the start of a bar."""
        return [*rule.frame, *(self.final_opening if rule.is_final else ())]

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
            for token in range(span.start, span.stop):
                pitch = vocabulary.part_and_pitch(token)[1]
                low = pitch < self._bass_low + 12
                tones = self.tonic.pitch_classes if not low else (self.tonic.root,)
                mask[token] &= pitch % 12 in tones and (low or part != "bass")
        return mask


@dataclass
class Branch:
    """A sequence being written. `state` [layers x hidden] has seen all tokens but the last."""

    grammar: GrammarState
    context: BarContext
    state: FloatArray

    @classmethod
    def start(cls, model: BackingModel, grammar: Grammar) -> Branch:
        """An empty sequence."""
        return cls(GrammarState(grammar), BarContext(model.vocabulary), model.start(1)[:, 0])

    def copy(self) -> Branch:
        """An independent branch at the same place."""
        return Branch(self.grammar.copy(), self.context.copy(), self.state.copy())

    def push(self, token: int) -> None:
        """Append a token; the state must have seen the last one."""
        self.grammar.advance(token)
        self.context.feed(token)

    def feed(self, model: BackingModel, tokens: Sequence[int]) -> None:
        """Append tokens that are given."""
        state = self.state[:, None]
        for token in tokens:
            state = model.advance(model.embed(np.asarray([self.context.row()])), state)
            self.push(token)
        self.state = state[:, 0]


@dataclass
class Candidate:
    """A phrase being sampled: `bars` are the tokens of each bar, `queue` those that are given next."""

    branch: Branch
    queue: list[int]
    bars: list[list[int]] = field(default_factory=lambda: [[]])
    log_probability: float = 0.0
    sampled: int = 0
    done: bool = False
    _sung: bool = False
    _struck: int = 0

    @property
    def mean_log_probability(self) -> float:
        """Nats per sampled token."""
        return self.log_probability / max(1, self.sampled)

    def mask(self, rules: Rules, rule: BarRule) -> NDArray[np.bool_]:
        """Tokens that may come next."""
        grammar, vocabulary = self.branch.grammar, rules.vocabulary
        mask = grammar.allowed() & (rules.final if rule.is_final else rules.permitted)
        part = grammar.part
        if part and self._struck >= VOICES[part]:
            mask[vocabulary.span(part)] = False
        if rule.must_sing and not self._sung:
            mask &= ~rules.boundary
            if grammar.note < 0 and 2 * grammar.position >= rules.bar_steps:
                mask[vocabulary.starts["drums"] : vocabulary.note_span[1]] = False
        if rule.is_final and part not in {"bass", "strings"}:
            mask &= ~rules.boundary
            mask[vocabulary.span("strings")] = False
        if len(self.bars[-1]) > MAX_BAR_TOKENS and (mask & rules.boundary).any():
            mask &= rules.boundary
        return mask

    def bias(self, rules: Rules) -> FloatArray:
        """Changes of the logits here."""
        grammar = self.branch.grammar
        return rules.bias(grammar.position, PARTS.index(grammar.part) if grammar.part else -1)

    def take(self, token: int, rules: Rules, bars: Sequence[BarRule]) -> None:
        """Append a sampled token, or go on to the next bar at a boundary."""
        if not rules.boundary[token]:
            self.push(token)
        elif len(self.bars) == len(bars):
            self.done = True
        else:
            self.queue = rules.opening(bars[len(self.bars)])
            self.bars.append([])
            self._sung = False
            self.push(self.queue.pop(0))

    def push(self, token: int) -> None:
        """Append a token."""
        part = self.branch.grammar.part
        self.branch.push(token)
        family = self.branch.grammar.family
        if family in VOICES:
            self._struck = self._struck + 1 if family == part else 1
            self._sung |= family == "melody"
        self.bars[-1].append(token)


def _draw(
    logits: FloatArray, masks: NDArray[np.bool_], rules: Rules, temperature: float, random: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray]:
    """One token for each row [batch x vocabulary], and its log-probability among those allowed.

    All ways to end a bar count as one: how many bars are left is given, not sampled.
    """
    ends = rules.boundary_ids
    scores = logits.copy()
    top = scores[:, ends].max(axis=1, keepdims=True)
    scores[:, ends[0]] = (top + np.log(np.exp(scores[:, ends] - top).sum(axis=1, keepdims=True)))[:, 0]
    allowed = masks.copy()
    allowed[:, ends[0]] = masks[:, ends].any(axis=1)
    allowed[:, ends[1:]] = False
    scores[~allowed] = -np.inf
    scores -= scores.max(axis=1, keepdims=True)
    log_probabilities = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    shares = np.exp(scores / temperature)
    shares[shares < MIN_SHARE] = 0
    sums = shares.cumsum(axis=1)
    marks = random.random(len(sums))[:, None] * sums[:, -1:]
    chosen = np.minimum((sums <= marks).sum(axis=1), (sums < sums[:, -1:]).sum(axis=1))
    return chosen, np.take_along_axis(log_probabilities, chosen[:, None], axis=1)[:, 0]


def write_phrase(
    model: BackingModel,
    start: Branch,
    bars: Sequence[BarRule],
    rules: Rules,
    *,
    candidates: int,
    temperature: float,
    random: np.random.Generator,
) -> list[Candidate]:
    """Sample some candidates for the next bars.

    Args:
        model: the network.
        start: where the phrase begins; left as it is.
        bars: a rule for each bar.
        rules: masks of the song.
        candidates: how many to sample.
        temperature: 1 samples as trained; lower is safer.
        random: the only source of chance.
    """
    found = [Candidate(start.copy(), rules.opening(bars[0])) for _ in range(candidates)]
    state = np.repeat(start.state[:, None], candidates, axis=1)
    active = list(range(candidates))
    while active:
        going = [found[index] for index in active]
        embedded = model.embed(np.asarray([candidate.branch.context.row() for candidate in going]))
        before = state[:, active]
        after = model.advance(embedded, before)
        state[:, active] = after
        free = [line for line, candidate in enumerate(going) if not candidate.queue]
        for candidate in going:
            if candidate.queue:
                candidate.push(candidate.queue.pop(0))
        if free:
            logits = model.logits(embedded[free], after[:, free])
            logits += np.stack([going[line].bias(rules) for line in free])
            masks = np.stack([going[line].mask(rules, bars[len(going[line].bars) - 1]) for line in free])
            tokens, chances = _draw(logits, masks, rules, temperature, random)
            for line, token, chance in zip(free, tokens.tolist(), chances.tolist(), strict=True):
                going[line].log_probability += chance
                going[line].sampled += 1
                going[line].take(token, rules, bars)
                if going[line].done:
                    going[line].branch.state = before[:, line]
        active = [index for index in active if not found[index].done]
    return found
