"""Real songs and broken files: each is read or rejected with a reason, inside bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.settings import CorpusSettings
from tests.watched import read_watched

MEMORY_MB, TIME_S = 300, 5.0


def _read(path: Path) -> dict[str, Found | Reject]:
    """Every item by file name; fails on a file that takes long, or much memory, or brings its parser down."""
    watched = read_watched(path, CorpusSettings())
    assert len(watched.processes) == 1, "a file brought its parser down"
    assert max(watched.seconds.values()) < TIME_S
    assert max(watched.peak_mb.values()) < MEMORY_MB
    return watched.items


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("made_bomb_20MB.mxl", "too_large"),
        ("made_path_traversal.mxl", "bad_musicxml"),
        ("made_xxe_external_entity.xml", "bad_musicxml"),
        ("made_deep_nesting.xml", "bad_musicxml"),
        ("made_duration_huge.xml", "too_large"),
    ],
)
def test_attacks_are_refused(datasets: Path, name: str, code: str) -> None:
    item = _read(datasets / "bad_inputs" / "musicxml" / name)[name]
    assert isinstance(item, Reject)
    assert item.code == code


@pytest.mark.parametrize(
    "name",
    ["made_container_malformed.mxl", "made_nonascii_member.mxl", "made_apostrophe_member.mxl", "made_utf16_bom.xml"],
)
def test_harmless_defects_are_read_through(datasets: Path, name: str) -> None:
    item = _read(datasets / "bad_inputs" / "musicxml" / name)[name]
    assert isinstance(item, Found)
    assert item.song.lyrics == "[verse 1]\nAmazing grace\n"


def test_real_lead_sheets_are_read_with_lines_that_can_be_sung(datasets: Path) -> None:
    songs = datasets / "openewld" / "songs"
    for stem in ("ewld101_after-the-ball", "ewld198_the-battle-cry-of-freedom"):
        (item,) = _read(songs / f"{stem}.mxl").values()
        assert isinstance(item, Found)
        lines = [line for line in item.song.lyrics.splitlines() if line and not line.startswith("[")]
        assert 3 <= sum(len(line.split()) for line in lines) / len(lines) <= 8
        assert max(len(line.split()) for line in lines) <= 12
        assert "[chorus]" in item.song.lyrics
        assert item.song.artist
