"""A base model of music knows its sources by their names and all they hold, and parses none in its own process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rhapsody_lib.errors import SourceError
from rhapsody_lib.music import midi
from rhapsody_lib.operations import base_backing
from rhapsody_lib.settings import Settings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes


def _folder(root: Path) -> Path:
    for name in ("one/tune.mid", "two/tune.mid"):
        path = root / name
        path.parent.mkdir(parents=True)
        path.write_bytes(midi_bytes(WORDS) + name.encode())
    return root


def _digest(root: Path) -> str:
    return base_backing._digest(root, base_backing._midi_files(root))


def test_the_recipe_knows_where_a_file_is(tmp_path: Path) -> None:
    music = _folder(tmp_path / "music")
    found = _digest(music)
    assert found == _digest(_folder(tmp_path / "elsewhere" / "music"))
    renamed = tmp_path / "other"
    shutil.copytree(music, renamed)
    assert _digest(renamed) != found  # the folder's name begins the ids, by which songs are split
    (music / "one").rename(music / "aside")
    (music / "two").rename(music / "one")
    (music / "aside").rename(music / "two")
    assert _digest(music) != found


def test_folders_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="2 sources are folders named 'music'"):
        base_backing._roots(["songbook", str(tmp_path / "a" / "music"), str(tmp_path / "b" / "music")])
    monkeypatch.chdir(tmp_path)
    assert [root.name for root in base_backing._roots(["songbook", "."])] == [tmp_path.name]


def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.mid: cannot be read"):
        base_backing._digest(tmp_path, [tmp_path / "gone.mid"])


def test_files_are_parsed_elsewhere_and_bad_ones_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(*_: object) -> None:
        raise AssertionError("a stranger's file was parsed in this process")

    monkeypatch.setattr(midi, "midi_to_score", here)
    music = _folder(tmp_path / "music")
    (music / "broken.mid").write_bytes(b"no music")
    paths = [*base_backing._midi_files(music), music / "gone.mid"]
    rows = list(base_backing._read(music, paths, Settings()))
    assert [song["song_id"] for song, _ in rows] == ["music/one/tune.mid", "music/two/tune.mid"]
    assert all(track["midi"] for _, track in rows)
