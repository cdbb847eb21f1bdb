"""Where the syllables of a line fall: stressed ones on strong places, at a singable pace, with a breath at the end.

Onsets are chosen by dynamic programming over a grid of eighths (finer for crowded lines). All times are ticks from
the line's first barline; a pickup is negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre

Floats = npt.NDArray[np.float64]
EIGHTH_TICKS = TICKS_PER_BEAT // 2
_FINEST_TICKS = 15
#: Comfortable seconds from syllable to syllable.
_PACE_S = 0.4
_MAX_GAP = 12
_IMPOSSIBLE = 1e6


@dataclass(frozen=True)
class Frame:
    """What a line's rhythm must fit: its bars, tempo, and how much before its first bar it may start.

    `reference` holds onsets of a line that this one should sound like; `jitter` [slots of eighths] is the taste of
    the song. `offbeat` (0 to 1) is how welcome syncopation is.
    """

    metre: Metre
    bars: int
    tempo_bpm: float
    pickup_ticks: int
    offbeat: float
    jitter: Floats
    reference: frozenset[int] = frozenset()

    @property
    def total_ticks(self) -> int:
        """Length of the line's bars."""
        return self.metre.bar_ticks * self.bars


def strength(metre: Metre, ticks: int) -> float:
    """Metric weight of a place: 1 downbeat, 0.75 middle of the bar, 0.5 beats, 0.2 eighths, 0 finer."""
    within = ticks % metre.bar_ticks
    compound = metre.denominator == 8 and metre.numerator % 3 == 0
    beat = EIGHTH_TICKS * 3 if compound else TICKS_PER_BEAT
    if within == 0:
        return 1.0
    if within % beat == 0:
        middle = compound or (metre.numerator % 2 == 0 and within * 2 == metre.bar_ticks)
        return 0.75 if middle else 0.5
    return 0.2 if within % EIGHTH_TICKS == 0 else 0.0


def _grid(frame: Frame, count: int) -> tuple[int, npt.NDArray[np.int64]]:
    """Unit in ticks, and the slots that a line of `count` syllables may use: finer units for crowded lines."""
    last = frame.total_ticks - frame.pickup_ticks
    unit = EIGHTH_TICKS
    while unit > _FINEST_TICKS and (last // unit) * 0.86 < count:
        unit //= 2
    return unit, np.arange(-frame.pickup_ticks, max(last - unit + 1, 1), unit)


def _evenly(frame: Frame, count: int) -> list[int]:
    room = frame.total_ticks - frame.pickup_ticks
    if count > room:
        raise InputError(f"A line of {count} syllables does not fit {frame.bars} bars. Break it into several lines.")
    return [index * room // count for index in range(count)]


def _slot_costs(frame: Frame, slots: npt.NDArray[np.int64], stresses: Sequence[int], unit: int) -> Floats:
    """Cost of each syllable on each slot. Shape [syllables, slots]."""
    weights = np.array([strength(frame.metre, int(slot)) for slot in slots])
    on_stress = 1.6 * (1 - weights) * (1 - 0.45 * frame.offbeat)
    off_stress = 0.9 * weights
    stressed = np.array([stress > 0 for stress in stresses])[:, None]
    costs = np.where(stressed, on_stress[None, :], off_stress[None, :])
    taste = frame.jitter[(slots // EIGHTH_TICKS) % len(frame.jitter)] * (slots % EIGHTH_TICKS == 0)
    costs = costs - taste[None, :]
    if frame.reference:
        known = np.array([int(slot) in frame.reference for slot in slots])
        costs = costs + 1.1 * ~known[None, :]
    if unit < EIGHTH_TICKS:
        costs = costs + 0.35 * (slots % EIGHTH_TICKS != 0)[None, :]
    return np.asarray(costs)


def _target_gap(frame: Frame, unit: int, count: int) -> float:
    """Units from syllable to syllable: a comfortable pace that neither crams nor scatters the line."""
    unit_s = unit / TICKS_PER_BEAT * 60.0 / frame.tempo_bpm
    room = frame.total_ticks / unit
    gap = _PACE_S / unit_s
    return float(max(1.0, min(max(gap, 0.55 * room / count), 0.84 * room / count)))


def place(stresses: Sequence[int], starts_word: Sequence[bool], frame: Frame) -> list[int]:
    """Onsets of a line's syllables, increasing.

    Args:
        stresses: 0 for an unstressed syllable, 1 or 2 for a stressed one.
        starts_word: whether each syllable begins a word; gaps inside words are kept short.
        frame: the bars to fill.

    Raises:
        InputError: more syllables than ticks.
    """
    count = len(stresses)
    unit, slots = _grid(frame, count)
    if len(slots) < count + 1:
        return _evenly(frame, count)
    costs = _slot_costs(frame, slots, stresses, unit)
    leading = next((i for i, stress in enumerate(stresses) if stress > 0), count)
    costs[min(leading, 2) :, slots < 0] += 3.0  # only unstressed syllables are sung before the bar
    costs[0, slots > frame.metre.bar_ticks // 2] += 3.0
    gap = _target_gap(frame, unit, count)
    best, back = costs[0].copy(), np.zeros((count, len(slots)), dtype=np.int64)
    gaps = np.arange(1, min(_MAX_GAP, len(slots) - 1) + 1)
    price = 0.8 * np.abs(np.log2(gaps / gap)) ** 1.5
    dragging = 0.5 * np.clip(gaps - gap, 0, None)
    origins = np.arange(len(slots))[None, :] - gaps[:, None]
    unreachable = np.where(origins < 0, _IMPOSSIBLE, 0.0)
    for index in range(1, count):
        fare = price if starts_word[index] else price + dragging
        arrivals = best[origins] + unreachable + fare[:, None]
        back[index] = arrivals.argmin(axis=0)
        best = arrivals.min(axis=0) + costs[index]
    ends = slots / frame.total_ticks
    best = best + 4.0 * np.clip(0.45 - ends, 0, None) + 6.0 * np.clip(ends - 0.8, 0, None)
    return _trace(best, back, slots)


def _trace(best: Floats, back: npt.NDArray[np.int64], slots: npt.NDArray[np.int64]) -> list[int]:
    place_of_last = int(best.argmin())
    chosen = [place_of_last]
    for index in range(len(back) - 1, 0, -1):
        chosen.append(chosen[-1] - int(back[index, chosen[-1]]) - 1)
    return [int(slots[index]) for index in reversed(chosen)]
