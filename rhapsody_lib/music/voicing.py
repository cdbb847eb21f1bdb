"""Chords into pitches, each voice moving as little as it can from the chord before."""

from __future__ import annotations

import itertools
from functools import lru_cache

from rhapsody_lib.music.chords import QUALITIES, ChordSymbol


def _essential(symbol: ChordSymbol, voices: int) -> tuple[int, ...]:
    """Pitch classes to sound, at most `voices`: the fifth is spared first, then the root, which the bass has."""
    steps = list(QUALITIES[symbol.quality])
    for spare in (7, 0):
        if len(steps) > voices and spare in steps:
            steps.remove(spare)
    return tuple((symbol.root + step) % 12 for step in steps[:voices])


@lru_cache(maxsize=20_000)
def lead(symbol: ChordSymbol, previous: tuple[int, ...], low: int, high: int, voices: int) -> tuple[int, ...]:
    """A close voicing of up to `voices` pitches in [low, high], nearest to `previous`.

    Without `previous`, to the middle of the range; without semitones between neighbours where that can be had. A triad
    with room for a fourth voice doubles its lowest note an octave up.
    """
    classes = sorted(set(_essential(symbol, voices)))
    middle = (low + high) / 2
    best: tuple[float, tuple[int, ...]] | None = None
    for bottom in range(low, high + 1):
        if bottom % 12 not in classes:
            continue
        pitches = sorted(bottom + (pitch_class - bottom) % 12 for pitch_class in classes)
        if len(pitches) < voices:
            pitches.append(bottom + 12)
        if pitches[-1] > high:
            continue
        centre = sum(pitches) / len(pitches)
        cost = abs(centre - middle) * (0.25 if previous else 1.0)
        cost += 6.0 * sum(upper - lower == 1 for lower, upper in itertools.pairwise(pitches))
        if previous:
            cost += sum(min(abs(pitch - other) for other in previous) for pitch in pitches)
            cost += sum(min(abs(pitch - other) for pitch in pitches) for other in previous)
        if best is None or cost < best[0]:
            best = (cost, tuple(pitches))
    return best[1] if best else (low + (symbol.root - low) % 12,)


def nearest(pitch_class: int, target: float, low: int, high: int) -> int:
    """The pitch of a class in [low, high] (at least an octave) nearest to `target`."""
    first = low + (pitch_class - low) % 12
    return min(range(first, high + 1, 12), key=lambda pitch: (abs(pitch - target), pitch))
