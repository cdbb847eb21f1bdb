"""Folders of small sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.corpus.corpus_samples import WORDS, songbook_text


@pytest.fixture
def songbook_folder(tmp_path: Path) -> Path:
    """Six songs, one of which breaks the format."""
    folder = tmp_path / "mysongs"
    folder.mkdir()
    words = WORDS.split()
    for number in range(5):
        order = [words[place * (number + 1) % len(words)] for place in range(len(words))]
        lines = [" ".join(order[start : start + 5]) for start in range(0, len(order) - 4, 4)]
        (folder / f"song-{number}.txt").write_text(songbook_text(f"Tune {number}", lines), encoding="utf-8")
    (folder / "broken.txt").write_text("title: nothing more\n", encoding="utf-8")
    return folder
