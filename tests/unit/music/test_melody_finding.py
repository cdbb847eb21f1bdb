from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.music.melody_finding import Candidate, alignment, find_melody, is_melody_name, likeness, polyphony
from rhapsody_lib.music.note_tables import NoteTable, table_of
from rhapsody_lib.music.score import Note

SONG = (67, 67, 69, 67, 65, 65, 64, 62, 62, 64, 65, 64, 62, 60, 60, 62)
ARPEGGIO = (60, 64, 67, 72, 76, 72, 67, 64)


def line(pitches: tuple[int, ...], *, times: int = 1, step: int = 240, length: int = 220) -> NoteTable:
    return table_of(Note(i * step, pitch, length, 80) for i, pitch in enumerate(pitches * times))


@pytest.mark.parametrize(
    "name",
    ["MELODY", "Lead Vocal", "vocals 1", "vox", "Gesang", "Chant", "Voz", "canção voz", "Мелодия", "主旋律", "ボーカル",
     "보컬", "LYRICS", "Karaoke", "tenor voice", "Melody_2", "mélodie"],
)  # fmt: skip
def test_names_of_melodies(name: str) -> None:
    assert is_melody_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "Piano", "Lead Guitar", "Backing Vocals", "harmony vox", "Synth Lead", "leadership", "Voice Choir", "BRIDGE",
     "singapore drums", "和声旋律", "invoice"],
)  # fmt: skip
def test_names_of_other_tracks(name: str) -> None:
    assert not is_melody_name(name)


def test_the_named_track_wins_over_a_better_tune() -> None:
    assert find_melody([Candidate("", line(SONG), False), Candidate("voz", line(ARPEGGIO), False)], []) == 1


def test_words_find_the_track_that_sings_them() -> None:
    sung, busy = line(SONG, step=480), line(SONG, times=4, step=120)
    words = [i * 480 for i in range(16)]
    assert find_melody([Candidate("", busy, False), Candidate("", sung, False)], words) == 1


def test_singing_is_told_from_arpeggios_chords_and_basses() -> None:
    chords = table_of(sorted(Note(i * 960, pitch, 960, 80) for i in range(20) for pitch in (60, 64, 67, 72)))
    tracks = [line(ARPEGGIO, times=8), chords, line(tuple(p - 24 for p in SONG), times=2), line(SONG)]
    assert find_melody([Candidate("", table, index == 2) for index, table in enumerate(tracks)], []) == 3
    assert find_melody([Candidate("", chords, False)], []) is None
    assert find_melody([], [1, 2, 3, 4]) is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 127), st.integers(1, 900)), min_size=8, max_size=30))
def test_measures_stay_within_their_bounds(rows: list[tuple[int, int, int]]) -> None:
    table = table_of(sorted(Note(start, pitch, length, 80) for start, pitch, length in rows))
    assert 0 <= polyphony(table) < 1
    assert likeness(table) >= 0
    dice, met = alignment(table, table[0])
    assert met == 1
    assert 0 < dice <= 1
