from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.music.chords import ChordSymbol, parse_chord
from rhapsody_lib.music.voicing import lead, nearest
from tests.unit.music.music_strategies import chords


@given(chords, st.integers(3, 4))
def test_voicings_sound_the_chord_within_range(symbol: ChordSymbol, voices: int) -> None:
    pitches = lead(symbol, (), 50, 74, voices)
    assert list(pitches) == sorted(set(pitches)) and len(pitches) <= voices
    assert all(50 <= pitch <= 74 for pitch in pitches)
    assert {pitch % 12 for pitch in pitches} <= set(symbol.pitch_classes)


def test_common_progressions_move_little() -> None:
    previous = lead(parse_chord("C"), (), 55, 76, 3)
    for name in ("Am", "F", "G", "C", "Em", "Dm", "G7", "C"):
        pitches = lead(parse_chord(name), previous, 55, 76, 3)
        assert all(abs(a - b) <= 4 for a, b in zip(previous, pitches, strict=True))
        previous = pitches


def test_the_seventh_is_kept_when_the_fifth_must_go() -> None:
    assert {pitch % 12 for pitch in lead(parse_chord("G7"), (), 55, 76, 3)} == {7, 11, 5}


def test_major_sevenths_are_voiced_without_a_semitone() -> None:
    pitches = lead(parse_chord("Gmaj7"), lead(parse_chord("Am7"), (), 50, 71, 4), 50, 71, 4)
    assert all(b - a > 1 for a, b in itertools.pairwise(pitches))


@given(st.integers(0, 11), st.floats(20, 70))
def test_nearest_is_of_the_class_and_in_range(pitch_class: int, target: float) -> None:
    pitch = nearest(pitch_class, target, 28, 52)
    assert pitch % 12 == pitch_class and 28 <= pitch <= 52
    assert all(abs(pitch - target) <= abs(other - target) for other in range(28, 53) if other % 12 == pitch_class)
