"""A guide vocal: the words sung on the melody by a synthesizer, to learn a song by. Needs the extra `vocal`.

eSpeak NG speaks each syllable on one tone (`speech`). WORLD (Morise, Yokomori and Ozawa 2016) takes the sound apart
into pitch, spectrum and breath, and puts it together again at the pitch and length of the notes: consonants keep their
length, the vowel is held. Offline; the same samples for the same song.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.music.score import Score
from rhapsody_lib.optional import is_installed
from rhapsody_lib.song.mp3 import SAMPLE_RATE_HZ
from rhapsody_lib.song.notation import upper_voice
from rhapsody_lib.song.render import frames_of
from rhapsody_lib.song.speech import speak
from rhapsody_lib.song.syllable_notes import SyllableRun, syllable_runs
from rhapsody_lib.song.world import world

FRAME_MS = 5.0
#: The voice is a man's: a melody that lies higher in the middle is sung an octave lower.
HIGHEST_MIDDLE_PITCH = 62
VIBRATO_HZ, VIBRATO_SEMITONES, VIBRATO_AFTER_S = 5.5, 0.25, 0.3
#: So long at most a syllable's voiceless opening sounds before its beat, so that the vowel is on it.
MAX_LEAD_S = 0.12
GLIDE_S = 0.03
Samples = NDArray[np.float64]


def check_vocal() -> None:
    """Find out before any work is done whether a guide vocal can be sung.

    Raises:
        MissingExtraError: eSpeak NG or WORLD is not installed; the message says how to install them.
    """
    missing = [name for name in ("espeakng_loader", "pyworld") if not is_installed(name)]
    if missing:
        are, them = ("are", "them") if len(missing) > 1 else ("is", "it")
        raise MissingExtraError(
            f"No guide vocal can be sung, for {' and '.join(missing)} {are} not installed. Install the extra that "
            f"brings {them}: pip install 'rhapsody[vocal]' (eSpeak NG is GPL-3). Or ask for a song without --vocal."
        )


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A spoken syllable taken apart, a row a frame of `FRAME_MS`; `voiced` are its first and last frame with a tone."""

    tone: Samples
    spectrum: Samples
    breath: Samples
    voiced: tuple[int, int]


def _take_apart(sound: Samples, rate_hz: int) -> _Spoken | None:
    """None where the sound is too short or has no tone."""
    vocoder: Any = world()
    if len(sound) < rate_hz // 50:
        return None
    rough, times = vocoder.dio(sound, rate_hz, f0_floor=60.0, f0_ceil=400.0, frame_period=FRAME_MS)
    tone = vocoder.stonemask(sound, rough, times, rate_hz)
    voiced = np.flatnonzero(tone > 0)
    if len(voiced) < 4:
        return None
    spectrum = vocoder.cheaptrick(sound, tone, times, rate_hz)
    breath = vocoder.d4c(sound, tone, times, rate_hz)
    return _Spoken(tone, spectrum, breath, (int(voiced[0]), int(voiced[-1])))


def _stretched(spoken: _Spoken, frames: int) -> NDArray[np.int64]:
    """The spoken frame for each sung one: only the middle of the vowel is held; all is hurried where time is short."""
    first, last = spoken.voiced
    count = len(spoken.tone)
    hold_from, hold_to = first + 0.35 * (last - first), first + 0.7 * (last - first)
    held = frames - hold_from - (count - hold_to)
    if held < 2:
        return np.asarray(np.linspace(0, count - 1, frames).round(), dtype=np.int64)
    places = (
        np.arange(int(hold_from)),
        np.linspace(hold_from, hold_to, round(held)),
        np.arange(int(hold_to) + 1, count),
    )
    index = np.concatenate(places).round().astype(np.int64)
    padded = np.append(index[:frames], np.full(max(0, frames - len(index)), count - 1))
    return np.asarray(padded.clip(0, count - 1), dtype=np.int64)


def _melody(notes: Sequence[tuple[float, float, int]], start_s: float, frames: int) -> Samples:
    """Hertz of each frame: the notes (start, end, pitch) with short glides, and a vibrato where they are long."""
    times = start_s + np.arange(frames) * FRAME_MS / 1000
    semitones = np.full(frames, float(notes[0][2]))
    for (_, _, before), (start, _, pitch) in pairwise(notes):
        semitones += (pitch - before) * np.clip((times - start) / GLIDE_S + 0.5, 0, 1)
    for start, end, _ in notes:
        inside = (times >= start) & (times < end)
        grown = np.clip((times - start - VIBRATO_AFTER_S) / 0.2, 0, 1)
        semitones += inside * grown * VIBRATO_SEMITONES * np.sin(2 * np.pi * VIBRATO_HZ * (times - start))
    return np.asarray(440.0 * 2 ** ((semitones - 69) / 12))


def _doubled(sound: Samples) -> Samples:
    """The sound at twice its sampling rate, by its spectrum."""
    spectrum = np.fft.rfft(sound)
    return np.asarray(np.fft.irfft(np.pad(spectrum, (0, len(sound) + 1 - len(spectrum))), 2 * len(sound)) * 2)


def _sung(spoken: _Spoken, notes: Sequence[tuple[float, float, int]], rate_hz: int) -> tuple[float, Samples]:
    """(second at which it begins, samples) of a syllable on its notes."""
    vocoder: Any = world()
    lead = min(spoken.voiced[0] * FRAME_MS / 1000, MAX_LEAD_S, notes[0][0])
    begin, end = notes[0][0] - lead, max(notes[-1][1], notes[0][0] + 0.08)
    frames = max(8, round((end - begin) * 1000 / FRAME_MS))
    index = _stretched(spoken, frames)
    tone = np.where(spoken.tone[index] > 0, _melody(notes, begin, frames), 0.0)
    parts = (np.ascontiguousarray(table[index]) for table in (spoken.spectrum, spoken.breath))
    sound = vocoder.synthesize(tone, *parts, rate_hz, FRAME_MS)
    fade = min(len(sound) // 4, rate_hz // 50)
    sound[-fade:] *= np.linspace(1, 0, fade)
    return begin, sound


def _words(runs: Sequence[SyllableRun]) -> list[list[SyllableRun]]:
    words: list[list[SyllableRun]] = [[]]
    for run in runs:
        words[-1].append(run)
        if run.syllable.ends_word:
            words.append([])
    return [word for word in words if word]


def octave_shift(score: Score) -> int:
    """Semitones by which the voice sings the melody lower, so that it is in a man's range."""
    pitches = [note.pitch for note in upper_voice(score)]
    middle = float(np.median(pitches)) if pitches else 0.0
    return 12 * max(0, int(np.ceil((middle - HIGHEST_MIDDLE_PITCH) / 12)))


def sing_score(score: Score) -> NDArray[np.float32]:
    """The words of a fitted song on its melody: float32 [frames_of(score)], peak 1.

    Raises:
        MissingExtraError: the extra `vocal` is not installed.
        RhapsodyError: eSpeak NG failed.
    """
    check_vocal()
    notes, shift = upper_voice(score), octave_shift(score)
    seconds = [(score.seconds_at(n.start_ticks), score.seconds_at(n.end_ticks), n.pitch - shift) for n in notes]
    words = _words(syllable_runs(notes, score.syllables, score.sections))
    speech = speak([[run.syllable.text for run in word] for word in words])
    spoken = {phonemes: _take_apart(sound, speech.rate_hz) for phonemes, sound in speech.sounds.items()}
    out = np.zeros(frames_of(score), dtype=np.float32)
    for word, said in zip(words, speech.words, strict=True):
        for run, phonemes in zip(word, said, strict=True):
            syllable = spoken[phonemes]
            if syllable is None:
                continue
            begin, sound = _sung(syllable, seconds[run.first : run.last + 1], speech.rate_hz)
            start = round(begin * SAMPLE_RATE_HZ)
            sound = _doubled(sound)[: len(out) - start]
            out[start : start + len(sound)] += sound / max(1e-6, float(np.sqrt((sound**2).mean())))
    peak = float(np.abs(out).max(initial=0.0))
    return out / np.float32(peak) if peak else out
