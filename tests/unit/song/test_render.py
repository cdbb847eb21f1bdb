from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest

from rhapsody_lib.errors import InputError, MissingExtraError
from rhapsody_lib.music.score import PARTS, Tempo
from rhapsody_lib.song import mp3, render
from rhapsody_lib.song.stems import Stems
from tests.unit.song.song_samples import sample_score

pytest.importorskip("tinysoundfont")
pytest.importorskip("lameenc")
soundfile = pytest.importorskip("soundfile")
SHORT = (("verse 1", 1),)


def test_mp3_is_stereo_complete_and_not_clipped() -> None:
    score = sample_score(SHORT)
    samples, rate = soundfile.read(io.BytesIO(mp3.encode_recording(render.render_song(score).samples)))
    assert rate == 44_100
    assert samples.shape[1] == 2
    assert abs(len(samples) / rate - score.duration_s - render.TAIL_S) < 0.1
    assert 0.5 < np.abs(samples).max() <= 10 ** (-1 / 20)
    assert np.abs(samples[-1000:]).max() < 1e-3


def test_same_song_same_bytes() -> None:
    score = sample_score(SHORT)
    first, second = (mp3.encode_recording(render.render_song(score).samples) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_heard(part: str) -> None:
    score = sample_score(SHORT)
    alone = replace(score, parts={name: notes if name == part else () for name, notes in score.parts.items()})
    samples = render.render_song(alone).samples
    start = int(score.seconds_at(score.parts[part][0].start_ticks) * 44_100)
    assert np.sqrt((samples[start : start + 44_100] ** 2).mean()) > 0.003


def test_notes_sound_at_their_time() -> None:
    score = sample_score(SHORT, melody=True)
    late = replace(score, parts={**dict.fromkeys(PARTS, ()), "bass": (score.parts["bass"][1],)})
    samples = render.render_song(late).samples
    onset = int(score.seconds_at(score.parts["bass"][1].start_ticks) * 44_100)
    assert np.abs(samples[: onset - 1]).max() == 0
    assert np.abs(samples[onset : onset + 4410]).max() > 0.05


def test_silence_is_written_as_silence() -> None:
    silent = replace(sample_score(SHORT), parts=dict.fromkeys(PARTS, ()))
    samples, _ = soundfile.read(io.BytesIO(mp3.encode_recording(render.render_song(silent).samples)))
    assert np.abs(samples).max() < 1e-4


def test_endless_song_is_refused() -> None:
    with pytest.raises(InputError, match="minutes"):
        render.render_song(replace(sample_score(SHORT), tempi=(Tempo(0, 0.5),)))


def test_missing_pieces_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(render, "is_installed", lambda module: False)
        with pytest.raises(MissingExtraError, match="--no-deps tinysoundfont"):
            render.render_song(sample_score(SHORT))
    monkeypatch.setattr(render, "SOUNDFONT_NAME", "no-such.sf2")
    with pytest.raises(MissingExtraError, match=r"rhapsody\[song\]"):
        render.find_soundfont()


@pytest.mark.parametrize("module", ["tinysoundfont", "lameenc"])
def test_what_audio_needs_is_missed_before_any_work(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    render.check_audio()
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(render, "is_installed", lambda name: name != module)
    with pytest.raises(MissingExtraError, match=f"'{module}' is not installed.*pip install"):
        render.check_audio()


def test_a_missing_soundfont_is_missed_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SOUNDFONT_NAME", "none.sf2")
    with pytest.raises(MissingExtraError, match=r"none\.sf2"):
        render.check_audio()


def test_the_parts_alone_add_up_to_the_mix_without_its_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "add_room", lambda *_: None)
    score = sample_score(SHORT)
    parts: dict[str, np.ndarray] = {}
    voice = np.sin(np.arange(render.frames_of(score), dtype=np.float32) * 0.05)
    rendering = render.render_song(score, vocal=voice, on_part=parts.__setitem__)
    assert sorted(parts) == sorted([*PARTS, "vocal"])
    edge = np.zeros(mp3.MARGIN_FRAMES)
    mono = mp3.halved(np.concatenate([edge, rendering.samples.mean(axis=1)[:200_000], edge]).astype(np.float32))
    inside = slice(100, -100)
    whole = sum(part.astype(np.float32) for part in parts.values()) / 32_767
    assert np.allclose(whole[: len(mono)][inside] * rendering.gain, mono[inside], atol=5e-4)
    alone: dict[str, np.ndarray] = {}
    render.render_song(score, on_part=alone.__setitem__)
    quieter = float(parts["melody"].max()) / float(alone["melody"].max())
    assert 20 * np.log10(quieter) == pytest.approx(render.BEHIND_VOCAL_DB, abs=0.1)


def test_a_part_alone_is_mono_and_as_long_as_the_song() -> None:
    score = sample_score(SHORT)
    with Stems() as stems:
        render.render_song(score, on_part=stems.add)
        files = stems.files()
    assert set(files) == {f"stems/{part}.mp3" for part in PARTS}
    for data in files.values():
        samples, rate = soundfile.read(io.BytesIO(data))
        assert (samples.ndim, rate) == (1, mp3.STEM_RATE_HZ)
        assert len(samples) == (render.frames_of(score) + 1) // 2
        assert np.abs(samples).max() > 0.01
