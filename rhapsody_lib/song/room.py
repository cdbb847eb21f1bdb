"""A room around a dry recording: convolution with a synthetic impulse response.

The response is noise that decays exponentially, darker the later, without the lows that would muddy the bass (Moorer
1979, "About this reverberation business", models a concert hall's response so). Convolution is by overlap-add of FFTs.
"""

from __future__ import annotations

import numpy as np

from rhapsody_lib.seeding import generator

DECAY_S = 1.3
PRE_DELAY_S = 0.018
HIGH_PASS_HZ, LOW_PASS_HZ = 220.0, 5_500.0
#: Frames of input convolved at once.
BLOCK_FRAMES = 65_536


def impulse_response(rate_hz: int) -> np.ndarray:
    """Left and right response, float32 [2, frames], each of energy 1."""
    frames = BLOCK_FRAMES
    seconds = np.arange(frames) / rate_hz
    noise = generator(0, "room").standard_normal((2, frames))
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(frames, 1 / rate_hz)
    spectrum *= (hertz / HIGH_PASS_HZ) ** 2 / (1 + (hertz / HIGH_PASS_HZ) ** 2) / (1 + (hertz / LOW_PASS_HZ) ** 2)
    response = np.fft.irfft(spectrum, frames) * 10 ** (-3 * seconds / DECAY_S)
    response *= np.clip((seconds - PRE_DELAY_S) / 0.01, 0.0, 1.0)
    response /= np.sqrt((response**2).sum(axis=1, keepdims=True))
    return response.astype(np.float32)


def add_room(samples: np.ndarray, send: np.ndarray, rate_hz: int) -> None:
    """Add to `samples` in place what a room makes of `send`.

    Args:
        samples: float32 [frames, 2].
        send: float32 [frames], the sound that reaches the room.
        rate_hz: of both.
    """
    size = 2 * BLOCK_FRAMES
    response = np.fft.rfft(impulse_response(rate_hz), size)
    for start in range(0, len(send), BLOCK_FRAMES):
        spectrum = np.fft.rfft(send[start : start + BLOCK_FRAMES], size)
        for channel in range(2):
            wet = np.fft.irfft(spectrum * response[channel], size).astype(np.float32, copy=False)
            room = samples[start : start + size, channel]
            room += wet[: len(room)]
