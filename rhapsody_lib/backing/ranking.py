"""Which of several phrases to keep: a stated score of how well a phrase can be sung and how well it holds together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rhapsody_lib.backing.vocabulary import QUALITY_NAMES, STEPS_PER_BEAT, Vocabulary
from rhapsody_lib.music.chords import QUALITIES
from rhapsody_lib.music.score import PARTS

#: Weights of the terms of `phrase_score`, all of which lie between about 0 and 1.
SYLLABLES, EMPTY, PARTS_PRESENT, CONSONANCE, CADENCE, LEAPS, COPIED, LIKELIHOOD = 1.0, 1.0, 1.0, 0.8, 0.4, 0.6, 0.5, 0.5


@dataclass(frozen=True)
class Wanted:
    """What a phrase should be.

    Args:
        syllables: notes that its melody should have, 0 if it is not sung.
        parts: parts that play in the music it is primed by.
        tonic: pitch class of the tonic triad's root in the model's key, for a phrase that ends a section; else -1.
        step: strong positions lie so many steps apart.
        copied: melody bars of the primer, as `melody_of` gives them.
    """

    syllables: int
    parts: frozenset[str]
    tonic: int
    step: int = STEPS_PER_BEAT
    copied: frozenset[tuple[tuple[int, int], ...]] = frozenset()


@dataclass
class BarNotes:
    """Notes of one bar as (step, pitch) by part, and its chord tones at each onset of the melody."""

    notes: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    melody_chords: list[frozenset[int]] = field(default_factory=list)


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
        elif family in PARTS:
            found.notes[family].append((step, vocabulary.part_and_pitch(token)[1]))
            if family == "melody":
                found.melody_chords.append(tones)
    return found


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
    score = LIKELIHOOD * log_probability
    if wanted.syllables:
        score -= SYLLABLES * min(2.0, abs(len(melody) - wanted.syllables) / wanted.syllables)
        score -= SYLLABLES * (not bars[0].notes["melody"])
    score -= EMPTY * sum(not any(bar.notes[part] for part in PARTS[2:]) for bar in bars) / len(bars)
    playing = [sum(bool(bar.notes[part]) for bar in bars) / len(bars) for part in sorted(wanted.parts)]
    score += PARTS_PRESENT * sum(playing) / max(1, len(playing))
    strong = [
        pitch % 12 in tones
        for bar in bars
        for (step, pitch), tones in zip(bar.notes["melody"], bar.melody_chords, strict=True)
        if step % wanted.step == 0 and tones
    ]
    score += CONSONANCE * (sum(strong) / len(strong) if strong else 0.5)
    leaps = [max(0, abs(b[1] - a[1]) - 5) / 7 for a, b in pairwise(melody)]
    score -= LEAPS * min(1.0, 3 * sum(leaps) / max(1, len(leaps)))
    score -= COPIED * sum(bool(melody_of(bar)) and melody_of(bar) in wanted.copied for bar in bars) / len(bars)
    if wanted.tonic >= 0 and melody:
        degree = (melody[-1][1] - wanted.tonic) % 12
        score += CADENCE * {0: 1.0, 4: 0.6, 3: 0.6, 7: 0.5}.get(degree, 0.0)
    return score
