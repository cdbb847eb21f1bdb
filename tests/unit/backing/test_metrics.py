"""The figures on music whose figures are known, worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rhapsody_lib
from rhapsody_lib.backing.controls import CONTROLS
from rhapsody_lib.backing.metrics import (
    bar_likeness,
    chord_tone_share,
    empty_beat_rate,
    groove_consistency,
    note_density,
    off_eighths,
    pitch_class_entropy,
    polyphony,
    scale_consistency,
    score_metrics,
)
from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.corpus.songbook import read_song
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.score import PART_RANGES, PARTS, Metre, Note, Score, Tempo, TimedChord


def _score(metre: tuple[int, int] = (4, 4), **parts: tuple[Note, ...]) -> Score:
    chords = (TimedChord(0, parse_chord("C")), TimedChord(1920, parse_chord("G7")))
    silent: dict[str, tuple[Note, ...]] = dict.fromkeys(PARTS, ())
    return Score("", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, *metre),), silent | parts, chords)


def test_known_figures() -> None:
    melody = tuple(Note(beat * 480, pitch, 480, 80) for beat, pitch in enumerate((60, 64, 67, 61, 65, 67, 71, 72)))
    score = _score(melody=melody, drums=(Note(0, 36, 480, 90),))
    assert pitch_class_entropy(score) == pytest.approx(2.5)  # C and G twice, four others once
    assert scale_consistency(score) == pytest.approx(7 / 8)
    assert empty_beat_rate(score) == 0
    assert polyphony(score) == 1
    assert groove_consistency(score) == 1
    assert chord_tone_share(score) == pytest.approx(6 / 8)  # C sharp over C and C over G7 are none
    assert off_eighths(score) == 0
    assert (note_density(score, "melody"), note_density(score, "drums"), note_density(score, "bass")) == (1, 1 / 8, 0)
    assert bar_likeness(score) == (0, 0)  # G on beat 3 of bar 1 is on beat 2 of bar 2


def test_gaps_and_different_bars() -> None:
    score = _score(piano=(Note(0, 60, 480, 80), Note(0, 64, 480, 80), Note(1920, 60, 480, 80), Note(2400, 60, 480, 80)))
    assert empty_beat_rate(score) == pytest.approx(3 / 6)
    assert polyphony(score) == pytest.approx(4 / 3)
    assert groove_consistency(score) == pytest.approx(1 - 1 / 16)  # at one sixteenth of sixteen
    assert math.isnan(chord_tone_share(score))
    assert bar_likeness(score) == (pytest.approx(1 / 3), pytest.approx(1 / 3))  # one of {C, E, C on 2} is in both


def test_a_score_that_ends_on_a_bar_line_has_no_bar_or_beat_after_it() -> None:
    """Where libraries go wrong: a phantom bar lowers groove, one beat too many raises the empty ones."""
    bar = tuple(Note(beat * 480, 60, 480, 80) for beat in range(4))
    score = _score(piano=(*bar, *(replace(note, start_ticks=note.start_ticks + 1920) for note in bar)))
    assert groove_consistency(score) == 1
    assert empty_beat_rate(score) == 0
    assert empty_beat_rate(_score(piano=(Note(960, 60, 480, 80),))) == pytest.approx(2 / 3)


def test_three_bars_of_which_the_third_returns() -> None:
    first, second = Note(0, 60, 360, 80), Note(1440, 62, 360, 80)
    third = replace(first, start_ticks=2880)
    score = _score((3, 4), piano=(first, second, third))
    assert bar_likeness(score) == (0, pytest.approx(1 / 2))  # the second is like none, the third like the first
    assert groove_consistency(score) == 1


def test_triplets_and_sixteenths_are_off_the_eighths() -> None:
    score = _score(piano=(Note(0, 60, 80, 80), Note(160, 60, 80, 80), Note(240, 60, 60, 80), Note(360, 60, 60, 80)))
    assert off_eighths(score) == pytest.approx(2 / 4)


def test_empty_score_has_no_figures() -> None:
    assert all(math.isnan(value) for value in score_metrics(_score()).values())


@pytest.fixture(scope="module")
def song() -> Score:
    folder = Path(rhapsody_lib.__file__).parent / "songbook"
    return read_songbook_track(read_song(folder / "swing" / "umbrella-weather.txt"))


def test_each_control_spoils_its_own_figures(song: Score) -> None:
    real, random = score_metrics(song), np.random.default_rng(0)
    pitches, onsets, eighths = (score_metrics(spoil(song, random)) for spoil in CONTROLS.values())
    assert pitches["scale_consistency"] < real["scale_consistency"] - 0.2
    assert pitches["chord_tone_share"] < real["chord_tone_share"] - 0.2
    assert pitches["groove_consistency"] == pytest.approx(real["groove_consistency"])
    assert pitches["off_eighths"] == pytest.approx(real["off_eighths"])
    assert onsets["groove_consistency"] < real["groove_consistency"] - 0.02
    assert onsets["likeness_to_last_bar"] < real["likeness_to_last_bar"] - 0.1
    assert onsets["pitch_class_entropy"] == pytest.approx(real["pitch_class_entropy"], abs=0.02)
    assert real["off_eighths"] > 0.2
    assert eighths["off_eighths"] == 0
    assert eighths["scale_consistency"] == pytest.approx(real["scale_consistency"], abs=0.02)


def test_what_is_spoilt_stays_in_range_and_on_the_grid(song: Score) -> None:
    for spoil in CONTROLS.values():
        spoilt = spoil(song, np.random.default_rng(0))
        for part, (low, high) in PART_RANGES.items():
            assert all(low <= note.pitch <= high for note in spoilt.parts[part])
        assert quantise(spoilt).parts == spoilt.parts
