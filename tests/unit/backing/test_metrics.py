"""The figures on music whose figures are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rhapsody_lib
from rhapsody_lib.backing.metrics import (
    chord_tone_share,
    empty_beat_rate,
    groove_consistency,
    pitch_class_entropy,
    polyphony,
    scale_consistency,
    score_metrics,
)
from rhapsody_lib.corpus.songbook import read_song
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Tempo, TimedChord


def _score(**parts: tuple[Note, ...]) -> Score:
    chords = (TimedChord(0, parse_chord("C")), TimedChord(1920, parse_chord("G7")))
    silent: dict[str, tuple[Note, ...]] = dict.fromkeys(PARTS, ())
    return Score("", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, 4, 4),), silent | parts, chords)


def test_known_figures() -> None:
    melody = tuple(Note(beat * 480, pitch, 480, 80) for beat, pitch in enumerate((60, 64, 67, 61, 65, 67, 71, 72)))
    score = _score(melody=melody, drums=(Note(0, 36, 480, 90),))
    assert pitch_class_entropy(score) == pytest.approx(2.5)  # C and G twice, four others once
    assert scale_consistency(score) == pytest.approx(7 / 8)
    assert empty_beat_rate(score) == 0
    assert polyphony(score) == 1
    assert groove_consistency(score) == 1
    assert chord_tone_share(score) == pytest.approx(6 / 8)  # C sharp over C and C over G7 are none


def test_gaps_and_different_bars() -> None:
    score = _score(piano=(Note(0, 60, 480, 80), Note(0, 64, 480, 80), Note(1920, 60, 480, 80), Note(2400, 60, 480, 80)))
    assert empty_beat_rate(score) == pytest.approx(3 / 6)
    assert polyphony(score) == pytest.approx(4 / 3)
    assert groove_consistency(score) == pytest.approx(1 - 1 / 48)
    assert math.isnan(chord_tone_share(score))


def test_empty_score_has_no_figures() -> None:
    assert all(math.isnan(value) for value in score_metrics(_score()).values())


def test_noise_is_told_from_music() -> None:
    """Negative controls: random pitches leave the groove, random onsets leave the pitches."""
    folder = Path(rhapsody_lib.__file__).parent / "songbook"
    score = read_songbook_track(read_song(folder / "ballad" / "bread-for-the-road.txt"))
    random = np.random.default_rng(0)
    pitches = {p: tuple(replace(n, pitch=int(random.integers(48, 80))) for n in ns) for p, ns in score.parts.items()}
    onsets = {
        p: tuple(sorted(replace(n, start_ticks=int(random.integers(0, score.end_ticks))) for n in ns))
        for p, ns in score.parts.items()
    }
    real = score_metrics(score)
    shuffled = score_metrics(replace(score, parts=pitches))
    scattered = score_metrics(replace(score, parts=onsets))
    assert shuffled["scale_consistency"] < real["scale_consistency"] - 0.2
    assert shuffled["chord_tone_share"] < real["chord_tone_share"] - 0.2
    assert scattered["groove_consistency"] < real["groove_consistency"] - 0.1
    assert scattered["pitch_class_entropy"] == pytest.approx(real["pitch_class_entropy"])
