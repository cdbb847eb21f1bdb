"""Music that is steady but counted from elsewhere is found, and by how much; other music is left as it is."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.primer import Primer, transposed_opening
from rhapsody_lib.backing.stock import stock_groove
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.grid_phase import moved_to_grid, off_grid_ticks
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.note_tables import DURATION, PART, START, NoteTable, ScoreTables, in_order
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Metre, Score

BPM = 100.0
JITTER_TICKS = 8
GROOVES = {
    metre: ScoreTables.of(stock_groove("pop", metre, Key(0, "major"), BPM)) for metre in ((4, 4), (3, 4), (6, 8))
}


def _late(metre: tuple[int, int], ticks: int) -> NoteTable:
    table: NoteTable = GROOVES[metre].notes.copy()
    table[START] += ticks
    return table


def _played(table: NoteTable, seed: int) -> NoteTable:
    """Notes as a player strikes them: some ticks early or late."""
    jitter = np.random.default_rng(seed).integers(-JITTER_TICKS, JITTER_TICKS + 1, table.shape[1])
    played = table.copy()
    played[START] = np.maximum(0, table[START] + jitter)
    return in_order(played)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(GROOVES)), st.integers(0, 4 * TICKS_PER_BEAT))
def test_how_far_the_bars_are_off_is_found_to_a_few_ticks(metre: tuple[int, int], late: int) -> None:
    told = Metre(0, *metre)
    off = off_grid_ticks(_late(metre, late), told, has_metre=False)
    wrong = (off - late) % told.bar_ticks
    assert min(wrong, told.bar_ticks - wrong) <= 6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9999), st.sampled_from(sorted(GROOVES)), st.integers(0, 99))
def test_bars_begin_on_bar_lines_once_moved(late: int, metre: tuple[int, int], seed: int) -> None:
    told = Metre(0, *metre)
    table = _played(_late(metre, late), seed)
    moved, shift = moved_to_grid(table, off_grid_ticks(table, told, has_metre=False), told.bar_ticks)
    wrong = (late + shift) % told.bar_ticks
    assert min(wrong, told.bar_ticks - wrong) <= 6
    assert int(moved[START].min()) >= 0
    assert moved.shape == table.shape


@pytest.mark.parametrize("seed", range(5))
def test_a_first_note_that_comes_early_moves_nothing_a_bar_on(seed: int) -> None:
    metre, late = Metre(0, 4, 4), 500
    table = _played(_late((4, 4), late), seed)
    off = off_grid_ticks(table, metre, has_metre=False)
    table[START, 0] = off - JITTER_TICKS
    moved, shift = moved_to_grid(table, off, metre.bar_ticks)
    assert shift == -off
    assert int(moved[START].min()) == 0
    assert (np.diff(moved[START]) >= 0)[np.diff(moved[PART]) == 0].all()


@pytest.mark.parametrize("late", [20, 60, 700])
def test_a_file_that_names_its_metre_is_moved_no_further_than_it_must(late: int) -> None:
    """Halves of the bar that are as good as one another: the nearer is the bar line."""
    beats = np.arange(64) * TICKS_PER_BEAT
    table = np.array([beats, beats % 7 + 60, beats * 0 + 240, beats * 0 + 80, beats * 0])
    table[DURATION, ::2] += 240
    table[DURATION, 2::4] += 1  # the third beat fits a trace better than the first
    table[START] += late
    assert off_grid_ticks(table, Metre(0, 4, 4)) == late


def test_sixteenths_that_the_file_s_own_metre_counts_are_believed() -> None:
    assert off_grid_ticks(_late((4, 4), TICKS_PER_BEAT), Metre(0, 4, 4)) == 0
    assert off_grid_ticks(_late((4, 4), TICKS_PER_BEAT), Metre(0, 4, 4), has_metre=False) == TICKS_PER_BEAT


def test_a_file_with_nearly_all_notes_between_the_eighths_is_counted_from_elsewhere() -> None:
    eighths = np.arange(256) * (TICKS_PER_BEAT // 2)
    table = np.array([eighths, eighths % 7 + 60, eighths * 0 + 200, eighths * 0 + 80, eighths * 0])
    sixteenth = TICKS_PER_BEAT // 4
    table[START] += sixteenth
    assert off_grid_ticks(table, Metre(0, 4, 4)) % (2 * sixteenth) == sixteenth
    table[START, ::3] -= sixteenth  # syncopation
    assert off_grid_ticks(table, Metre(0, 4, 4)) == 0


def test_swing_is_on_the_grid() -> None:
    beats = np.arange(128) * TICKS_PER_BEAT
    onsets = np.sort(np.concatenate([beats, beats[::2] + TICKS_PER_BEAT * 2 // 3]))
    table = np.array([onsets, onsets % 7 + 60, onsets * 0 + 200, onsets * 0 + 80, onsets * 0])
    assert off_grid_ticks(table, Metre(0, 4, 4)) == 0


@pytest.mark.parametrize("late", [55, 400])
def test_a_players_loose_time_is_found_too(late: int) -> None:
    random = np.random.default_rng(1)
    table = _late((4, 4), late)
    table[START] = np.maximum(0, table[START] + np.rint(random.normal(0, 15, table.shape[1])).astype(int))
    off = off_grid_ticks(in_order(table), Metre(0, 4, 4))
    assert abs(off - late) <= 8


@pytest.mark.parametrize("notes", [8, 200])
def test_what_is_played_freely_or_too_short_stays(notes: int) -> None:
    random = np.random.default_rng(0)
    table = _late((4, 4), 55)[:, :notes].copy()
    if notes > 8:
        table[START] += random.integers(0, TICKS_PER_BEAT, table.shape[1])
    assert off_grid_ticks(table, Metre(0, 4, 4)) == 0


def _file(score: Score, late: int, *, seed: int | None = None, tempo_tick: int = 0) -> bytes:
    """A file as another program writes it: no metre, all notes late, as played if there is a seed."""
    table = ScoreTables.of(score).notes.copy()
    table[START] += late
    played = ScoreTables(score, table if seed is None else _played(table, seed)).score()
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT)
    tempo = mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(BPM), time=tempo_tick)
    file.tracks.append(mido.MidiTrack([tempo]))
    for index, part in enumerate(PARTS):
        channel = 9 if part == "drums" else index
        events = [(n.start_ticks, True, n.pitch, n.velocity) for n in played.parts[part]]
        events += [(n.end_ticks, False, n.pitch, 0) for n in played.parts[part]]
        program = mido.Message("program_change", program=score.programs[part], channel=channel)
        track, now = mido.MidiTrack([mido.MetaMessage("track_name", name=part), program]), 0
        for ticks, on, pitch, velocity in sorted(events):
            kind = "note_on" if on else "note_off"
            track.append(mido.Message(kind, note=pitch, velocity=velocity, channel=channel, time=ticks - now))
            now = ticks
        file.tracks.append(track)
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def test_a_file_counted_from_elsewhere_is_read_with_its_bars_on_bar_lines() -> None:
    groove = GROOVES[4, 4].score()
    read = midi_to_score(_file(groove, 1000), "late.mid")
    bar_ticks = read.metres[0].bar_ticks
    expected = sorted({note.start_ticks % bar_ticks for note in groove.parts["bass"]})
    for note in read.parts["bass"]:
        place = (note.start_ticks + 10) % bar_ticks
        assert min(abs(place - 10 - ticks) for ticks in expected) <= 6


@pytest.mark.parametrize("tempo_tick", [0, 5, 1000])
def test_a_tempo_set_by_where_the_music_begins_is_the_song_s(tempo_tick: int) -> None:
    read = midi_to_score(_file(GROOVES[4, 4].score(), 1000, tempo_tick=tempo_tick), "late.mid")
    assert [(tempo.start_ticks, round(tempo.bpm)) for tempo in read.tempi] == [(0, BPM)]


def test_the_default_tempo_stands_where_the_first_is_named_after_the_first_note() -> None:
    read = midi_to_score(_file(GROOVES[4, 4].score(), 1000, tempo_tick=1000 + 4800), "late.mid")
    assert [round(tempo.bpm) for tempo in read.tempi] == [120, BPM]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("late", [0, 1000])
def test_the_opening_of_a_song_that_is_played_is_its_first_bars_with_all_instruments(seed: int, late: int) -> None:
    """A player's haste at a bar line makes no bar, and loses no note."""
    groove = GROOVES[4, 4].score()
    primer = Primer.of(Vocabulary(()), midi_to_score(_file(groove, late, seed=seed), "played.mid"))
    bars = primer.opening_bars(2)
    opening = transposed_opening(primer.played, bars, 0)
    length = 4 * TICKS_PER_BEAT
    assert bars == [0, 1]
    for part in ("drums", "bass"):
        expected = sum(note.start_ticks < 2 * length for note in groove.parts[part])
        assert len(opening[part]) == expected > 0, part
        assert all(0 <= note.start_ticks < 2 * length for note in opening[part])
    assert sum(map(bool, opening.values())) >= 4
