"""A room around a dry recording: convolution with a synthetic impulse response.

The response is noise that decays exponentially, darker the later, without the lows that would muddy the bass (Moorer
1979, "About this reverberation business", models a concert hall's response so). Convolution is by overlap-add of FFTs,
at half the recording's rate: what the room answers with lies far below a quarter of that rate.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rhapsody_lib.seeding import generator
from rhapsody_lib.song.mp3 import MARGIN_FRAMES, doubled

DECAY_S = 1.3
PRE_DELAY_S = 0.018
HIGH_PASS_HZ, LOW_PASS_HZ = 220.0, 5_500.0
#: Frames of input convolved at once, and of the response.
BLOCK_FRAMES = 32_768


def impulse_response(rate_hz: int) -> np.ndarray:
    """Left and right response, float32 [2, frames], each of energy 2."""
    frames = BLOCK_FRAMES
    seconds = np.arange(frames) / rate_hz
    noise = generator(0, "room").standard_normal((2, frames))
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(frames, 1 / rate_hz)
    spectrum *= (hertz / HIGH_PASS_HZ) ** 2 / (1 + (hertz / HIGH_PASS_HZ) ** 2) / (1 + (hertz / LOW_PASS_HZ) ** 2)
    response = np.fft.irfft(spectrum, frames) * 10 ** (-3 * seconds / DECAY_S)
    response *= np.clip((seconds - PRE_DELAY_S) / 0.01, 0.0, 1.0)
    response /= np.sqrt((response**2).sum(axis=1, keepdims=True) / 2)
    return response.astype(np.float32)


def add_room(samples: np.ndarray, send: np.ndarray, rate_hz: int) -> None:
    """Add to `samples` in place what a room makes of `send`.

    Args:
        samples: float32 [frames, 2] at twice the rate.
        send: float32 [frames / 2], the sound that reaches the room.
        rate_hz: of `send`.
    """
    response = np.fft.rfft(impulse_response(rate_hz), 2 * BLOCK_FRAMES)
    # NumPy lets other threads run while it transforms, so each ear has one of its own.
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda channel: _convolve(samples[:, channel], send, response[channel]), range(2)))


def _convolve(samples: np.ndarray, send: np.ndarray, response: np.ndarray) -> None:
    """Add `send` convolved with a response, given as its transform, to `samples` in place."""
    size = 2 * BLOCK_FRAMES
    for start in range(0, len(send), BLOCK_FRAMES):
        spectrum = np.fft.rfft(send[start : start + BLOCK_FRAMES], size)
        spectrum *= response
        wet = doubled(np.fft.irfft(spectrum, size))
        begin = 2 * start - MARGIN_FRAMES
        room = samples[max(0, begin) : begin + len(wet)]
        room += wet[max(0, -begin) :][: len(room)]
