"""Audio: the score played by a General MIDI soundfont and written as MP3. Offline, sample-accurate, deterministic.

The soundfont is the one that pretty_midi's wheel carries; it is used where it is installed, never copied.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from rhapsody_lib.errors import InputError, MissingExtraError
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.optional import is_installed, require
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.song.room import add_room

SAMPLE_RATE_HZ = 44_100
TAIL_S = 2.0
MAX_DURATION_S = 15 * 60.0
#: Peak of the samples before encoding; MP3 may overshoot by some tenths of a decibel and must stay below -1 dBFS.
PEAK_DBFS = -2.0
BIT_RATE_KBPS = 160
#: Of a part alone, in mono.
STEM_BIT_RATE_KBPS = 64
#: LAME's -q: 7 is a sixth of the time of 2 and hardly told from it at this rate.
LAME_EFFORT = 7
#: Frames encoded in one call, so that the copy as 16-bit integers stays small.
BLOCK_FRAMES = 65_536
SOUNDFONT_NAME = "TimGM6mb.sf2"
DRUM_CHANNEL = 9
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


def _events(score: Score, part: str) -> list[tuple[int, int, int, int]]:
    """(frame, order, pitch, velocity) of a part's notes; velocity 0 ends a note; ends come before starts."""
    events = []
    for note in score.parts[part]:
        start = round(score.seconds_at(note.start_ticks) * SAMPLE_RATE_HZ)
        end = max(start + 1, round(score.seconds_at(note.end_ticks) * SAMPLE_RATE_HZ))
        events += [(start, 1, note.pitch, note.velocity), (end, 0, note.pitch, 0)]
    return sorted(events)


def _render_part(synth: Any, score: Score, part: str, frames: int) -> np.ndarray:
    """One part alone, float32 [frames, 2], as loud as the soundfont has it."""
    channel = DRUM_CHANNEL if part == "drums" else PARTS.index(part)
    synth.program_change(channel, score.programs.get(part, 0), part == "drums")
    synth.control_change(channel, 10, MIX[part].pan)
    samples = np.zeros((frames, 2), dtype=np.float32)
    view = samples.data.cast("B")
    position, frame_bytes = 0, samples.itemsize * 2
    for frame, _, pitch, velocity in _events(score, part):
        if frame > position:
            synth.generate_simple(frame - position, buffer=view[position * frame_bytes : frame * frame_bytes])
            position = frame
        if velocity:
            synth.noteon(channel, pitch, velocity)
        else:
            synth.noteoff(channel, pitch)
    synth.generate_simple(frames - position, buffer=view[position * frame_bytes :])
    synth.sounds_off()
    return samples


def _active_level(mono: np.ndarray) -> float:
    """Root mean square of the tenths of a second that are not silent."""
    block = SAMPLE_RATE_HZ // 10
    mono = mono[: len(mono) // block * block].reshape(-1, block)
    power = np.einsum("ij,ij->i", mono, mono) / block
    active = power[power > power.max(initial=0.0) * 1e-4]
    return float(np.sqrt(active.mean())) if active.size else 0.0


def place_of(part: str, *, vocal: bool) -> Place:
    """Where a part stands in the mix of a song that a voice sings, or none."""
    place = MIX[part]
    return replace(place, level_db=place.level_db + BEHIND_VOCAL_DB) if vocal and part == "melody" else place


def _gain(mono: np.ndarray, place: Place) -> float:
    """The factor that brings a part to its level in the mix; soundfonts play instruments up to 25 dB apart."""
    level_db = 20 * np.log10(max(_active_level(mono), 1e-9) / REFERENCE_LEVEL)
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


def render_song(
    score: Score,
    *,
    vocal: np.ndarray | None = None,
    on_part: Callable[[str, np.ndarray], None] | None = None,
    soundfont: Path | None = None,
    progress: Progress = silent,
) -> Rendering:
    """Play a song.

    Each part is played alone, brought to its level and place in the mix, and the whole set in a room.

    Args:
        score: the song.
        vocal: a voice to mix in, float32 [frames_of(score)], of any level.
        on_part: given each part that sounds, alone, without the room, in mono: float32 [frames], as loud as it stands
            beside the others. Called as the parts are made, so that it may encode them meanwhile.
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
    synth = _tinysoundfont().Synth(gain=-9, samplerate=SAMPLE_RATE_HZ)
    synth.sfload(str(soundfont or find_soundfont()))
    frames = frames_of(score)
    mix = np.zeros((frames, 2), dtype=np.float32)
    send = np.zeros(frames, dtype=np.float32)
    for number, part in enumerate((*PARTS, "vocal")):
        progress(number, len(PARTS) + 2, part)
        place = place_of(part, vocal=vocal is not None)
        if part == "vocal" and vocal is not None:
            samples = np.repeat(vocal[:, None], 2, axis=1)
        elif score.parts.get(part):
            samples = _render_part(synth, score, part, frames)
        else:
            continue
        # Adding the columns is ten times as fast as a sum over the axis of two.
        mono = samples[:, 0] + samples[:, 1]
        mono *= np.float32(0.5)
        gain = np.float32(_gain(mono, place))
        mono *= gain
        samples *= gain
        mix += samples
        del samples  # a part of ten minutes is 200 MB
        send += mono * np.float32(place.room)
        if on_part:
            on_part(part, mono)
        del mono
    add_room(mix, send, SAMPLE_RATE_HZ)
    progress(len(PARTS) + 2, len(PARTS) + 2, "mix")
    return _normalised(mix)


def _normalised(samples: np.ndarray) -> Rendering:
    """The samples scaled in place to a peak of `PEAK_DBFS`, with the last tenth of a second faded out."""
    fade = min(len(samples), SAMPLE_RATE_HZ // 10)
    samples[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    peak = float(np.abs(samples).max(initial=0.0))
    gain = 10 ** (PEAK_DBFS / 20) / peak if peak > 0 else 1.0
    samples *= np.float32(gain)
    return Rendering(samples, gain)


def in_16_bits(samples: np.ndarray) -> np.ndarray:
    """Samples as 16-bit integers, if they are not yet; what is beyond -1 to 1 is cut off."""
    if samples.dtype == np.int16:
        return samples
    whole = np.empty(samples.shape, dtype="<i2")
    for start in range(0, len(samples), BLOCK_FRAMES):
        block = samples[start : start + BLOCK_FRAMES]
        whole[start : start + BLOCK_FRAMES] = np.rint(np.clip(block, -1.0, 1.0) * 32_767)
    return whole


def encode_mp3(samples: np.ndarray) -> bytes:
    """Samples as MP3 by LAME, at a constant `BIT_RATE_KBPS`, or `STEM_BIT_RATE_KBPS` in mono.

    LAME is called directly, for libsndfile offers no choice of its effort and takes six times as long. It lets other
    threads run meanwhile.

    Args:
        samples: float32 [frames, 2], or [frames] in mono; or the same `in_16_bits`.

    Raises:
        MissingExtraError: lameenc is not installed.
    """
    encoder: Any = require("lameenc").Encoder()
    encoder.set_in_sample_rate(SAMPLE_RATE_HZ)
    encoder.set_channels(samples.ndim)
    encoder.set_bit_rate(BIT_RATE_KBPS if samples.ndim == 2 else STEM_BIT_RATE_KBPS)
    encoder.set_quality(LAME_EFFORT)
    encoded = bytearray()
    for start in range(0, len(samples), BLOCK_FRAMES):
        encoded += encoder.encode(in_16_bits(samples[start : start + BLOCK_FRAMES]).tobytes())
    return bytes(encoded + encoder.flush())
