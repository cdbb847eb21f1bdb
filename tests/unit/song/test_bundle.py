from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import mido
import pretty_midi
import pytest
import symusic

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import Score
from rhapsody_lib.song import bundle
from rhapsody_lib.song.bundle import lyrics_text, song_files, write_bundle
from rhapsody_lib.song.fit import fit_words
from tests.unit.song.song_samples import sample_lyrics, sample_score

INFO: dict[str, Any] = {"prompt": "the sky is blue", "seed": 3, "release": {"number": 1}, "matches": []}
ALWAYS = {"lyrics.txt", "song.mid", "song.kar", "backing.mid", "song.json", "pianoroll.png", "index.html"}


@pytest.fixture(scope="module")
def fitted() -> Score:
    return fit_words(sample_lyrics(), sample_score())


def write(out: Path, score: Score, **changes: Any) -> dict[str, Path]:
    return write_bundle(out, lyrics=sample_lyrics(), score=score, info={**INFO, **changes}, audio=False)


def test_every_file_opens(tmp_path: Path, fitted: Score) -> None:
    files = write_bundle(tmp_path / "a" / "song", lyrics=sample_lyrics(), score=fitted, info=INFO, audio=True)
    assert set(files) == ALWAYS | {"song.mp3"} == {path.name for path in (tmp_path / "a" / "song").iterdir()}
    for name in ("song.mid", "backing.mid", "song.kar"):
        data = files[name].read_bytes()
        notes = sum(len(part) for key, part in fitted.parts.items() if key != "melody" or name != "backing.mid")
        assert sum(len(i.notes) for i in pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments) == notes
        assert symusic.Score.from_midi(data).note_num() == notes
        ons = [m for t in mido.MidiFile(file=io.BytesIO(data)).tracks for m in t if m.type == "note_on" and m.velocity]
        assert len(ons) == notes
    assert files["song.mp3"].stat().st_size > 10_000
    assert files["pianoroll.png"].read_bytes().startswith(b"\x89PNG")
    assert files["lyrics.txt"].read_text(encoding="utf-8") == lyrics_text(sample_lyrics())


def test_song_json_tells_the_making_and_the_digests(tmp_path: Path, fitted: Score) -> None:
    files = write(tmp_path / "song", fitted)
    info = json.loads(files["song.json"].read_text(encoding="utf-8"))
    assert info["prompt"] == "the sky is blue"
    assert info["music"]["key"] == "C major"
    assert info["music"]["tempo_bpm"] == 100
    assert info["music"]["syllables"] == len(fitted.syllables)
    for name in ("lyrics.txt", "song.mid", "song.kar", "backing.mid"):
        assert info["files"][name]["sha256"] == hashlib.sha256(files[name].read_bytes()).hexdigest()


def test_same_song_same_bytes_wherever_it_is_written(tmp_path: Path, fitted: Score) -> None:
    first, second = write(tmp_path / "one", fitted), write(tmp_path / "two" / "deep", fitted)
    for name in ALWAYS:
        assert first[name].read_bytes() == second[name].read_bytes()


def test_an_earlier_song_is_replaced_whole(tmp_path: Path, fitted: Score) -> None:
    write_bundle(tmp_path / "song", lyrics=sample_lyrics(), score=fitted, info=INFO, audio=True)
    write(tmp_path / "song", fitted, seed=9)
    assert {path.name for path in (tmp_path / "song").iterdir()} == ALWAYS
    assert json.loads((tmp_path / "song" / "song.json").read_text(encoding="utf-8"))["seed"] == 9
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_nothing_of_anyone_else_is_replaced(tmp_path: Path, fitted: Score) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "song.json").write_text('{"my": "own"}')
    write(tmp_path / "song", fitted)
    (tmp_path / "song" / "notes.txt").write_text("mine")
    for name, reason in (("file", "is a file"), ("folder", "not a song's folder"), ("song", "notes.txt")):
        with pytest.raises(InputError, match=reason):
            write(tmp_path / name, fitted, seed=9)
    assert (tmp_path / "song" / "notes.txt").read_text() == "mine"
    assert json.loads((tmp_path / "song" / "song.json").read_text(encoding="utf-8"))["seed"] == 3


def test_an_empty_folder_is_filled(tmp_path: Path, fitted: Score) -> None:
    (tmp_path / "song").mkdir()
    write(tmp_path / "song", fitted)
    assert (tmp_path / "song" / "index.html").is_file()


def test_a_failure_while_writing_leaves_the_old_song(
    tmp_path: Path, fitted: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "song", fitted)

    def fail(new: Path, out: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle, "_swap", fail)
    with pytest.raises(InputError, match="No space left"):
        write(tmp_path / "song", fitted, seed=9)
    assert json.loads((tmp_path / "song" / "song.json").read_text(encoding="utf-8"))["seed"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_an_unwritable_place_is_told(tmp_path: Path, fitted: Score) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "song", fitted)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_folder_is_readable_by_others(tmp_path: Path, fitted: Score) -> None:
    write(tmp_path / "song", fitted)
    assert (tmp_path / "song").stat().st_mode & 0o755 == 0o755


def test_a_prompt_that_is_no_text_is_still_told(fitted: Score) -> None:
    files = song_files(sample_lyrics(), fitted, {"prompt": "lone \ud800 half"}, audio=False)
    assert json.loads(files["song.json"])["prompt"] == "lone ? half"
