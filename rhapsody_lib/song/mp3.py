"""MP3 by LAME: the recording in stereo at 44.1 kHz, and parts alone in mono at half of that rate.

The soundfont's own samples hold little above 11 kHz (of a part's energy at most a two-hundredth, in drums and guitar),
so a part alone loses next to nothing at 22.05 kHz, and takes a quarter of LAME's time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rhapsody_lib.optional import require
from rhapsody_lib.song.mp3_length import with_length

SAMPLE_RATE_HZ = 44_100
STEM_RATE_HZ = SAMPLE_RATE_HZ // 2
BIT_RATE_KBPS = 160
#: LAME's -q: 7 is a sixth of the time of 2 and hardly told from it at this rate.
LAME_EFFORT = 7
#: LAME's -V for a part alone up to a length in seconds, the worse the higher: of six parts together about 165, 130, 120
#: and 110 kbit/s. The page holds them all, and must stay small enough to be sent.
STEM_QUALITIES = ((150.0, 5), (180.0, 7), (240.0, 8), (float("inf"), 9))
#: Frames made 16-bit integers at once, so that the copies in between stay small.
BLOCK_FRAMES = 65_536
#: Frames encoded in one call. After each the interpreter is waited for, up to 5 ms where another thread has it.
_CALL_FRAMES = 1 << 20
_VARIABLE = 4


def _halfband() -> np.ndarray:
    """Taps 1, 3, 5, ... of a half-band low-pass filter of 31 taps, a sinc under Kaiser's window; the middle is 0.5."""
    taps = np.arange(1, 16, 2)
    window = np.kaiser(31, 7.0)[15 + taps]
    ideal = np.sin(np.pi * taps / 2) / (np.pi * taps)
    found = ideal * window
    return np.asarray(found * (0.25 / found.sum()), dtype=np.float32)


_TAPS = _halfband()
#: Samples that the filter needs before and after those it is asked for.
MARGIN_FRAMES = 2 * len(_TAPS)


def halved(samples: np.ndarray) -> np.ndarray:
    """Every second sample, after a low-pass filter at a quarter of the rate.

    Args:
        samples: float32 [`MARGIN_FRAMES` + n + `MARGIN_FRAMES`], n even.

    Returns:
        float32 [n / 2], the first at the place of the first sample after the margin.
    """
    count = len(samples) // 2 - MARGIN_FRAMES
    first = MARGIN_FRAMES // 2
    odd = np.ascontiguousarray(samples[1::2])
    out: np.ndarray = samples[MARGIN_FRAMES : MARGIN_FRAMES + 2 * count : 2] * np.float32(0.5)
    for distance, tap in enumerate(_TAPS):
        before, after = first - 1 - distance, first + distance
        out += (odd[before : before + count] + odd[after : after + count]) * tap
    return out


def doubled(samples: np.ndarray) -> np.ndarray:
    """Sound at twice its rate, by the same filter.

    Args:
        samples: float32 [n]; before and after them is silence.

    Returns:
        float32 [2 n + 2 `MARGIN_FRAMES`]; the first sample is the one at `MARGIN_FRAMES`.
    """
    taps = len(_TAPS)
    padded = np.pad(samples, 2 * taps)
    count = len(samples) + 2 * taps
    out = np.empty((count, 2), dtype=np.float32)
    out[:, 0] = padded[taps : taps + count]
    between = np.zeros(count, dtype=np.float32)
    for distance, tap in enumerate(_TAPS):
        before, after = taps - distance, taps + 1 + distance
        between += (padded[before : before + count] + padded[after : after + count]) * (2 * tap)
    out[:, 1] = between
    return out.reshape(-1)


def in_16_bits(samples: np.ndarray) -> np.ndarray:
    """Samples as 16-bit integers, if they are not yet; what is beyond -1 to 1 is cut off."""
    if samples.dtype == np.int16:
        return samples
    whole = np.empty(samples.shape, dtype="<i2")
    for start in range(0, len(samples), BLOCK_FRAMES):
        block = samples[start : start + BLOCK_FRAMES]
        whole[start : start + BLOCK_FRAMES] = np.rint(np.clip(block, -1.0, 1.0) * 32_767)
    return whole


def _encoder(rate_hz: int, channels: int) -> Any:
    encoder: Any = require("lameenc").Encoder()
    encoder.set_in_sample_rate(rate_hz)
    encoder.set_out_sample_rate(rate_hz)
    encoder.set_channels(channels)
    encoder.set_quality(LAME_EFFORT)
    encoder.silence()
    return encoder


def _encoded(encoder: Any, samples: np.ndarray) -> bytes:
    encoded = bytearray()
    for start in range(0, len(samples), _CALL_FRAMES):
        encoded += encoder.encode(in_16_bits(samples[start : start + _CALL_FRAMES]).tobytes())
    return with_length(bytes(encoded + encoder.flush()), len(samples))


def encode_recording(samples: np.ndarray) -> bytes:
    """A recording as MP3 at a constant `BIT_RATE_KBPS`, so that players find any second of it.

    LAME is called directly, for libsndfile offers no choice of its effort and takes six times as long. It lets other
    threads run meanwhile.

    Args:
        samples: float32 [frames, 2] at `SAMPLE_RATE_HZ`, at least one frame, or the same `in_16_bits`.

    Raises:
        MissingExtraError: lameenc is not installed.
    """
    encoder = _encoder(SAMPLE_RATE_HZ, 2)
    encoder.set_bit_rate(BIT_RATE_KBPS)
    return _encoded(encoder, samples)


def encode_stem(samples: np.ndarray) -> bytes:
    """A part alone as MP3 at a variable bit rate: its rests take almost nothing.

    Args:
        samples: float32 [frames] at `STEM_RATE_HZ`, at least one frame, or the same `in_16_bits`.

    Raises:
        MissingExtraError: lameenc is not installed.
    """
    encoder = _encoder(STEM_RATE_HZ, 1)
    encoder.set_vbr(_VARIABLE)
    encoder.set_vbr_quality(next(quality for most, quality in STEM_QUALITIES if len(samples) <= most * STEM_RATE_HZ))
    return _encoded(encoder, samples)
