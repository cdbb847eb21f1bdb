"""Sampling of phrases side by side: several candidates of each, bound to the grammar and to the rules of their bars.

The sections of a song that are new are written at once, each by a writer of its own that asks for one phrase after
another. A step of the network is one for all candidates of all writers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.context import Ints
from rhapsody_lib.backing.contexts import ContextMark, Contexts
from rhapsody_lib.backing.model import BackingModel, FloatArray
from rhapsody_lib.backing.places import Places
from rhapsody_lib.backing.rows import Rows
from rhapsody_lib.backing.rules import BarRule, Rules
from rhapsody_lib.errors import RhapsodyError
from rhapsody_lib.progress import Progress, silent

#: Tokens less likely than this share of the likeliest are not sampled (min-p sampling, Nguyen et al. 2024).
MIN_SHARE = 0.04
#: Of free playing the rare is a part: there the share is smaller by this factor.
FREE_SHARE = 0.04
#: Writers side by side at most: this bounds memory, and no song has nearly as many.
_MOST_WRITERS = 64

Bar = tuple[int, ...]


@dataclass(frozen=True)
class Mark:
    """The place after a whole bar, from which any number of phrases may go on; `state` is [layers x hidden]."""

    context: ContextMark
    state: FloatArray


@dataclass(frozen=True)
class Phrase:
    """What a writer asks for.

    Args:
        start: where the phrase begins.
        bars: a rule for each bar.
        candidates: how many are sampled.
    """

    start: Mark
    bars: Sequence[BarRule]
    candidates: int


@dataclass(frozen=True)
class Candidate:
    """A phrase that was written: the place after it and its bars without frames.

    `sampled` counts the tokens that were not given; the mean log-probability is theirs.
    """

    end: Mark
    bars: list[Bar]
    sampled: int
    mean_log_probability: float


#: Asks for phrases and is sent their candidates; returns the music of a section.
Steps = Generator[Phrase, list[Candidate], list[Bar]]


@dataclass
class Writer:
    """One section, or a line of one, being written.

    Args:
        name: of the section.
        steps: what asks for its phrases.
        rules: of its notes.
        random: its own source of chance.
        candidates: of a phrase at most.
        ready: whether it may begin; asked again whenever another has written a phrase.
    """

    name: str
    steps: Steps
    rules: Rules
    random: np.random.Generator
    candidates: int
    ready: Callable[[], bool] = lambda: True


def draw(
    scores: FloatArray, temperature: float, chances: NDArray[np.float64], min_share: float = MIN_SHARE
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """One column for each row of logits, and its log-probability.

    Args:
        scores: [batch x tokens], -inf where forbidden; overwritten.
        temperature: 1 samples as trained; lower is safer.
        chances: even draws from [0, 1), one for each row.
        min_share: tokens less likely than this share of the likeliest are not drawn.
    """
    likeliest = scores.max(axis=1, keepdims=True)
    if not np.isfinite(likeliest).all():
        raise RhapsodyError(
            "The music cannot go on: the backing model gives no permitted token a chance. Train it again with: "
            "rhapsody train"
        )
    scores -= likeliest
    partition = np.log(np.exp(scores).sum(axis=1))
    places = np.flatnonzero(scores >= temperature * np.log(min_share))
    lines, columns = np.divmod(places, scores.shape[1])
    kept = scores.ravel()[places].astype(np.float64)
    sums = np.exp(kept / temperature).cumsum()
    ends = np.searchsorted(lines, np.arange(len(scores)), side="right")
    before = np.concatenate([[0.0], sums[ends[:-1] - 1]])
    marks = before + chances * (sums[ends - 1] - before)
    # Rounding may put a mark on the end of its row.
    chosen = np.minimum(np.searchsorted(sums, marks, side="right"), ends - 1)
    return columns[chosen], kept[chosen] - partition


class Band:
    """The writers of one song, side by side: each has as many slots as a phrase has candidates.

    `sampled` counts the tokens that were sampled.
    """

    def __init__(self, model: BackingModel, bar_steps: int, temperature: float, min_share: float = MIN_SHARE) -> None:
        self._model, self._bar_steps = model, bar_steps
        self._temperature, self._min_share = temperature, min_share
        self._contexts = Contexts(model.vocabulary)
        self._first_position = model.vocabulary.starts["position"]
        self.sampled = 0

    def _allot(self, slots: int) -> None:
        self._contexts.resize(slots)
        self._places = Places(self._model.vocabulary, slots, self._bar_steps)
        self._state = self._model.start(slots)
        self._live = np.zeros(slots, dtype=bool)
        #: Tokens that are given next, the last one first; where nothing is given, a slot is free to sample.
        self._queues: list[list[int]] = [[] for _ in range(slots)]
        self._free = np.ones(slots, dtype=bool)
        #: Of the tune that is given, what is still to come, the last first; and the step of the next, -1 for none.
        self._tunes: list[list[tuple[int, Bar]]] = [[] for _ in range(slots)]
        self._due = np.full(slots, -1)
        self._bar, self._drawn = np.zeros(slots, dtype=np.int64), np.zeros(slots, dtype=np.int64)
        self._log_probability = np.zeros(slots)

    def heard(self, sequences: Sequence[Sequence[int]]) -> list[Mark]:
        """The places after sequences, each a header alone or with whole bars."""
        found = [self._contexts.read(ids) for ids in sequences]
        state = self._model.read([rows for _, rows in found])
        return [Mark(context, state[:, number].copy()) for number, (context, _) in enumerate(found)]

    def write(self, writers: Sequence[Writer], progress: Progress = silent) -> list[list[Bar]]:
        """The music of each writer, in their order. What one writes depends on the others by rounding alone.

        Args:
            writers: what one waits for is written by those before it.
            progress: told of each that is done.
        """
        written: list[list[Bar]] = []
        for first in range(0, len(writers), _MOST_WRITERS):
            written += self._write(writers[first : first + _MOST_WRITERS], progress)
        return written

    def _write(self, writers: Sequence[Writer], progress: Progress) -> list[list[Bar]]:
        self._writers, self._kinds = writers, dict[int, tuple[Rules, BarRule]]()
        self._kind_numbers: dict[tuple[int, bool, bool, bool, bool], int] = {}
        self._found: list[list[Candidate]] = [[] for _ in writers]
        self._tokens = np.unique(np.concatenate([writer.rules.sampled for writer in writers]))
        self._boundary = writers[0].rules.boundary
        self._readout = self._model.readout(self._tokens, np.flatnonzero(self._boundary))
        self._rows = Rows(self._model.vocabulary, self._tokens)
        self._phrases: dict[int, Phrase] = {}
        slots = [writer.candidates for writer in writers]
        self._firsts: list[int] = np.cumsum([0, *slots]).tolist()
        self._owners = np.repeat(np.arange(len(writers)), slots)
        self._allot(sum(slots))
        written: dict[int, list[Bar]] = {}
        waiting = self._begin_ready(range(len(writers)))
        while self._live.any():
            for number in self._step():
                try:
                    self._begin(number, writers[number].steps.send(self._found[number]))
                except StopIteration as over:
                    written[number] = over.value
                    progress(len(written), len(writers), writers[number].name)
                waiting = self._begin_ready(waiting)
        return [written[number] for number in range(len(writers))]

    def _begin_ready(self, waiting: Iterable[int]) -> list[int]:
        """Begin the writers that may; the numbers of those who still wait."""
        ready = {number: self._writers[number].ready() for number in waiting}
        for number in (number for number, may_begin in ready.items() if may_begin):
            self._begin(number, next(self._writers[number].steps))
        return [number for number, may_begin in ready.items() if not may_begin]

    def _begin(self, number: int, phrase: Phrase) -> None:
        """Begin all candidates of a writer's phrase."""
        self._phrases[number], first = phrase, self._firsts[number]
        slots = np.arange(first, first + phrase.candidates)
        places = slice(first, first + phrase.candidates)
        self._contexts.go_to(places, phrase.start.context)
        self._state[:, places] = phrase.start.state[:, None]
        self._bar[places], self._drawn[places], self._log_probability[places] = -1, 0, 0.0
        self._live[places], self._found[number] = True, []
        self._push(slots, np.array([self._open_bar(slot) for slot in slots.tolist()]), slots.tolist())

    def _open_bar(self, slot: int) -> int:
        """Go on to a slot's next bar: its first token; those that follow it are given too."""
        self._bar[slot] += 1
        rule = self._rule(slot)
        tokens = self._writers[int(self._owners[slot])].rules.opening(rule)
        self._queues[slot], self._free[slot] = tokens[:0:-1], len(tokens) == 1
        self._tunes[slot] = list(rule.tune[::-1])
        self._due[slot] = rule.tune[0][0] if rule.tune else -1
        return tokens[0]

    def _rule(self, slot: int) -> BarRule:
        return self._phrases[int(self._owners[slot])].bars[int(self._bar[slot])]

    def _push(self, slots: Ints, tokens: Ints, opened: Sequence[int]) -> None:
        """Append tokens; in the `opened` slots they open a bar."""
        self._contexts.push(slots, tokens)
        self._places.push(slots, tokens)
        for slot in opened:
            rule, rules = self._rule(slot), self._writers[int(self._owners[slot])].rules
            flags = (id(rules), bool(rule.tune), rule.joins, rule.is_cadence, rule.is_final)
            kind = self._kind_numbers.setdefault(flags, len(self._kinds))
            self._kinds.setdefault(kind, (rules, rule))
            self._places.obey(slot, kind, must_sing=rule.must_sing)

    def _step(self) -> list[int]:
        """Give each candidate its next token; the numbers of the writers whose candidates are all done."""
        live = np.flatnonzero(self._live)
        embedded = self._model.embed(self._contexts.rows(live))
        after = self._model.advance(embedded, self._state[:, live])
        self._state[:, live] = after
        tokens, free = np.zeros(len(live), dtype=np.int64), self._free[live]
        if free.all():
            tokens = self._sample(live, embedded, after[-1])
        elif free.any():
            tokens[free] = self._sample(live[free], embedded[free], after[-1, free])
        going, opened = np.ones(len(live), dtype=bool), []
        for place in np.flatnonzero(~free | self._boundary[tokens]).tolist():
            slot = int(live[place])
            if self._queues[slot]:
                tokens[place] = self._queues[slot].pop()
                self._free[slot] = not self._queues[slot] and not self._rule(slot).given
            elif self._bar[slot] + 1 == len(self._phrases[int(self._owners[slot])].bars):
                going[place] = False
            else:
                tokens[place] = self._open_bar(slot)
                opened.append(slot)
        due = self._due[live]
        for place in np.flatnonzero((due >= 0) & (tokens == self._first_position + due)).tolist():
            self._give_tune(int(live[place]))
        if going.any():
            self._push(live[going], tokens[going], opened)
        return self._finish(live[~going].tolist())

    def _give_tune(self, slot: int) -> None:
        """Give what the tune has at the step that was reached."""
        _, tokens = self._tunes[slot].pop()
        self._queues[slot], self._free[slot] = list(tokens[::-1]), False
        self._due[slot] = self._tunes[slot][-1][0] if self._tunes[slot] else -1

    def _sample(self, slots: Ints, embedded: FloatArray, hidden: FloatArray) -> Ints:
        """The next token of some slots, whose inputs and states are rows of `embedded` and `hidden`."""
        scores = self._readout(embedded, hidden)
        scores += self._rows.of(self._places, slots, self._kinds)
        due = self._due[slots]
        if due.max() >= 0:
            scores += self._rows.due[due]
        by_writer = np.bincount(self._owners[slots])
        chances = [self._writers[n].random.random(by_writer[n]) for n in np.flatnonzero(by_writer).tolist()]
        columns, logs = draw(scores, self._temperature, np.concatenate(chances), self._min_share)
        self._log_probability[slots] += logs
        self._drawn[slots] += 1
        self.sampled += len(slots)
        return self._tokens[columns]

    def _finish(self, slots: Sequence[int]) -> list[int]:
        """Take the candidates in some slots as done; the numbers of the writers who wait for no more."""
        for slot in slots:
            number, self._live[slot] = int(self._owners[slot]), False
            context = self._contexts.mark(slot)
            bars = self._contexts.bars(context, len(self._phrases[number].bars))
            drawn, end = int(self._drawn[slot]), Mark(context, self._state[:, slot].copy())
            mean = float(self._log_probability[slot] / max(1, drawn))
            self._found[number].append(Candidate(end, bars, drawn, mean))
        writers, firsts = dict.fromkeys(self._owners[slots].tolist()), self._firsts
        return [number for number in writers if not self._live[firsts[number] : firsts[number + 1]].any()]
