from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.copying import COPY_WORDS, REPORT_WORDS, CopyIndex
from rhapsody_lib.words.document import Lyrics, parse_lyrics


def test_runs_across_lines_are_found(songs: list[Lyrics]) -> None:
    index = CopyIndex.build(songs)
    assert index.is_copy(["lamp", "is", "burning", "low", "a", "little"])
    assert not index.is_copy(["lamp", "is", "burning", "low", "a"])
    assert not index.is_copy(["lamp", "is", "burning", "bright", "a", "little", "boat"])


def test_whole_lines_are_found(songs: list[Lyrics]) -> None:
    index = CopyIndex.build([*songs, parse_lyrics("Go down again slowly\nGo on\n")])
    assert index.is_line(["go", "down", "again", "slowly"])
    assert not index.is_line(["go", "on"])


def test_runs_are_reported(songs: list[Lyrics]) -> None:
    index = CopyIndex.build(songs)
    words = ["my", "salt", "on", "your", "coat", "and", "on"]
    assert index.runs(words, COPY_WORDS) == [False, True]
    assert index.runs(words, REPORT_WORDS) == [False, True, True]


def test_saved_and_loaded(songs: list[Lyrics], tmp_path: Path) -> None:
    path = tmp_path / "copies.safetensors"
    CopyIndex.build(songs).save(path)
    assert CopyIndex.load(path) == CopyIndex.build(songs)
    path.write_bytes(b"")
    with pytest.raises(DamagedArtifactError, match=r"copies\.safetensors"):
        CopyIndex.load(path)
