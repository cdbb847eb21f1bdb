"""Real songs and broken files: each is read or rejected with a reason, inside bounded time and memory."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.settings import CorpusSettings

MEMORY_MB = 600
SETTINGS = CorpusSettings(file_timeout_s=10, file_memory_mb=MEMORY_MB)


def _read(path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Found | Reject]:
    """Every item by file name; fails on a file that takes long or a child that grows."""
    before = {child.pid for child in psutil.Process().children()}  # such as a server of another test
    children: set[int] = set()
    real = Sandbox.parse

    def watched(self, job):
        started = time.perf_counter()
        try:
            return real(self, job)
        finally:
            assert time.perf_counter() - started < 10, job.name
            for child in psutil.Process().children():
                if child.pid in before:
                    continue
                children.add(child.pid)
                assert child.memory_info().rss < MEMORY_MB << 20, job.name

    monkeypatch.setattr(Sandbox, "parse", watched)
    found = {item.path: item for _, item in read_source(open_source(str(path)), SETTINGS, workers=1)}
    assert len(children) == 1, "a file brought its parser down"
    return found


@pytest.mark.parametrize("kind", ["midi", "musicxml"])
def test_every_broken_file_is_read_or_rejected(datasets: Path, kind: str, monkeypatch) -> None:
    found = _read(datasets / "bad_inputs" / kind, monkeypatch)
    files = [path.name for path in (datasets / "bad_inputs" / kind).iterdir() if not path.name.startswith("LICENSE")]
    assert sorted(found) == sorted(files)
    for name, item in found.items():
        assert isinstance(item, Found) or (item.detail and item.code.value not in {"crashed", "timeout"}), name


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
def test_attacks_are_refused(datasets: Path, name: str, code: str, monkeypatch) -> None:
    item = _read(datasets / "bad_inputs" / "musicxml" / name, monkeypatch)[name]
    assert isinstance(item, Reject)
    assert item.code == code


@pytest.mark.parametrize(
    "name",
    ["made_container_malformed.mxl", "made_nonascii_member.mxl", "made_apostrophe_member.mxl", "made_utf16_bom.xml"],
)
def test_harmless_defects_are_read_through(datasets: Path, name: str, monkeypatch) -> None:
    item = _read(datasets / "bad_inputs" / "musicxml" / name, monkeypatch)[name]
    assert isinstance(item, Found)
    assert item.song.lyrics == "[verse 1]\nAmazing grace\n"


def test_real_lead_sheets_are_read_with_lines_that_can_be_sung(datasets: Path, monkeypatch) -> None:
    songs = datasets / "openewld" / "songs"
    for stem in ("ewld101_after-the-ball", "ewld198_the-battle-cry-of-freedom"):
        (item,) = _read(songs / f"{stem}.mxl", monkeypatch).values()
        assert isinstance(item, Found)
        lines = [line for line in item.song.lyrics.splitlines() if line and not line.startswith("[")]
        assert 3 <= sum(len(line.split()) for line in lines) / len(lines) <= 8
        assert max(len(line.split()) for line in lines) <= 12
        assert "[chorus]" in item.song.lyrics
        assert item.song.artist
