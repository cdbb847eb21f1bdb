"""Spoken syllables by eSpeak NG: phonemes of words, and their sound on one tone. Needs the extra `vocal`.

eSpeak lets its voice tremble by a state that nothing resets, so it speaks in a process of its own: the same words are
the same samples, and a word that it cannot bear is an error like others.
"""

from __future__ import annotations

import ctypes
import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import RhapsodyError
from rhapsody_lib.optional import require
from rhapsody_lib.song.voices import LATIN_VOICE, voices_of

#: Slow enough that a syllable has a vowel to be held.
WORDS_PER_MINUTE = 130
_SYNCHRONOUS, _RATE, _RANGE = 2, 1, 4
_PHONEMES, _UTF8 = 0x100, 1
_VOWEL = re.compile(r"^[',%=]*[aeiouyAEIOUVWY013@&]")
#: What is sung for a word that no voice can read, in English phonemes.
UNREAD = f"{LATIN_VOICE} @"
#: Louder than this, speech has begun; and it goes on for so many samples before and after.
_FLOOR, _MARGIN = 0.008, 200
#: A song of 120 lines is spoken in some seconds.
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Speech:
    """Spoken words: voice and phonemes of each one's syllables, and how each of them sounds, at `rate_hz`."""

    rate_hz: int
    words: list[list[str]]
    sounds: Mapping[str, NDArray[np.float64]]


def _plain(text: str, *, latin: bool) -> str:
    """The letters and digits of a text, without accents where English is read."""
    text = text.replace("’", "'").lower()
    if latin:
        text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        return re.sub(r"[^a-z0-9' ]", "", text).strip()
    kept = (
        char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char)[0] in "LMN" or char == " "
    )
    return "".join(kept).strip()


class _Speaker:
    """The synthesizer, which keeps its state in globals: one to a process."""

    def __init__(self) -> None:
        loader: Any = require("espeakng_loader")
        self._library = ctypes.cdll.LoadLibrary(loader.get_library_path())
        self.rate_hz: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, loader.get_data_path().encode(), 0)
        if self.rate_hz <= 0:
            raise RhapsodyError(
                "eSpeak NG cannot start, so no guide vocal can be sung. Reinstall it with: "
                "pip install --force-reinstall espeakng-loader. Or ask for a song without --vocal."
            )
        self._heard: list[NDArray[np.int16]] = []
        self._voice = ""
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._hear)
        library = self._library
        library.espeak_SetSynthCallback(self._callback)
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip

    def _hear(self, samples: Any, count: int, _: Any) -> int:
        if samples and count > 0:
            self._heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def _speak_as(self, voice: str) -> None:
        if voice != self._voice:
            self._voice = voice
            # Without a voice eSpeak ends the process at the next word.
            if self._library.espeak_SetVoiceByName(voice.encode()):
                self._library.espeak_SetVoiceByName(LATIN_VOICE.encode())
            self._library.espeak_SetParameter(_RATE, WORDS_PER_MINUTE, 0)
            self._library.espeak_SetParameter(_RANGE, 0, 0)

    def _phonemes(self, text: str) -> list[str]:
        """Phonemes in the language of the voice; none where eSpeak would spell it out in English instead."""
        plain = _plain(text, latin=self._voice == LATIN_VOICE)
        pointer = ctypes.c_char_p(plain.encode())
        found = self._library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, ord("_") << 8) if plain else b""
        told = found.decode(errors="replace").strip()
        return [] if "(" in told else [phoneme for phoneme in told.split("_") if phoneme.strip(" |")]

    def syllables(self, texts: tuple[str, ...], voice: str) -> list[str]:
        """Voice and phonemes of each syllable of a word, cut before each vowel's consonant; or else of each alone."""
        if not voice:
            return [UNREAD] * len(texts)
        self._speak_as(voice)
        phonemes = self._phonemes("".join(texts))
        vowels = [index for index, phoneme in enumerate(phonemes) if _VOWEL.match(phoneme)]
        if len(vowels) != len(texts):
            alone = ["".join(self._phonemes(text)) for text in texts]
            return [f"{voice} {found}" if found else UNREAD for found in alone]
        inner = [after - min(1, after - before - 1) for before, after in pairwise(vowels)]
        cuts = [0, *inner, len(phonemes)]
        return [f"{voice} {''.join(phonemes[start:end])}" for start, end in pairwise(cuts)]

    def say(self, syllable: str) -> NDArray[np.float64]:
        """The sound of a syllable on one tone, without the silence around it; empty if there is none."""
        self._heard.clear()
        voice, _, phonemes = syllable.partition(" ")
        self._speak_as(voice)
        text = f"[[{phonemes}]]".encode() + b"\0"
        self._library.espeak_Synth(text, len(text), 0, 1, 0, _UTF8 | _PHONEMES, None, None)
        self._library.espeak_Synchronize()
        samples = np.concatenate(self._heard or [np.zeros(0, np.int16)]).astype(np.float64) / 32768
        smoothed = np.convolve(np.abs(samples), np.ones(220) / 220, "same") if samples.size else samples
        loud = np.flatnonzero(smoothed > _FLOOR)
        if not len(loud):
            return np.zeros(0)
        return np.ascontiguousarray(samples[max(0, loud[0] - _MARGIN) : loud[-1] + _MARGIN])


def speak(words: Sequence[Sequence[str]]) -> Speech:
    """The words, each given by its syllables, as eSpeak says them.

    Raises:
        RhapsodyError: it cannot be started, or came to an end while it spoke.
    """
    command = [sys.executable, "-m", __name__]
    # Python looks for modules where it is started, and a folder of songs may hold anything.
    package = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(  # noqa: S603 - this very module, told no more than the words
            command, input=json.dumps(words).encode(), capture_output=True, timeout=_TIMEOUT_S, check=True, cwd=package
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = told[-1] if told else str(error)
        raise RhapsodyError(
            f"eSpeak NG failed ({reason}), so no guide vocal can be sung. Reinstall it with: "
            "pip install --force-reinstall espeakng-loader. Or ask for a song without --vocal."
        ) from error
    with np.load(io.BytesIO(done.stdout), allow_pickle=False) as found:
        told = json.loads(str(found["arr_0"]))
        sounds = {phonemes: found[f"arr_{index}"] for index, phonemes in enumerate(told["phonemes"], start=1)}
    return Speech(told["rate_hz"], told["words"], sounds)


def _main() -> None:
    """Speak the words of standard input, JSON, and write them to standard output as NumPy's archive."""
    speaker = _Speaker()
    told_words = [tuple(word) for word in json.loads(sys.stdin.buffer.read())]
    voices = voices_of(map("".join, told_words))
    words = [speaker.syllables(word, voice) for word, voice in zip(told_words, voices, strict=True)]
    phonemes = list(dict.fromkeys(each for word in words for each in word))
    sounds = [speaker.say(each) for each in phonemes]
    told = json.dumps({"rate_hz": speaker.rate_hz, "words": words, "phonemes": phonemes})
    buffer = io.BytesIO()
    np.savez(buffer, np.array(told), *sounds)
    sys.stdout.buffer.write(buffer.getvalue())


if __name__ == "__main__":
    _main()
