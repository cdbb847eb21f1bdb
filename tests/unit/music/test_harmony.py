from __future__ import annotations

import pytest

from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.harmony import believed_key, estimate_chords, estimate_key, pitch_class_profile
from rhapsody_lib.music.score import Metre, Note


def chord_notes(names: list[str], ticks: int = 960) -> list[Note]:
    found = []
    for index, name in enumerate(names):
        symbol = parse_chord(name)
        found.append(Note(index * ticks, 36 + symbol.bass, ticks, 80))
        found += [Note(index * ticks, 60 + tone, ticks, 80) for tone in symbol.pitch_classes]
    return found


@pytest.mark.parametrize("tonic", range(12))
def test_key_of_a_cadence_in_every_key(tonic: int) -> None:
    major = [parse_chord(n).transposed(tonic).name() for n in ("C", "F", "G7", "C", "Am", "Dm", "G7", "C")]
    minor = [parse_chord(n).transposed(tonic).name() for n in ("Am", "Dm", "E7", "Am", "F", "Dm", "E7", "Am")]
    assert estimate_key(pitch_class_profile(chord_notes(major))) == Key(tonic, "major")
    assert estimate_key(pitch_class_profile(chord_notes(minor))) == Key((tonic + 9) % 12, "minor")


def test_signature_of_the_relative_major_becomes_minor() -> None:
    profile = pitch_class_profile(chord_notes(["Am", "Dm", "Em", "Am", "F", "G", "Am", "Am"]))
    assert believed_key(Key(0, "major"), profile) == Key(9, "minor")


def test_silence_is_c_major_without_chords() -> None:
    assert estimate_key(pitch_class_profile([])) == Key(0, "major")
    assert estimate_chords([], [(0, Metre(0, 4, 4))]) == ()


def test_half_bars_are_told_apart_and_repeats_merged() -> None:
    names = ["C", "Am", "F", "F", "Dm7", "G7", "C", "C"]
    metre = Metre(0, 4, 4)
    found = estimate_chords(chord_notes(names), [(bar * 1920, metre) for bar in range(4)])
    assert [chord.symbol.name() for chord in found] == ["C", "Am", "F", "Dm7", "G7", "C"]
    assert [chord.start_ticks for chord in found] == [0, 960, 1920, 3840, 4800, 5760]
