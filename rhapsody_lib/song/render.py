"""Audio: the score played by a General MIDI soundfont and mixed. Offline, sample-accurate, deterministic.

The soundfont is the one that pretty_midi's wheel carries; it is used where it is installed, never copied.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from rhapsody_lib.errors import InputError, MissingExtraError
from rhapsody_lib.music.score import Score
from rhapsody_lib.optional import is_installed, require
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.song.mp3 import MARGIN_FRAMES, SAMPLE_RATE_HZ, STEM_RATE_HZ, halved, in_16_bits
from rhapsody_lib.song.room import add_room
from rhapsody_lib.song.takes import BLOCK_FRAMES, PartNotes, Take, mono, play_blocks

TAIL_S = 2.0
MAX_DURATION_S = 15 * 60.0
#: Peak of the samples before encoding; MP3 may overshoot by some tenths of a decibel and must stay below -1 dBFS.
PEAK_DBFS = -2.0
SOUNDFONT_NAME = "TimGM6mb.sf2"
#: Parts in the order in which they are mixed.
PLAYED = ("melody", "drums", "guitar", "bass", "vocal", "strings", "piano")
#: Root mean square of the melody in the mix, before the whole is brought to its peak.
REFERENCE_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands in the mix.

    Args:
        level_db: loudness while it plays, against the melody's.
        pan: MIDI controller 10; 64 is the middle.
        room: share that is heard from the room.
    """

    level_db: float
    pan: int
    room: float


MIX: Mapping[str, Place] = MappingProxyType(
    {
        "melody": Place(0.0, 64, 0.22),
        "drums": Place(-2.0, 64, 0.10),
        "piano": Place(-6.0, 46, 0.18),
        "guitar": Place(-7.0, 86, 0.16),
        "bass": Place(-1.5, 64, 0.0),
        "strings": Place(-9.0, 38, 0.30),
        "vocal": Place(1.0, 64, 0.20),
    }
)
#: The melody's instrument steps back by so much where a voice sings.
BEHIND_VOCAL_DB = -9.0
#: A part is made at most this much louder or quieter than the soundfont plays it.
MAX_GAIN_DB = 24.0


def find_soundfont() -> Path:
    """The General MIDI soundfont of the installed pretty_midi, found without importing it.

    Raises:
        MissingExtraError: pretty_midi is not installed or carries no soundfont.
    """
    spec = importlib.util.find_spec("pretty_midi")
    path = Path(spec.origin).parent / SOUNDFONT_NAME if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingExtraError(
            f"No soundfont ({SOUNDFONT_NAME} of pretty_midi) is installed, so no audio can be rendered. "
            "Install it with: pip install 'rhapsody[song]'. Or ask for a song without audio."
        )
    return path


def _tinysoundfont() -> Any:
    if not is_installed("tinysoundfont"):
        raise MissingExtraError(
            "'tinysoundfont' is not installed, so no audio can be rendered. Install it with: "
            "pip install --no-deps tinysoundfont (its declared dependency pyaudio is not needed). "
            "Or ask for a song without audio."
        )
    return require("tinysoundfont")


def check_audio() -> None:
    """Find out before any work is done whether audio can be rendered.

    Raises:
        MissingExtraError: tinysoundfont, lameenc or the soundfont is not installed; the message says how to install it.
    """
    _tinysoundfont()
    require("lameenc")
    find_soundfont()


def open_synth(soundfont: Path | None = None) -> Any:
    """A synthesizer that plays a General MIDI soundfont; the installed one if none is given.

    Raises:
        MissingExtraError: tinysoundfont or the soundfont is missing.
    """
    synth = _tinysoundfont().Synth(gain=-9, samplerate=SAMPLE_RATE_HZ)
    synth.sfload(str(soundfont or find_soundfont()))
    return synth


def _vocal_blocks(vocal: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(vocal), BLOCK_FRAMES):
        yield np.repeat(vocal[start : start + BLOCK_FRAMES, None], 2, axis=1)


def place_of(part: str, *, vocal: bool) -> Place:
    """Where a part stands in the mix of a song that a voice sings, or none."""
    place = MIX[part]
    return replace(place, level_db=place.level_db + BEHIND_VOCAL_DB) if vocal and part == "melody" else place


def _gain(level: float, place: Place) -> float:
    """The factor that brings a part to its level in the mix; soundfonts play instruments up to 25 dB apart."""
    level_db = 20 * np.log10(max(level, 1e-9) / REFERENCE_LEVEL)
    return float(10 ** (np.clip(place.level_db - level_db, -MAX_GAIN_DB, MAX_GAIN_DB) / 20))


def frames_of(score: Score) -> int:
    """Frames of a song's recording, with its tail."""
    return int((score.duration_s + TAIL_S) * SAMPLE_RATE_HZ) + 1


@dataclass(frozen=True, slots=True)
class Rendering:
    """A song's recording.

    Args:
        samples: float32 [frames, 2], peak `PEAK_DBFS`, with `TAIL_S` of tail.
        gain: what the sum of the parts was multiplied by to reach that peak.
    """

    samples: np.ndarray
    gain: float


class PlayedElsewhere(Protocol):
    """Parts that are played by somebody else meanwhile."""

    def take(self, part: str) -> Take | None:
        """A part as it was played there; none if it was not."""


def render_song(
    score: Score,
    *,
    vocal: np.ndarray | None = None,
    on_part: Callable[[str, np.ndarray], None] | None = None,
    elsewhere: PlayedElsewhere | None = None,
    soundfont: Path | None = None,
    progress: Progress = silent,
) -> Rendering:
    """Play a song.

    Each part is played alone, brought to its level and place in the mix, and the whole set in a room.

    Args:
        score: the song.
        vocal: a voice to mix in, float32 [frames_of(score)], of any level.
        on_part: given each part that sounds, alone, without the room, in mono at `STEM_RATE_HZ`: int16 [half of the
            frames], as loud as it stands beside the others. Called as the parts are made, so that it may encode them
            meanwhile.
        elsewhere: what plays some of the parts, if not all are played here. The recording is the same.
        soundfont: another General MIDI soundfont.
        progress: told of each part.

    Raises:
        InputError: the song is longer than `MAX_DURATION_S`.
        MissingExtraError: tinysoundfont or the soundfont is missing.
    """
    if score.duration_s > MAX_DURATION_S:
        raise InputError(
            f"The song lasts {score.duration_s / 60:.0f} minutes; audio is rendered up to {MAX_DURATION_S / 60:.0f}. "
            "Ask for fewer lines or a faster tempo, or for a song without audio."
        )
    synth, frames = open_synth(soundfont), frames_of(score)
    mix = np.zeros((frames, 2), dtype=np.float32)
    send = np.zeros((frames + 1) // 2, dtype=np.float32)
    for number, part in enumerate(PLAYED):
        progress(number, len(PLAYED) + 1, part)
        if part == "vocal" and vocal is not None:
            take = Take.of(_vocal_blocks(vocal), frames)
        elif score.parts.get(part):
            played = elsewhere.take(part) if elsewhere else None
            take = played or Take.of(play_blocks(synth, PartNotes.of(score, part), MIX[part].pan, frames), frames)
        else:
            continue
        alone = _mix_in(take, place_of(part, vocal=vocal is not None), mix, send)
        del take  # one of ten minutes is 100 MB
        if on_part:
            on_part(part, alone)
        del alone
    add_room(mix, send, STEM_RATE_HZ)
    del send
    progress(len(PLAYED) + 1, len(PLAYED) + 1, "mix")
    return _normalised(mix)


def part_alone(take: Take, place: Place) -> np.ndarray:
    """A part in mono at `STEM_RATE_HZ`, as loud as it stands beside the others: int16 [frames / 2], filled up."""
    return np.concatenate([in_16_bits(halved(mono(block))) for block in take.blocks(_gain(take.level, place))])


def _mix_in(take: Take, place: Place, mix: np.ndarray, send: np.ndarray) -> np.ndarray:
    """Add a part to the mix and to what the room gets, both in place; `part_alone`, as long as the song."""
    room = np.float32(place.room)
    alone = np.empty((len(take.steps), BLOCK_FRAMES // 2), dtype=np.int16)
    for number, block in enumerate(take.blocks(_gain(take.level, place))):
        start, count = number * BLOCK_FRAMES, min(BLOCK_FRAMES, len(mix) - number * BLOCK_FRAMES)
        mix[start : start + count] += block[MARGIN_FRAMES : MARGIN_FRAMES + count]
        half = halved(mono(block))
        alone[number] = in_16_bits(half)
        sent = send[start // 2 : start // 2 + len(half)]
        sent += half[: len(sent)] * room
    return alone.reshape(-1)[: len(send)]


def _normalised(samples: np.ndarray) -> Rendering:
    """The samples scaled in place to a peak of `PEAK_DBFS`, with the last tenth of a second faded out."""
    fade = min(len(samples), SAMPLE_RATE_HZ // 10)
    samples[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    peak = max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))  # their absolute is 200 MB more
    gain = 10 ** (PEAK_DBFS / 20) / peak if peak > 0 else 1.0
    samples *= np.float32(gain)
    return Rendering(samples, gain)
