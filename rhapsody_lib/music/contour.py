"""Pitches for a line's onsets: chord tones on strong places, steps between, leaps turned back, a shape, a cadence.

The line is found by dynamic programming over pairs of pitches, so that what follows a leap can be weighed (a leap is
best left by a step the other way: the gap-fill principle, Meyer 1973, chapter 5).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rhapsody_lib.music.chords import ChordSymbol, Key

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
#: Cost of each melodic interval in semitones, 0 to 12.
_INTERVAL_COST = (0.7, 0.05, 0.0, 0.2, 0.4, 0.8, 5.0, 1.2, 2.6, 2.6, 6.0, 9.0, 2.4)
_TOO_WIDE = 14.0
_FOREIGN = 9.0
SHAPES = ("arch", "fall", "rise", "wave", "dip")


@dataclass(frozen=True)
class Place:
    """One onset: metric `strength` and `progress` through the line (both 0 to 1), chord, a pitch to meet if any."""

    strength: float
    progress: float
    chord: ChordSymbol
    reference: int | None = None


@dataclass(frozen=True)
class Line:
    """What a line should be: its pitches' bounds, centre, shape, and how it ends (`home`, `open` or `chord`).

    `taste` [onset index modulo its length, pitch - low] is the song's own preference; `blue` allows the flat third
    and seventh.
    """

    key: Key
    low: int
    high: int
    centre: float
    shape: str
    cadence: str
    taste: Floats
    blue: bool = False


def shape_at(shape: str, progress: float) -> float:
    """Height of a shape, about -1 to 1."""
    if shape == "arch":
        return math.sin(math.pi * progress) * 1.6 - 0.7
    if shape == "dip":
        return 0.6 - 1.3 * math.sin(math.pi * progress)
    if shape == "wave":
        return math.sin(2 * math.pi * progress) * 0.9
    return 0.9 - 1.7 * progress if shape == "fall" else 1.5 * progress - 0.7


@lru_cache(maxsize=8)
def _interval_costs(size: int) -> tuple[Floats, Floats]:
    """Cost of each step [from, to], and of each pair of steps [first, second, third]."""
    pitches = np.arange(size)
    moves = pitches[None, :] - pitches[:, None]
    table = np.array([*_INTERVAL_COST, *[_TOO_WIDE] * size])
    steps = table[np.abs(moves)]
    first, second = moves[:, :, None], moves[None, :, :]
    same_way = first * second > 0
    pairs = 1.4 * ((np.abs(first) >= 5) & (same_way | (np.abs(second) > 4)))
    pairs = pairs + 0.8 * ((np.abs(first) >= 3) & (np.abs(second) >= 3) & same_way)
    pairs = pairs + 1.0 * ((first == 0) & (second == 0))
    pairs = pairs + 0.4 * ((first * second < 0) & (np.abs(first) <= 2) & (np.abs(second) <= 2))  # no dithering
    return steps, np.asarray(pairs, dtype=np.float64)


def _clashing(key: Key, chord: ChordSymbol) -> frozenset[int]:
    """Scale notes that clash with an altered chord tone (G natural over E7 in A minor)."""
    altered = [tone for tone in chord.pitch_classes if tone not in key.scale]
    return frozenset((tone + side) % 12 for tone in altered for side in (-1, 1)) - frozenset(chord.pitch_classes)


@lru_cache(maxsize=20_000)
def _masks(key: Key, chord: ChordSymbol, low: int, high: int, *, blue: bool) -> tuple[Mask, Mask, Mask, Mask]:
    """Over the pitches low to high: triad tones, chord tones, notes of the scale at hand, the chord's seventh."""
    classes = np.arange(low, high + 1) % 12
    tones = chord.pitch_classes[:4]
    scale = (set(key.scale) | ({(key.tonic + 3) % 12, (key.tonic + 10) % 12} if blue else set())) - _clashing(
        key, chord
    )

    def among(wanted: Iterable[int]) -> Mask:
        table = np.zeros(12, dtype=np.bool_)
        table[list(wanted)] = True
        return np.asarray(table[classes])

    return among(tones[:3]), among(tones), among(scale), among(tones[3:])


def _place_cost(place: Place, line: Line, index: int) -> tuple[Floats, Mask]:
    """Cost of each pitch at one onset, and which are no chord tones."""
    pitches = np.arange(line.low, line.high + 1)
    _, is_tone, in_scale, is_seventh = _masks(line.key, place.chord, line.low, line.high, blue=line.blue)
    passing = 0.25 + 3.4 * max(0.0, place.strength - 0.15)
    cost = np.where(is_tone, 0.5 * place.strength * is_seventh, np.where(in_scale, passing, _FOREIGN))
    target = line.centre + 4.6 * shape_at(line.shape, place.progress)
    cost = cost + 0.09 * (pitches - target) ** 2
    if place.reference is not None:
        cost = cost + 2.4 * (pitches != place.reference)
    return cost - line.taste[index % len(line.taste), : len(pitches)], ~is_tone


def _ending_cost(place: Place, line: Line) -> Floats:
    """How badly each pitch ends the line."""
    classes = np.arange(line.low, line.high + 1) % 12
    in_triad = _masks(line.key, place.chord, line.low, line.high, blue=line.blue)[0]
    cost = np.where(in_triad, 0.0, 7.0)
    if line.cadence == "home":
        tones = place.chord.pitch_classes[:3]
        goal = line.key.tonic if line.key.tonic in tones else tones[0]
        return np.asarray(cost + 8.0 * (classes != goal))
    if line.cadence == "open":
        return np.asarray(cost + 2.0 * (classes == line.key.tonic))
    return np.asarray(cost)


def pitches_for(places: Sequence[Place], line: Line) -> list[int]:
    """The cheapest pitches for a line's onsets, one each."""
    size = line.high - line.low + 1
    steps, pairs = _interval_costs(size)
    costs, foreign = zip(*(_place_cost(place, line, index) for index, place in enumerate(places)), strict=True)
    last = costs[-1] + _ending_cost(places[-1], line)
    if len(places) == 1:
        return [line.low + int(last.argmin())]
    leaps = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]) > 2

    def move(index: int) -> Floats:
        skipped = leaps & (foreign[index][:, None] | foreign[index + 1][None, :])
        node = last if index + 2 == len(places) else costs[index + 1]
        return np.asarray(steps + 1.6 * skipped + node[None, :])

    total = costs[0][:, None] + move(0)
    back: list[npt.NDArray[np.int64]] = []
    for index in range(1, len(places) - 1):
        through = total[:, :, None] + pairs
        back.append(through.argmin(axis=0))
        total = through.min(axis=0) + move(index)
    before, final = np.unravel_index(int(total.argmin()), total.shape)
    path = [int(final), int(before)]
    for table in reversed(back):
        path.append(int(table[path[-1], path[-2]]))
    return [line.low + index for index in reversed(path)]
