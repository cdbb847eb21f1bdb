"""Figures of one score, to be compared with those of held-out music: none is better for being high.

All are measured on the grid (`quantise`). "Pitched" leaves the drums out. A score without the notes that a figure is
about has nan there. Groove rises with the fineness of the grid alone, so compare only figures of this module.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.vocabulary import STEP_TICKS, STEPS_PER_BEAT
from rhapsody_lib.music.chords import MAJOR_SCALE
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Metre, Score

NAN = float("nan")


def _pitch_classes(score: Score) -> NDArray[np.float64]:
    pitches = [note.pitch % 12 for part in PARTS if part != "drums" for note in score.parts[part]]
    return np.bincount(np.asarray(pitches, dtype=np.int64), minlength=12).astype(np.float64)


def pitch_class_entropy(score: Score) -> float:
    """Entropy of the pitched notes' pitch classes in bits, each note counted once; 3.58 is all twelve evenly."""
    counts = _pitch_classes(score)
    if not counts.sum():
        return NAN
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def scale_consistency(score: Score) -> float:
    """Share of pitched notes in the major (or relative natural minor) scale that holds most of them."""
    counts = _pitch_classes(score)
    if not counts.sum():
        return NAN
    return float(max(counts[[(tonic + step) % 12 for step in MAJOR_SCALE]].sum() for tonic in range(12)) / counts.sum())


def _sounding(score: Score, *, drums: bool) -> NDArray[np.int64]:
    """Notes that sound at each grid step up to the end of the last note."""
    changes = np.zeros(score.end_ticks // STEP_TICKS + 1, dtype=np.int64)
    for part in PARTS:
        if drums or part != "drums":
            for note in score.parts[part]:
                changes[note.start_ticks // STEP_TICKS] += 1
                changes[note.end_ticks // STEP_TICKS] -= 1
    return np.cumsum(changes)[:-1]


def empty_beat_rate(score: Score) -> float:
    """Share of quarter notes, up to the end of the last note, in which nothing sounds, drums included."""
    sounding = _sounding(quantise(score), drums=True)
    if not len(sounding):
        return NAN
    beats = -(-len(sounding) // STEPS_PER_BEAT)
    padded = np.pad(sounding, (0, beats * STEPS_PER_BEAT - len(sounding))).reshape(beats, STEPS_PER_BEAT)
    return float((padded.max(axis=1) == 0).mean())


def polyphony(score: Score) -> float:
    """Mean number of pitched notes that sound, over the grid steps where any does."""
    sounding = _sounding(quantise(score), drums=False)
    return float(sounding[sounding > 0].mean()) if sounding.any() else NAN


def _onsets(score: Score) -> list[NDArray[np.bool_]]:
    """For each bar, the grid steps at which any note starts."""
    starts = {note.start_ticks for part in PARTS for note in score.parts[part]}
    return [
        np.asarray([start + step in starts for step in range(0, metre.bar_ticks, STEP_TICKS)])
        for start, metre in score.bars()
    ]


def groove_consistency(score: Score) -> float:
    """One less the mean share of grid steps at which neighbouring bars of equal length differ in having an onset.

    Wu and Yang 2020, "The Jazz Transformer on the Front Line", section 4.2, at 12 steps a quarter note.
    """
    bars = _onsets(quantise(score))
    differences = [float((a != b).mean()) for a, b in pairwise(bars) if len(a) == len(b)]
    return 1.0 - float(np.mean(differences)) if differences else NAN


def _strong_ticks(metre: Metre) -> int:
    """Distance of strong beats: a dotted quarter in compound metres, a quarter note elsewhere."""
    return TICKS_PER_BEAT * 3 // 2 if metre.denominator == 8 and metre.numerator % 3 == 0 else TICKS_PER_BEAT


def chord_tone_share(score: Score) -> float:
    """Share of the melody's notes on beats that are tones of the chord named there."""
    grid = quantise(score)
    bars = list(grid.bars())
    hits = []
    for note in grid.parts["melody"]:
        start, metre = next((bar for bar in reversed(bars) if bar[0] <= note.start_ticks), bars[0])
        chord = grid.chord_at(note.start_ticks)
        if chord is not None and (note.start_ticks - start) % _strong_ticks(metre) == 0:
            hits.append(note.pitch % 12 in chord.pitch_classes)
    return float(np.mean(hits)) if hits else NAN


def score_metrics(score: Score) -> dict[str, float]:
    """All figures by name."""
    return {
        "pitch_class_entropy": pitch_class_entropy(score),
        "scale_consistency": scale_consistency(score),
        "empty_beat_rate": empty_beat_rate(score),
        "polyphony": polyphony(score),
        "groove_consistency": groove_consistency(score),
        "chord_tone_share": chord_tone_share(score),
    }
