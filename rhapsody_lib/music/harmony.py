"""Keys and chords heard in notes, for music that does not name them.

Keys: correlation of the duration-weighted pitch-class profile with the probe-tone profiles of Krumhansl & Kessler
(1982), as in Krumhansl (1990), chapter 4. Chords: templates over pitch-class profiles (Fujishima 1999) for each half
bar, with a bonus for the root in the bass and for staying on the chord before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from rhapsody_lib.music.chords import QUALITIES, ChordSymbol, Key
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


def pitch_class_profile(notes: Iterable[Note]) -> Floats:
    """Sounding ticks of each pitch class. Shape [12]."""
    profile = np.zeros(12)
    for note in notes:
        profile[note.pitch % 12] += note.duration_ticks
    return profile


def _key_fit(profile: Floats, key: Key) -> float:
    template = np.roll(_MAJOR_PROFILE if key.mode == "major" else _MINOR_PROFILE, key.tonic)
    return float(np.corrcoef(profile, template)[0, 1]) if profile.std() > 0 else 0.0


def estimate_key(profile: Floats) -> Key:
    """The best-correlated of the 24 keys; C major for silence."""
    keys = [Key(tonic, mode) for mode in ("major", "minor") for tonic in range(12)]
    return max(keys, key=lambda key: _key_fit(profile, key)) if profile.sum() > 0 else Key(0, "major")


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
        return max((signature, relative), key=lambda key: _key_fit(profile, key))
    return signature


def _windows(bars: Sequence[tuple[int, Metre]]) -> list[tuple[int, int]]:
    """Half bars where the bar halves into whole beats, else whole bars: (start, end) ticks."""
    spans = []
    for start, metre in bars:
        length = metre.bar_ticks
        if metre.numerator in {4, 6, 8, 12}:
            spans += [(start, start + length // 2), (start + length // 2, start + length)]
        else:
            spans.append((start, start + length))
    return spans


def _templates() -> tuple[list[tuple[int, str]], Floats, Floats]:
    names = [(root, quality) for quality in _HEARD for root in range(12)]
    rows = np.zeros((len(names), 12))
    for row, (root, quality) in zip(rows, names, strict=True):
        row[[(root + step) % 12 for step in QUALITIES[quality]]] = 1.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return names, rows, np.array([_HEARD[quality] for _, quality in names])


def _profiles(notes: Sequence[Note], spans: Sequence[tuple[int, int]]) -> tuple[Floats, list[int | None]]:
    """Profile of each window [windows, 12] and the pitch class of its lowest note."""
    profiles = np.zeros((len(spans), 12))
    lowest: list[int | None] = [None] * len(spans)
    starts = np.array([start for start, _ in spans])
    for note in notes:
        window = max(0, int(np.searchsorted(starts, note.start_ticks, side="right")) - 1)
        while window < len(spans) and spans[window][0] < note.end_ticks:
            start, end = spans[window]
            overlap = min(end, note.end_ticks) - max(start, note.start_ticks)
            if overlap > 0:
                profiles[window, note.pitch % 12] += overlap
                low = lowest[window]
                lowest[window] = note.pitch if low is None else min(low, note.pitch)
            window += 1
    return profiles, lowest


def estimate_chords(notes: Sequence[Note], bars: Sequence[tuple[int, Metre]]) -> tuple[TimedChord, ...]:
    """A chord for each half bar that sounds, repeated ones merged. `notes`: of all pitched parts, in any order."""
    spans = _windows(bars)
    if not spans or not notes:
        return ()
    names, templates, handicaps = _templates()
    roots = np.array([root for root, _ in names])
    profiles, lowest = _profiles(notes, spans)
    chords: list[TimedChord] = []
    previous = -1
    for (start, _), profile, low in zip(spans, profiles, lowest, strict=True):
        if low is None or not profile.any():
            continue
        scores = templates @ (profile / np.linalg.norm(profile)) - handicaps + _BASS_BONUS * (roots == low % 12)
        if previous >= 0:
            scores[previous] += _STAY_BONUS
        best = int(np.argmax(scores))
        if best != previous:
            root, quality = names[best]
            chords.append(TimedChord(start, ChordSymbol(root, quality, root)))
        previous = best
    return tuple(chords)
