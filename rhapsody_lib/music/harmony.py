"""Keys and chords heard in notes, for music that does not name them.

Keys: correlation of the duration-weighted pitch-class profile with the probe-tone profiles of Krumhansl & Kessler
(1982), as in Krumhansl (1990), chapter 4. Chords: templates over pitch-class profiles (Fujishima 1999) for each half
bar, with a bonus for the root in the bass and for staying on the chord before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from rhapsody_lib.music.chords import QUALITIES, ChordSymbol, Key, Mode
from rhapsody_lib.music.note_tables import DURATION, PITCH, START, Ints, NoteTable, ends, table_of
from rhapsody_lib.music.score import Metre, Note, TimedChord

Floats = npt.NDArray[np.float64]

_MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: A key signature whose scale holds less than this share of the sounding time is not believed.
BELIEVED_SCALE_SHARE = 0.85
#: Qualities told apart, with a handicap: a richer chord must explain more than a plain one.
_HEARD = {"": 0.0, "m": 0.0, "7": 0.04, "m7": 0.05, "maj7": 0.06, "dim": 0.06, "sus4": 0.08, "m7b5": 0.07}
_BASS_BONUS = 0.18
_STAY_BONUS = 0.06
#: Notes are taken so many at a time that their windows are about as many as this, times one note's at most.
_MOST_ENTRIES = 1 << 18
#: Windows whose chords are scored at once.
_MOST_WINDOWS = 1 << 13


def profile_of(table: NoteTable) -> Floats:
    """Sounding ticks of each pitch class. Shape [12]."""
    return np.asarray(np.bincount(table[PITCH] % 12, weights=table[DURATION], minlength=12), dtype=np.float64)


def pitch_class_profile(notes: Iterable[Note]) -> Floats:
    """`profile_of` notes."""
    return profile_of(table_of(notes))


_MODES: tuple[Mode, ...] = ("major", "minor")
_KEYS = tuple(Key(tonic, mode) for mode in _MODES for tonic in range(12))
_KEY_TEMPLATES = np.array([np.roll(row, tonic) for row in (_MAJOR_PROFILE, _MINOR_PROFILE) for tonic in range(12)])
_KEY_TEMPLATES -= _KEY_TEMPLATES.mean(axis=1, keepdims=True)
_KEY_TEMPLATES /= np.linalg.norm(_KEY_TEMPLATES, axis=1, keepdims=True)


def _key_fits(profile: Floats) -> Floats:
    """Correlation of a profile with each of `_KEYS`, zeros where it is flat."""
    centred = profile - profile.sum() / 12
    length = math.sqrt(float(centred @ centred))
    return _KEY_TEMPLATES @ centred / length if length else np.zeros(len(_KEYS))


def estimate_key(profile: Floats) -> Key:
    """The best-correlated of the 24 keys; C major for silence."""
    return _KEYS[int(_key_fits(profile).argmax())]


def believed_key(signature: Key | None, profile: Floats) -> Key:
    """The key of the signature or its relative minor, unless the notes contradict it; else the estimate.

    Files state the relative major of a minor key more often than not, so the mode is always decided by ear.
    """
    if signature is None or profile.sum() <= 0:
        return signature or estimate_key(profile)
    if float(profile[list(signature.scale)].sum() / profile.sum()) < BELIEVED_SCALE_SHARE:
        return estimate_key(profile)
    if signature.mode == "major":
        relative = Key((signature.tonic + 9) % 12, "minor")
        fits = _key_fits(profile)
        return max((signature, relative), key=lambda key: fits[_KEYS.index(key)])
    return signature


def _windows(bars: Sequence[tuple[int, Metre]]) -> tuple[Ints, Ints]:
    """First ticks and end ticks of half bars where the bar halves into whole beats, else of whole bars."""
    begins: list[Ints] = []
    limits: list[Ints] = []
    for metre, run in groupby(bars, key=itemgetter(1)):
        starts = np.array([start for start, _ in run], dtype=np.int64)[:, None]
        length = metre.bar_ticks
        lines = np.array((0, length // 2, length) if metre.numerator in {4, 6, 8, 12} else (0, length))
        begins.append((starts + lines[:-1]).ravel())
        limits.append((starts + lines[1:]).ravel())
    return (begins[0], limits[0]) if len(begins) == 1 else (np.concatenate(begins), np.concatenate(limits))


def _templates() -> tuple[list[tuple[int, str]], Floats, Floats]:
    names = [(root, quality) for quality in _HEARD for root in range(12)]
    rows = np.zeros((len(names), 12))
    for row, (root, quality) in zip(rows, names, strict=True):
        row[[(root + step) % 12 for step in QUALITIES[quality]]] = 1.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return names, rows, np.array([_HEARD[quality] for _, quality in names])


_NAMES, _TEMPLATES, _HANDICAPS = _templates()
_SYMBOLS = tuple(ChordSymbol(root, quality, root) for root, quality in _NAMES)
#: What each chord's score is changed by over each bass, [pitch class x chord].
_OVER_BASS = _BASS_BONUS * (np.array([root for root, _ in _NAMES]) == np.arange(12)[:, None]) - _HANDICAPS


def _profiles(table: NoteTable, starts: Ints, limits: Ints) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Profile of each window [windows, 12] and its lowest pitch, 128 where nothing sounds."""
    profiles = np.zeros(12 * len(starts))
    lowest = np.full(len(starts), 128, dtype=np.int64)
    first = np.maximum(0, starts.searchsorted(table[START], side="right") - 1)
    counts = np.maximum(1, starts.searchsorted(ends(table)) - first)
    # A held note has an entry in each window: a small file of them would ask for gigabytes at once.
    until = np.cumsum(counts)
    cuts = until.searchsorted(np.arange(_MOST_ENTRIES, int(until[-1]), _MOST_ENTRIES), side="right")
    lines = np.unique(np.concatenate(([0], cuts, [len(counts)]))).tolist()
    for begin, end in pairwise(lines):
        chosen = slice(begin, end)
        _add_profiles(table[:, chosen], first[chosen], counts[chosen], starts, limits, profiles, lowest)
    return profiles.reshape(-1, 12), lowest


def _add_profiles(
    table: NoteTable, first: Ints, counts: Ints, starts: Ints, limits: Ints, profiles: Floats, lowest: Ints
) -> None:
    """Add some notes, each of which reaches over `counts` windows from its first on."""
    begins, stops = table[START], ends(table)
    note = np.arange(table.shape[1]).repeat(counts)
    window = np.arange(len(note)) + (first + counts - np.cumsum(counts)).take(note)
    overlap = np.minimum(limits.take(window), stops.take(note))
    overlap -= np.maximum(starts.take(window), begins.take(note))
    pitch = table[PITCH].take(note)
    sounds = overlap > 0
    if not sounds.all():
        window, pitch, overlap = (column.compress(sounds) for column in (window, pitch, overlap))
    profiles += np.bincount(window * 12 + pitch % 12, overlap, len(profiles))
    np.minimum.at(lowest, window, pitch)


def chords_of(table: NoteTable, bars: Sequence[tuple[int, Metre]]) -> tuple[TimedChord, ...]:
    """A chord for each half bar that sounds, repeated ones merged.

    Args:
        table: notes of all pitched parts, in any order.
        bars: (start tick, metre) of each bar.
    """
    if not bars or not table.size:
        return ()
    starts, limits = _windows(bars)
    profiles, lowest = _profiles(table, starts, limits)
    sounding = (lowest < 128).nonzero()[0]
    chords: list[TimedChord] = []
    previous = -1
    for begin in range(0, len(sounding), _MOST_WINDOWS):
        some = sounding[begin : begin + _MOST_WINDOWS]
        heard = profiles.take(some, axis=0)
        heard /= np.sqrt((heard * heard).sum(axis=1, keepdims=True))
        scores = heard @ _TEMPLATES.T
        scores += _OVER_BASS.take(lowest.take(some) % 12, axis=0)
        best = scores.argmax(axis=1)
        top = scores[np.arange(len(best)), best].tolist()
        score_of = scores.item
        for row, (window, choice) in enumerate(zip(starts.take(some).tolist(), best.tolist(), strict=True)):
            if choice != previous and (previous < 0 or score_of(row, previous) + _STAY_BONUS < top[row]):
                chords.append(TimedChord(window, _SYMBOLS[choice]))
                previous = choice
    return tuple(chords)


def estimate_chords(notes: Iterable[Note], bars: Sequence[tuple[int, Metre]]) -> tuple[TimedChord, ...]:
    """`chords_of` notes."""
    return chords_of(table_of(notes), bars)
