"""Sampling of phrases: several candidates at once, each bound to the grammar and to the rules of its bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.context import BarContext
from rhapsody_lib.backing.grammar import Grammar, GrammarState
from rhapsody_lib.backing.model import BackingModel, FloatArray, Readout
from rhapsody_lib.backing.rules import VOICES, BarRule, Place, Rules
from rhapsody_lib.errors import RhapsodyError

#: Tokens less likely than this share of the likeliest are not sampled (min-p sampling, Nguyen et al. 2024).
MIN_SHARE = 0.04
#: Parts that alone leave a bar without accompaniment.
_UNACCOMPANIED = frozenset({"melody", "drums"})


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
        rows = []
        for token in tokens:
            rows.append(self.context.row())
            self.push(token)
        if rows:
            self.state = model.read(np.asarray(rows), self.state)


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
    _sounded: bool = False
    _struck: int = 0

    @property
    def mean_log_probability(self) -> float:
        """Nats per sampled token."""
        return self.log_probability / max(1, self.sampled)

    def row(self, rules: Rules, bars: Sequence[BarRule]) -> FloatArray:
        """What is added to the logits of the tokens that may be sampled."""
        place = Place(self._struck, self._sung, self._sounded, len(self.bars[-1]))
        return rules.row(self.branch.grammar, bars[len(self.bars) - 1], place)

    def take(self, token: int, rules: Rules, bars: Sequence[BarRule]) -> None:
        """Append a sampled token, or go on to the next bar at a boundary."""
        if not rules.boundary[token]:
            self.push(token)
        elif len(self.bars) == len(bars):
            self.done = True
        else:
            self.queue = rules.opening(bars[len(self.bars)])
            self.bars.append([])
            self._sung = self._sounded = False
            self.push(self.queue.pop(0))

    def push(self, token: int) -> None:
        """Append a token."""
        part = self.branch.grammar.part
        self.branch.push(token)
        family = self.branch.grammar.family
        if family in VOICES:
            self._struck = self._struck + 1 if family == part else 1
            self._sung |= family == "melody"
            self._sounded |= family not in _UNACCOMPANIED
        self.bars[-1].append(token)


def _draw(
    scores: FloatArray, temperature: float, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One column for each row of logits [batch x tokens], -inf where forbidden, and its log-probability."""
    likeliest = scores.max(axis=1, keepdims=True)
    if not np.isfinite(likeliest).all():
        raise RhapsodyError(
            "The music cannot go on: the backing model gives no permitted token a chance. Train it again with: "
            "rhapsody train"
        )
    scores = scores - likeliest
    partition = np.log(np.exp(scores).sum(axis=1, dtype=np.float64))
    lines, columns = np.nonzero(scores >= temperature * np.log(MIN_SHARE))
    kept = scores[lines, columns].astype(np.float64)
    sums = np.exp(kept / temperature).cumsum()
    ends = np.searchsorted(lines, np.arange(len(scores)), side="right")
    before = np.concatenate([[0.0], sums[ends[:-1] - 1]])
    marks = before + random.random(len(scores)) * (sums[ends - 1] - before)
    # Rounding may put a mark on the end of its row.
    chosen = np.minimum(np.searchsorted(sums, marks, side="right"), ends - 1)
    return columns[chosen], kept[chosen] - partition


def _step(
    going: Sequence[Candidate],
    readout: Readout,
    embedded: FloatArray,
    state: FloatArray,
    rules: Rules,
    bars: Sequence[BarRule],
    temperature: float,
    random: np.random.Generator,
) -> None:
    """Sample the next token of each candidate, whose inputs and states are rows of `embedded` and `state`."""
    scores = readout(embedded, state)
    scores += np.stack([candidate.row(rules, bars) for candidate in going])
    columns, chances = _draw(scores, temperature, random)
    for candidate, token, chance in zip(going, rules.sampled[columns].tolist(), chances.tolist(), strict=True):
        candidate.log_probability += chance
        candidate.sampled += 1
        candidate.take(token, rules, bars)


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
    readout = model.readout(rules.sampled, np.flatnonzero(rules.boundary))
    going, state = found, np.repeat(start.state[:, None], candidates, axis=1)
    while going:
        embedded = model.embed(np.asarray([candidate.branch.context.row() for candidate in going]))
        after = model.advance(embedded, state)
        free = [line for line, candidate in enumerate(going) if not candidate.queue]
        for candidate in going:
            if candidate.queue:
                candidate.push(candidate.queue.pop(0))
        if len(free) == len(going):
            _step(going, readout, embedded, after[-1], rules, bars, temperature, random)
        elif free:
            chosen = [going[line] for line in free]
            _step(chosen, readout, embedded[free], after[-1, free], rules, bars, temperature, random)
        left = [line for line, candidate in enumerate(going) if not candidate.done]
        if len(left) < len(going):
            for line, candidate in enumerate(going):
                if candidate.done:
                    candidate.branch.state = state[:, line].copy()
            going, after = [going[line] for line in left], after[:, left]
        state = after
    return found
