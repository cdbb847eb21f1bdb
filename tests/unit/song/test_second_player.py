from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rhapsody_lib.music.score import Note
from rhapsody_lib.song import mp3, render, second_player
from rhapsody_lib.song.second_player import PARTS_ELSEWHERE, SecondPlayer
from tests.unit.song.song_samples import sample_score

pytest.importorskip("tinysoundfont")
pytest.importorskip("lameenc")
SCORE = sample_score((("verse 1", 1),))


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_player, "available_processors", lambda: 2)
    monkeypatch.setattr(second_player, "SHORTEST_FRAMES", 1)


def test_parts_played_elsewhere_are_the_same_samples_and_the_same_files() -> None:
    alone: dict[str, np.ndarray] = {}
    here = render.render_song(SCORE, on_part=alone.__setitem__)
    with SecondPlayer(SCORE, vocal=False) as second:
        both = render.render_song(SCORE, elsewhere=second)
    assert set(second.files) == set(PARTS_ELSEWHERE)
    assert np.array_equal(here.samples, both.samples)
    assert all(second.files[part] == mp3.encode_stem(alone[part]) for part in PARTS_ELSEWHERE)


@pytest.mark.parametrize(
    "script", ["import sys; sys.exit(3)", "print('[1')", "import sys; sys.stdin.read(); print('[\"strings\", 4, 9]')"]
)
def test_where_the_process_fails_the_parts_are_played_here(
    script: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = second_player.subprocess.Popen
    monkeypatch.setattr(
        second_player.subprocess, "Popen", lambda _, **named: real([sys.executable, "-c", script], **named)
    )
    here = render.render_song(SCORE)
    with caplog.at_level(logging.DEBUG, second_player.logger.name), SecondPlayer(SCORE, vocal=False) as second:
        both = render.render_song(SCORE, elsewhere=second)
    assert np.array_equal(here.samples, both.samples)
    assert not second.files
    assert "played here" in caplog.text or "could be started" in caplog.text


def test_a_process_that_neither_reads_nor_plays_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = second_player.subprocess.Popen
    script = "import threading; threading.Event().wait(60)"
    monkeypatch.setattr(
        second_player.subprocess, "Popen", lambda _, **named: real([sys.executable, "-c", script], **named)
    )
    monkeypatch.setattr(second_player, "_TIMEOUT_S", 0.2)
    monkeypatch.setattr(second_player, "frames_of", lambda _: 1 << 20)
    notes = tuple(Note(480 * number, 60, 400, 80) for number in range(20_000))  # more than a pipe holds
    score = replace(SCORE, parts={**SCORE.parts, "strings": notes})
    with (
        caplog.at_level(logging.DEBUG, second_player.logger.name),
        SecondPlayer(score, vocal=False) as second,
    ):
        process = second._process
        assert second.take("strings") is None
    assert process is not None and process.returncode
    assert "strings is played here: it took too long" in caplog.text


@pytest.mark.parametrize("change", [{"available_processors": lambda: 1}, {"LONGEST_FRAMES": 1000}])
def test_one_processor_or_a_long_song_has_one_player(change: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in change.items():
        monkeypatch.setattr(second_player, name, value)
    monkeypatch.setattr(second_player.subprocess, "Popen", None)
    with SecondPlayer(SCORE, vocal=False) as second:
        assert [second.take(part) for part in PARTS_ELSEWHERE] == [None] * len(PARTS_ELSEWHERE)
