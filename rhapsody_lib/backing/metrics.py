"""Figures of one score, to be compared with those of held-out music: none is better for being high.

All are measured on the grid (`quantise`), those of groove, off-beats and likeness on its sixteenths. "Pitched" leaves
the drums out. A score without the notes that a figure is about has nan there. Groove rises with the fineness of the
grid alone, so compare only figures of this module.
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
#: Steps a quarter note that groove and likeness of bars are told at: sixteenths.
GROOVE_STEPS_PER_BEAT = 4
_GROOVE_TICKS = TICKS_PER_BEAT // GROOVE_STEPS_PER_BEAT


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


def _sounding(grid: Score, *, drums: bool) -> NDArray[np.int64]:
    """Notes that sound at each grid step up to the end of the last note."""
    changes = np.zeros(grid.end_ticks // STEP_TICKS + 1, dtype=np.int64)
    for part in PARTS:
        if drums or part != "drums":
            for note in grid.parts[part]:
                changes[note.start_ticks // STEP_TICKS] += 1
                changes[note.end_ticks // STEP_TICKS] -= 1
    return np.cumsum(changes)[:-1]


def empty_beat_rate(grid: Score) -> float:
    """Share of quarter notes, up to the end of the last note, in which nothing sounds, drums included."""
    sounding = _sounding(grid, drums=True)
    if not len(sounding):
        return NAN
    beats = -(-len(sounding) // STEPS_PER_BEAT)
    padded = np.pad(sounding, (0, beats * STEPS_PER_BEAT - len(sounding))).reshape(beats, STEPS_PER_BEAT)
    return float((padded.max(axis=1) == 0).mean())


def polyphony(grid: Score) -> float:
    """Mean number of pitched notes that sound, over the grid steps where any does."""
    sounding = _sounding(grid, drums=False)
    return float(sounding[sounding > 0].mean()) if sounding.any() else NAN


def note_density(score: Score, part: str) -> float:
    """Notes of a part to a quarter note of the whole score; 0 for a part that is silent in it."""
    return len(score.parts[part]) * TICKS_PER_BEAT / score.end_ticks if score.end_ticks else NAN


def _sixteenth(ticks: int) -> int:
    return (ticks + _GROOVE_TICKS // 2) // _GROOVE_TICKS


def _bar_onsets(score: Score) -> list[NDArray[np.bool_]]:
    """For each bar, the sixteenths at which any note starts."""
    starts = {_sixteenth(note.start_ticks) for part in PARTS for note in score.parts[part]}
    return [
        np.asarray([start // _GROOVE_TICKS + step in starts for step in range(metre.bar_ticks // _GROOVE_TICKS)])
        for start, metre in score.bars()
    ]


def groove_consistency(score: Score) -> float:
    """One less the mean share of sixteenths at which neighbouring bars of equal length differ in having an onset.

    Wu and Yang 2020, "The Jazz Transformer on the Front Line", section 4.2, at 4 steps a quarter note.
    """
    differences = [float((a != b).mean()) for a, b in pairwise(_bar_onsets(score)) if len(a) == len(b)]
    return 1.0 - float(np.mean(differences)) if differences else NAN


def off_eighths(score: Score) -> float:
    """Share of the moments at which a note starts that lie off the eighths: sixteenths, triplets and swing."""
    starts = {note.start_ticks for part in PARTS for note in score.parts[part]}
    return sum(start % (TICKS_PER_BEAT // 2) != 0 for start in starts) / len(starts) if starts else NAN


def _bar_likeness(score: Score) -> NDArray[np.float64]:
    """Jaccard similarity of any two bars as sets of (part, sixteenth, pitch): [bars x bars]; empty bars are alike."""
    bars = [start for start, _ in score.bars()]
    notes = [(n.start_ticks, PARTS.index(part), n.pitch) for part in PARTS for n in score.parts[part]]
    if not bars or not notes:
        return np.zeros((0, 0))
    starts, parts, pitches = (np.asarray(column) for column in zip(*notes, strict=True))
    bar = np.searchsorted(bars, starts, side="right") - 1
    step = (starts - np.asarray(bars)[bar] + _GROOVE_TICKS // 2) // _GROOVE_TICKS
    _, kinds = np.unique((step * len(PARTS) + parts) * 128 + pitches, return_inverse=True)
    held = np.zeros((len(bars), int(kinds.max()) + 1))
    held[bar, kinds] = 1
    shared, sizes = held @ held.T, held.sum(axis=1)
    union = sizes[:, None] + sizes[None, :] - shared
    likeness: NDArray[np.float64] = np.divide(shared, union, out=np.ones_like(shared), where=union > 0)
    return likeness


def bar_likeness(score: Score) -> tuple[float, float]:
    """How like a bar is to the one before it, and to that of all before it which it is most like, means over the bars.

    The first tells of vamps, the second of music that returns.
    """
    likeness = _bar_likeness(score)
    if len(likeness) < 2:
        return NAN, NAN
    nearest = [likeness[index, :index].max() for index in range(1, len(likeness))]
    return float(np.diagonal(likeness, 1).mean()), float(np.mean(nearest))


def _strong_ticks(metre: Metre) -> int:
    """Distance of strong beats: a dotted quarter in compound metres, a quarter note elsewhere."""
    return TICKS_PER_BEAT * 3 // 2 if metre.denominator == 8 and metre.numerator % 3 == 0 else TICKS_PER_BEAT


def chord_tone_share(grid: Score) -> float:
    """Share of the melody's notes on beats that are tones of the chord named there."""
    bars, hits = list(grid.bars()), []
    starts = [start for start, _ in bars]
    places = np.searchsorted(starts, [note.start_ticks for note in grid.parts["melody"]], side="right") - 1
    for note, place in zip(grid.parts["melody"], places, strict=True):
        start, metre = bars[place]
        chord = grid.chord_at(note.start_ticks)
        if chord is not None and (note.start_ticks - start) % _strong_ticks(metre) == 0:
            hits.append(note.pitch % 12 in chord.pitch_classes)
    return float(np.mean(hits)) if hits else NAN


def score_metrics(score: Score) -> dict[str, float]:
    """All figures by name.

    Raises:
        InputError: the score has a metre that the grid cannot say.
    """
    grid = quantise(score)
    likeness, returns = bar_likeness(grid)
    return {
        "pitch_class_entropy": pitch_class_entropy(grid),
        "scale_consistency": scale_consistency(grid),
        "chord_tone_share": chord_tone_share(grid),
        "groove_consistency": groove_consistency(grid),
        "off_eighths": off_eighths(grid),
        "empty_beat_rate": empty_beat_rate(grid),
        "polyphony": polyphony(grid),
        "likeness_to_last_bar": likeness,
        "likeness_to_any_bar_before": returns,
        **{f"{part}_density": note_density(grid, part) for part in PARTS},
    }
