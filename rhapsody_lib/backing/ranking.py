"""Which of several phrases to keep: a stated score of how well a phrase can be sung and how well it holds together."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from rhapsody_lib.backing.vocabulary import QUALITY_NAMES, STEPS_PER_BEAT, Vocabulary
from rhapsody_lib.music.chords import QUALITIES
from rhapsody_lib.music.score import PARTS

#: Weights of the terms of `phrase_score`, all of which lie between about 0 and 1.
SYLLABLES, EMPTY, GROOVE, CONSONANCE, CADENCE, LEAPS, COPIED, LIKELIHOOD = 1.5, 1.0, 2.0, 0.8, 0.4, 0.6, 0.5, 0.5
HARMONY, ALIKE = 0.5, 10.0
#: Likeness of an accompaniment's bars to one another: of free playing, and of patterns.
FREE, FIRM = 0.84, 0.94
LEAST_FIRM, SAFE_FIRM = 0.2, 0.5
#: Share of chord tones on the beats of sung melodies, where the primer does not tell; more is not better.
USUAL_CONSONANCE = 0.85
#: Notes on beats that tell it.
_LEAST_STRONG = 16


@dataclass(frozen=True)
class Groove:
    """How one part plays in the primer: the onsets of its bars in steps, and its notes in a bar where it plays."""

    patterns: tuple[frozenset[int], ...]
    notes: float


@dataclass(frozen=True)
class Wanted:
    """What a phrase should be.

    Args:
        syllables: notes that its melody should have, 0 if it is not sung.
        grooves: of the parts that play in the music it is primed by.
        tonic: pitch class of the tonic triad's root in the model's key, for a phrase that ends a section; else -1.
        step: strong positions lie so many steps apart.
        copied: melody bars of the primer, as `melody_of` gives them.
        changes: changes of chord in a bar, as in the music it is primed by.
        firmness: of the music it is primed by.
        consonance: share of the primer's melody on beats that are chord tones.
        likeness: of neighbouring bars, as in the music it is primed by (`bars_alike`).
        joined: strings join, which do not play in the music it is primed by.
    """

    syllables: int
    grooves: Mapping[str, Groove]
    tonic: int
    step: int = STEPS_PER_BEAT
    copied: frozenset[tuple[tuple[int, int], ...]] = frozenset()
    changes: float = 1.0
    firmness: float = 1.0
    consonance: float = USUAL_CONSONANCE
    likeness: float = 0.0
    joined: bool = False


@dataclass
class BarNotes:
    """Notes of one bar as (step, pitch) by part, its chords, and their tones at each onset of the melody."""

    notes: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    melody_chords: list[frozenset[int]] = field(default_factory=list)
    chords: list[int] = field(default_factory=list)


def chord_tones(vocabulary: Vocabulary, chord: int) -> frozenset[int]:
    """Pitch classes of a chord's id."""
    root, quality = divmod(chord - vocabulary.starts["chord"], len(QUALITY_NAMES))
    return frozenset((root + step) % 12 for step in QUALITIES[QUALITY_NAMES[quality]])


def read_bar(vocabulary: Vocabulary, bar: Sequence[int]) -> BarNotes:
    """Notes of a bar's tokens."""
    found, step, tones = BarNotes(), 0, frozenset[int]()
    for token in bar:
        family = vocabulary.family_of[token]
        if family == "position":
            step = token - vocabulary.starts["position"]
        elif family == "chord":
            tones = chord_tones(vocabulary, token)
            found.chords.append(token)
        elif family in PARTS:
            found.notes[family].append((step, vocabulary.part_and_pitch(token)[1]))
            if family == "melody":
                found.melody_chords.append(tones)
    return found


def grooves_of(bars: Sequence[BarNotes]) -> dict[str, Groove]:
    """The grooves of the parts, save the melody, that play in more than half of the bars."""
    grooves = {}
    for part in PARTS[1:]:
        played = [bar.notes[part] for bar in bars if bar.notes[part]]
        if 2 * len(played) > len(bars):
            patterns = sorted({tuple(sorted({step for step, _ in notes})) for notes in played})
            grooves[part] = Groove(tuple(map(frozenset, patterns)), sum(map(len, played)) / len(played))
    return grooves


def safety_of(firmness: float) -> float:
    """How safely music is sampled, in [0, 1]: where patterns return the rare is a slip, not of free playing."""
    return min(1.0, max(0.0, (firmness - LEAST_FIRM) / (SAFE_FIRM - LEAST_FIRM)))


def _shared_by_pairs(onsets: Mapping[frozenset[int], int]) -> float:
    """Sum of the Jaccard similarities of all ordered pairs of bars, each with itself too; of bars by their onsets."""
    struck = np.zeros((len(onsets), 1 + max(map(max, onsets))))
    for row, steps in zip(struck, onsets, strict=True):
        row[list(steps)] = 1.0
    sizes, counts = struck.sum(axis=1), np.asarray(list(onsets.values()), dtype=np.float64)
    both = struck @ struck.T
    return float(counts @ (both / (sizes[:, None] + sizes - both)) @ counts)


def firmness_of(bars: Sequence[BarNotes]) -> float:
    """How alike the accompaniment's bars are: 1 for patterns that return, `LEAST_FIRM` for free playing.

    The mean Jaccard similarity of the onsets of each part's bars to one another. What keeps writing near the patterns
    of the primer is weighted by it: free playing that is held to its onsets becomes twice as dense, and monotonous.
    """
    likeness: list[float] = []
    for part in PARTS[1:]:
        onsets = Counter(frozenset(step for step, _ in bar.notes[part]) for bar in bars if bar.notes[part])
        count = onsets.total()
        if count > 1:
            likeness.append((_shared_by_pairs(onsets) - count) / (count * (count - 1)))
    if not likeness:
        return 1.0
    mean = sum(likeness) / len(likeness)
    return min(1.0, max(LEAST_FIRM, (mean - FREE) / (FIRM - FREE)))


def onset_shares(bars: Sequence[BarNotes], part: str) -> dict[int, float]:
    """Share of the bars in which a part strikes at a step, for each step at which it ever does."""
    counts = Counter(step for bar in bars for step in {step for step, _ in bar.notes[part]})
    return {step: counts[step] / len(bars) for step in sorted(counts)}


def chord_changes(bars: Sequence[BarNotes]) -> float:
    """Changes of chord in a bar: of two bars of one chord each there is one if they differ."""
    chords = [chord for bar in bars for chord in bar.chords]
    return sum(a != b for a, b in pairwise(chords)) / max(1, len(bars) - 1)


def bars_alike(bars: Sequence[BarNotes]) -> float:
    """Mean Jaccard similarity of neighbouring bars as sets of (part, step, pitch); 0 of a single bar."""
    held = [{(part, note) for part, notes in bar.notes.items() for note in notes} for bar in bars]
    found = [len(a & b) / max(1, len(a | b)) for a, b in pairwise(held)]
    return sum(found) / max(1, len(found))


def _strong(bars: Sequence[BarNotes], step: int) -> list[bool]:
    """Of each note of the melody on a strong position over a chord, whether it is a tone of it."""
    return [
        pitch % 12 in tones
        for bar in bars
        for (place, pitch), tones in zip(bar.notes["melody"], bar.melody_chords, strict=True)
        if place % step == 0 and tones
    ]


def consonance_of(bars: Sequence[BarNotes], step: int = STEPS_PER_BEAT) -> float:
    """Share of the melody's notes on strong positions that are chord tones; the usual one where they are too few."""
    strong = _strong(bars, step)
    return sum(strong) / len(strong) if len(strong) >= _LEAST_STRONG else USUAL_CONSONANCE


def groove_likeness(notes: Sequence[tuple[int, int]], groove: Groove) -> float:
    """Likeness of a part's bar to the bar of the primer it is most like, in [0, 1].

    The onsets' Jaccard similarity, times the square root of the ratio of the numbers of notes.
    """
    if not notes:
        return 0.0
    onsets = {step for step, _ in notes}
    shared = max(len(onsets & pattern) / len(onsets | pattern) for pattern in groove.patterns)
    ratio = min(len(notes), groove.notes) / max(len(notes), groove.notes)
    return shared * math.sqrt(ratio)


def melody_of(bar: BarNotes) -> tuple[tuple[int, int], ...]:
    """The melody of a bar as (step, pitch)."""
    return tuple(bar.notes["melody"])


def phrase_score(bars: Sequence[BarNotes], wanted: Wanted, log_probability: float) -> float:
    """How good a phrase is; higher is better.

    Args:
        bars: the phrase.
        wanted: what it should be.
        log_probability: mean log-probability of its sampled tokens.
    """
    melody = [note for bar in bars for note in bar.notes["melody"]]
    score = LIKELIHOOD * wanted.firmness * log_probability
    if wanted.syllables:
        score -= SYLLABLES * min(2.0, abs(len(melody) - wanted.syllables) / wanted.syllables)
        score -= SYLLABLES * (not bars[0].notes["melody"])
    score -= EMPTY * sum(not any(bar.notes[part] for part in PARTS[2:]) for bar in bars) / len(bars)
    likeness = [groove_likeness(bar.notes[part], groove) for part, groove in wanted.grooves.items() for bar in bars]
    score += GROOVE * wanted.firmness * sum(likeness) / max(1, len(likeness))
    strong = _strong(bars, wanted.step)
    score -= CONSONANCE * abs(wanted.consonance - (sum(strong) / len(strong) if strong else 0.5))
    leaps = [max(0, abs(b[1] - a[1]) - 5) / 7 for a, b in pairwise(melody)]
    score -= LEAPS * min(1.0, 3 * sum(leaps) / max(1, len(leaps)))
    if len(bars) > 1:
        score -= HARMONY * min(1.0, abs(chord_changes(bars) - wanted.changes))
        if wanted.firmness < 1:
            score -= ALIKE * (1 - wanted.firmness) * abs(bars_alike(bars) - wanted.likeness)
    score -= COPIED * sum(bool(melody_of(bar)) and melody_of(bar) in wanted.copied for bar in bars) / len(bars)
    if wanted.tonic >= 0 and melody:
        degree = (melody[-1][1] - wanted.tonic) % 12
        score += CADENCE * {0: 1.0, 4: 0.6, 3: 0.6, 7: 0.5}.get(degree, 0.0)
    return score
