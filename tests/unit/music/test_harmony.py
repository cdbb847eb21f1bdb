from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.harmony import believed_key, chords_of, estimate_chords, estimate_key, pitch_class_profile
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


def test_notes_held_over_many_short_bars_take_little_memory() -> None:
    """A file of three kilobytes: 360 pitches held for an hour in 2/32 at 600 bpm would be 50 million entries."""
    metre, count = Metre(0, 2, 32), 60_000
    bars = [(index * metre.bar_ticks, metre) for index in range(count)]
    held = np.arange(120)
    table = np.array([held * 0, held % 88 + 20, held * 0 + count * metre.bar_ticks, held * 0 + 80, held * 0])
    peaks = []
    for _ in range(3):  # threads of other tests may be at work in the same process: the least is the function's own
        tracemalloc.start()
        try:
            found = chords_of(table, bars)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert len(found) == 1
    assert min(peaks) < 100e6


def test_chords_are_the_same_however_many_notes_are_taken_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = chord_notes(["Am", "Dm", "E7", "Am", "F", "G", "C", "C"])
    bars = [(start, Metre(0, 4, 4)) for start in range(0, 8 * 960, 1920)]
    whole = estimate_chords(notes, bars)
    monkeypatch.setattr("rhapsody_lib.music.harmony._MOST_ENTRIES", 3)
    monkeypatch.setattr("rhapsody_lib.music.harmony._MOST_WINDOWS", 2)
    assert estimate_chords(notes, bars) == whole
    assert len(whole) > 4
