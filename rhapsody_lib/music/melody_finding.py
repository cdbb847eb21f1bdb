"""Which track of a MIDI file is the melody: by its name, else by the words, else by how it moves.

The rules, in this order:

1. A track that is named a melody in one of a dozen languages (`melody`, `vocal`, `Gesang`, `voz`, `мелодия`, `主旋律`),
   and not a second one (backing, harmony) or an instrument (lead guitar). Of several, the one with most notes.
2. Where the file has words: the track whose onsets meet them best, if it meets at least half.
3. The most melodic track. Candidates have at least 8 notes, a median pitch of at least 52, are no bass, and of ten
   notes at most two begin while another sounds. The one that is most like singing is taken (`likeness`): it is there
   for most of the song, moves by step, repeats pitches as words do, has one voice and stays in a singer's compass.
4. If there is no candidate: the skyline of the busiest pitched part (`music.parts`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rhapsody_lib.music.note_tables import DURATION, PITCH, START, Ints, NoteTable, ends
from rhapsody_lib.music.score import TICKS_PER_BEAT

_MELODY_NAME = re.compile(
    r"""(?<![^\W_])(?:
        melod\w* | mélod\w* | vocals? | vox | voices? | voic | lead | ld | sing\w* | sung | tune | words? | lyrics?
        | karaoke | soprano | solist\w* | guide
        | gesang\w* | stimmen? | haupt(?:stimme|melodie) | chant\w* | voix | paroles
        | voz | voces | canto | canta\w* | canción | cancion | voce | letra
        | zang | stem | sång | sang | śpiew | zpěv | laulu | ének
        | мелоди\w* | вокал\w* | голос\w* | песня | слова
    )(?![^\W_])
    | 主旋律 | 旋律 | 人[声聲] | 主唱 | 歌[声聲手]?
    | ボーカル | ヴォーカル | メロ(?:ディー?)? | 보컬 | 멜로디 | 노래""",
    re.IGNORECASE | re.VERBOSE,
)
_NOT_MELODY_NAME = re.compile(
    r"back(?:ing|ground)?|\bbg?v\b|harmon|(?:2nd|second|counter)|guitar|synth|\bpad\b|choir|chorus|drum|bass|伴|和声|和聲",
    re.IGNORECASE,
)
_MIN_NOTES, _LOWEST_MEDIAN, _MOST_POLYPHONY = 8, 52, 0.2
_NEAR_TICKS = TICKS_PER_BEAT // 8
#: Semitones between the lowest and the highest notes of a voice, the outermost tenth left out.
_COMPASS = 19
#: Fewer words than these align with anything.
_MIN_WORDS = 4


@dataclass(frozen=True)
class Candidate:
    """A pitched track that may be the melody; `is_bass` by its program."""

    name: str
    notes: NoteTable
    is_bass: bool


def is_melody_name(name: str) -> bool:
    """Whether a track's name says that it is the melody."""
    return bool(_MELODY_NAME.search(name)) and not _NOT_MELODY_NAME.search(name)


def polyphony(notes: NoteTable) -> float:
    """Share of notes that start well inside an earlier one; the notes are sorted."""
    latest = np.maximum.accumulate(ends(notes)[:-1])
    return int(np.count_nonzero(notes[START, 1:] + _NEAR_TICKS < latest)) / int(notes.shape[1])


def alignment(notes: NoteTable, words: npt.NDArray[np.int64]) -> tuple[float, float]:
    """How well a track sings the words (Dice: a note a syllable is 1), and the share of syllables on an onset."""
    slots = words // _NEAR_TICKS * _NEAR_TICKS
    begin, end = (notes[START].searchsorted(slots + shift) for shift in (-_NEAR_TICKS // 2, 3 * _NEAR_TICKS // 2))
    met = int(np.count_nonzero(begin < end))
    return 2 * met / (len(words) + notes.shape[1]), met / len(words)


def likeness(notes: NoteTable) -> float:
    """How like a sung melody a track is; the notes are sorted."""
    pitch = notes[PITCH]
    moves = np.abs(pitch[1:] - pitch[:-1])
    steps, repeats = np.count_nonzero(moves <= 2) / len(moves), np.count_nonzero(moves == 0) / len(moves)
    rising = np.sort(pitch)
    there = math.sqrt(notes.shape[1] * float(notes[DURATION].sum()))
    compass = 1.0 if _quantile(rising, 95) - _quantile(rising, 5) <= _COMPASS else 0.5
    return float(there * steps * (0.1 + repeats) * (1 - polyphony(notes)) ** 2 * compass)


def _quantile(rising: Ints, percent: int) -> float:
    """Percentile of sorted numbers, between two of them by straight line; `np.percentile` of one track is dear."""
    whole, rest = divmod((len(rising) - 1) * percent, 100)
    low, high = int(rising[whole]), int(rising[min(whole + 1, len(rising) - 1)])
    return low + (high - low) * rest / 100


def find_melody(candidates: Sequence[Candidate], word_ticks: Sequence[int]) -> int | None:
    """Index of the melody, None if no track is one.

    Args:
        candidates: pitched tracks with notes, sorted by start.
        word_ticks: where the words are sung, sorted.
    """
    named = [index for index, track in enumerate(candidates) if is_melody_name(track.name)]
    if named:
        return max(named, key=lambda index: candidates[index].notes.shape[1])
    if len(word_ticks) >= _MIN_WORDS and candidates:
        words = np.asarray(word_ticks, dtype=np.int64)
        fits = [alignment(track.notes, words) for track in candidates]
        best = max(range(len(fits)), key=lambda index: fits[index][0])
        if fits[best][1] >= 0.5:
            return best
    melodic = [
        index
        for index, track in enumerate(candidates)
        if track.notes.shape[1] >= _MIN_NOTES
        and not track.is_bass
        and _quantile(np.sort(track.notes[PITCH]), 50) >= _LOWEST_MEDIAN
        and polyphony(track.notes) <= _MOST_POLYPHONY
    ]
    return max(melodic, key=lambda index: likeness(candidates[index].notes)) if melodic else None
