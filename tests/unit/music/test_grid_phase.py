"""Music that is steady but counted from elsewhere is found, and by how much; other music is left as it is."""

from __future__ import annotations

import io

import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.stock import stock_groove
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.grid_phase import move_to_grid, off_grid_ticks
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.note_tables import START, NoteTable, ScoreTables
from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre

BPM = 100.0
GROOVES = {
    metre: ScoreTables.of(stock_groove("pop", metre, Key(0, "major"), BPM)) for metre in ((4, 4), (3, 4), (6, 8))
}


def _late(metre: tuple[int, int], ticks: int) -> NoteTable:
    table: NoteTable = GROOVES[metre].notes.copy()
    table[START] += ticks
    return table


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(GROOVES)), st.integers(0, 4 * TICKS_PER_BEAT))
def test_how_far_the_bars_are_off_is_found_to_a_few_ticks(metre: tuple[int, int], late: int) -> None:
    told = Metre(0, *metre)
    off = off_grid_ticks(_late(metre, late), told, has_metre=False)
    wrong = (off - late) % told.bar_ticks
    assert min(wrong, told.bar_ticks - wrong) <= 6


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.sampled_from(sorted(GROOVES)))
def test_bars_begin_on_bar_lines_once_moved(off: int, metre: tuple[int, int]) -> None:
    bar_ticks = Metre(0, *metre).bar_ticks
    table = _late(metre, off)
    shift = move_to_grid(table, off % bar_ticks, bar_ticks)
    assert (off + shift) % bar_ticks == 0
    assert int(table[START].min()) + shift >= 0


def test_sixteenths_that_the_file_s_own_metre_counts_are_believed() -> None:
    assert off_grid_ticks(_late((4, 4), TICKS_PER_BEAT), Metre(0, 4, 4)) == 0
    assert off_grid_ticks(_late((4, 4), TICKS_PER_BEAT), Metre(0, 4, 4), has_metre=False) == TICKS_PER_BEAT


@pytest.mark.parametrize("notes", [8, 200])
def test_what_is_played_freely_or_too_short_stays(notes: int) -> None:
    random = np.random.default_rng(0)
    table = _late((4, 4), 55)[:, :notes].copy()
    if notes > 8:
        table[START] += random.integers(0, TICKS_PER_BEAT, table.shape[1])
    assert off_grid_ticks(table, Metre(0, 4, 4)) == 0


def test_a_file_counted_from_elsewhere_is_read_with_its_bars_on_bar_lines() -> None:
    groove = GROOVES[4, 4].score()
    file = pretty_midi.PrettyMIDI(initial_tempo=BPM, resolution=TICKS_PER_BEAT)
    beat_s = 60 / BPM
    for part, drums in (("melody", False), ("drums", True), ("piano", False), ("bass", False)):
        track = pretty_midi.Instrument(0, is_drum=drums, name=part)
        for note in groove.parts[part]:
            start_s, end_s = ((ticks + 1000) / TICKS_PER_BEAT * beat_s for ticks in (note.start_ticks, note.end_ticks))
            track.notes.append(pretty_midi.Note(note.velocity, note.pitch, start_s, end_s))
        file.instruments.append(track)
    written = io.BytesIO()
    file.write(written)
    read = midi_to_score(written.getvalue(), "late.mid")
    bar_ticks = read.metres[0].bar_ticks
    expected = sorted({note.start_ticks % bar_ticks for note in groove.parts["bass"]})
    for note in read.parts["bass"]:
        place = (note.start_ticks + 10) % bar_ticks
        assert min(abs(place - 10 - ticks) for ticks in expected) <= 6
