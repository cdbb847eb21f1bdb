from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.music.chords import ChordSymbol, Key, parse_chord
from rhapsody_lib.music.contour import SHAPES, Line, Place, pitches_for
from tests.unit.music.music_strategies import chords, keys


def line(cadence: str = "home", shape: str = "arch", key: Key | None = None, seed: int = 0) -> Line:
    taste = np.random.default_rng(seed).normal(0, 0.5, (24, 17))
    return Line(key or Key(0, "major"), 58, 74, 66.0, shape, cadence, taste)


def places(names: list[str], notes_each: int = 4) -> list[Place]:
    total = len(names) * notes_each - 1
    return [
        Place(1.0 if i % notes_each == 0 else 0.2, i / total, parse_chord(names[i // notes_each]))
        for i in range(len(names) * notes_each)
    ]


@given(st.lists(chords, min_size=1, max_size=12), keys, st.sampled_from(SHAPES), st.integers(0, 99))
def test_one_pitch_each_within_bounds(found: list[ChordSymbol], key: Key, shape: str, seed: int) -> None:
    pitches = pitches_for([Place(0.5, i / len(found), c) for i, c in enumerate(found)], line("open", shape, key, seed))
    assert len(pitches) == len(found) and all(58 <= pitch <= 74 for pitch in pitches)


def test_downbeats_are_chord_tones_and_the_end_is_home() -> None:
    names = ["C", "Am", "F", "G7", "C"]
    for seed, shape in itertools.product(range(6), SHAPES):
        found = places(names)
        pitches = pitches_for(found, line("home", shape, seed=seed))
        strong = [(p, q) for p, q in zip(found, pitches, strict=True) if p.strength == 1.0]
        assert all(pitch % 12 in place.chord.pitch_classes for place, pitch in strong)
        assert pitches[-1] % 12 == 0


def test_motion_is_mostly_by_step_and_leaps_are_turned() -> None:
    steps, leaps, turned = 0, 0, 0
    for seed in range(20):
        pitches = pitches_for(
            places(["C", "F", "Dm", "G7", "Am", "G7", "C"]), line("home", SHAPES[seed % 5], seed=seed)
        )
        moves = [b - a for a, b in itertools.pairwise(pitches)]
        steps += sum(abs(move) <= 2 for move in moves)
        for first, second in itertools.pairwise(moves):
            if abs(first) >= 5:
                leaps += 1
                turned += first * second <= 0
    assert steps > 0.65 * 20 * 27
    assert turned >= 0.8 * leaps


def test_altered_chords_bend_the_scale() -> None:
    key = Key(9, "minor")
    for seed in range(10):
        pitches = pitches_for(places(["Am", "E7", "E7", "Am"]), line("home", "wave", key, seed))
        assert 7 not in {pitch % 12 for pitch in pitches[4:12]}


def test_reference_pitches_return() -> None:
    first = pitches_for(places(["C", "F", "G", "C"]), line("open", "arch"))
    again = [
        Place(p.strength, p.progress, p.chord, q) for p, q in zip(places(["C", "F", "G", "C"]), first, strict=True)
    ]
    again_pitches = pitches_for(again, line("open", "fall", seed=3))
    assert sum(a == b for a, b in zip(first, again_pitches, strict=True)) >= 0.8 * len(first)
