from __future__ import annotations

import io

import numpy as np
import pytest

from rhapsody_lib.song import mp3

pytest.importorskip("lameenc")
soundfile = pytest.importorskip("soundfile")


def clicks(frames: int, rate_hz: int) -> np.ndarray:
    """A short chirp each quarter of a second, each louder than the last, and rests between them."""
    seconds = np.arange(frames) / rate_hz
    since = seconds % 0.25
    chirp = np.sin(2 * np.pi * (300 + 4000 * since) * since) * np.exp(-40 * since)
    return (chirp * (seconds + 0.2) / seconds[-1] * 0.5).astype(np.float32)


def late(decoded: np.ndarray, sound: np.ndarray) -> int:
    """Frames by which a decoded sound comes later than it should."""
    size = 2 * max(len(decoded), len(sound))
    both = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(sound, size)))
    found = int(both.argmax())
    return found if found < size // 2 else found - size


@pytest.mark.parametrize("frames", [50_001, 200_000, 441_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_decoded_is_as_long_as_what_was_encoded_and_begins_with_it(frames: int, channels: int) -> None:
    sound = clicks(frames, mp3.STEM_RATE_HZ if channels == 1 else mp3.SAMPLE_RATE_HZ)
    samples = sound if channels == 1 else np.stack([sound, sound], axis=1)
    data = mp3.encode_stem(samples) if channels == 1 else mp3.encode_recording(samples)
    decoded, _ = soundfile.read(io.BytesIO(data), always_2d=True)
    assert decoded.shape == (frames, channels)
    assert late(decoded[:, 0], sound) == 0
    assert np.corrcoef(decoded[:, 0], sound)[0, 1] > 0.98


def test_rests_take_less_in_a_part_alone() -> None:
    sound = clicks(20 * mp3.STEM_RATE_HZ, mp3.STEM_RATE_HZ)
    rest = sound.copy()
    rest[len(rest) // 3 :] = 0
    assert len(mp3.encode_stem(rest)) < 0.75 * len(mp3.encode_stem(sound))


def test_a_long_part_is_stored_in_fewer_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = clicks(20 * mp3.STEM_RATE_HZ, mp3.STEM_RATE_HZ)
    usual = len(mp3.encode_stem(sound))
    monkeypatch.setattr(mp3, "STEM_QUALITIES", ((10.0, 5), (float("inf"), 9)))
    assert len(mp3.encode_stem(sound)) < 0.95 * usual


def test_samples_in_16_bits_are_encoded_as_the_same_bytes() -> None:
    sound = np.sin(np.arange(100_000, dtype=np.float32) * 0.05) * np.float32(1.5)
    assert mp3.in_16_bits(sound).nbytes == sound.nbytes / 2
    assert mp3.encode_stem(mp3.in_16_bits(sound)) == mp3.encode_stem(sound)


@pytest.mark.parametrize(("hertz", "least", "most"), [(500, 0.999, 1.001), (8_000, 0.98, 1.02), (15_000, 0.0, 0.01)])
def test_halving_keeps_what_half_the_rate_can_hold_and_nothing_else(hertz: float, least: float, most: float) -> None:
    frames = np.arange(-mp3.MARGIN_FRAMES, 20_000 + mp3.MARGIN_FRAMES)
    wave = np.sin(2 * np.pi * hertz * frames / mp3.SAMPLE_RATE_HZ + 0.3).astype(np.float32)
    halved = mp3.halved(wave)
    assert halved.shape == (10_000,)
    assert least <= np.sqrt(2 * (halved.astype(float) ** 2).mean()) <= most
    if least:
        inside = wave[mp3.MARGIN_FRAMES : -mp3.MARGIN_FRAMES : 2]
        assert np.abs(halved - inside).max() < 0.02


@pytest.mark.parametrize("hertz", [60, 1_000, 8_000])
def test_doubling_gives_back_what_halving_kept(hertz: float) -> None:
    frames = np.arange(-mp3.MARGIN_FRAMES, 20_000 + mp3.MARGIN_FRAMES)
    wave = np.sin(2 * np.pi * hertz * frames / mp3.SAMPLE_RATE_HZ).astype(np.float32)
    again = mp3.doubled(mp3.halved(wave))
    assert again.shape == wave.shape
    inside = slice(4 * mp3.MARGIN_FRAMES, -4 * mp3.MARGIN_FRAMES)
    assert np.abs(again - wave)[inside].max() < 0.03
    assert not again[0]
