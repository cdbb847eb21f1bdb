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
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.song import bundle, contents
from rhapsody_lib.song.bundle import check_target, write_bundle
from rhapsody_lib.song.contents import lyrics_text, song_files
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.render import BEHIND_VOCAL_DB, MIX
from tests.unit.song.song_samples import sample_lyrics, sample_score

INFO: dict[str, Any] = {"prompt": "the sky is blue", "seed": 3, "release": {"number": 1}, "matches": []}
ALWAYS = {
    "lyrics.txt",
    "song.mid",
    "song.kar",
    "backing.mid",
    "song.json",
    "leadsheet.musicxml",
    "pianoroll.png",
    "index.html",
}
STEMS = {f"stems/{part}.mp3" for part in PARTS}


@pytest.fixture(scope="module")
def fitted() -> Score:
    return fit_words(sample_lyrics(), sample_score())


def write(out: Path, score: Score, **changes: Any) -> dict[str, Path]:
    return write_bundle(out, lyrics=sample_lyrics(), score=score, info={**INFO, **changes}, audio=False)


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_file_opens(tmp_path: Path, fitted: Score) -> None:
    files = write_bundle(tmp_path / "a" / "song", lyrics=sample_lyrics(), score=fitted, info=INFO, audio=True)
    assert set(files) == ALWAYS | {"song.mp3"} | STEMS == files_in(tmp_path / "a" / "song")
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
    assert set(info["files"]) == ALWAYS
    assert all(told["about"] for told in info["files"].values())
    for name in ("lyrics.txt", "song.mid", "song.kar", "backing.mid", "leadsheet.musicxml"):
        assert info["files"][name]["sha256"] == hashlib.sha256(files[name].read_bytes()).hexdigest()


def test_same_song_same_bytes_wherever_it_is_written(tmp_path: Path, fitted: Score) -> None:
    first, second = write(tmp_path / "one", fitted), write(tmp_path / "two" / "deep", fitted)
    for name in ALWAYS:
        assert first[name].read_bytes() == second[name].read_bytes()


def test_an_earlier_song_is_replaced_whole(tmp_path: Path, fitted: Score) -> None:
    write_bundle(tmp_path / "song", lyrics=sample_lyrics(), score=fitted, info=INFO, audio=True)
    write(tmp_path / "song", fitted, seed=9)
    assert files_in(tmp_path / "song") == ALWAYS
    assert json.loads((tmp_path / "song" / "song.json").read_text(encoding="utf-8"))["seed"] == 9
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_nothing_of_anyone_else_is_replaced(tmp_path: Path, fitted: Score) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "song.json").write_text('{"my": "own"}')
    write(tmp_path / "song", fitted)
    (tmp_path / "song" / "notes.txt").write_text("mine")
    write(tmp_path / "stems", fitted)
    (tmp_path / "stems" / "stems").mkdir()
    (tmp_path / "stems" / "stems" / "mine.wav").write_text("mine")
    refused = (("file", "is a file"), ("folder", "not a song's folder"), ("song", "notes.txt"), ("stems", "mine.wav"))
    for name, reason in refused:
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


def seed_of(folder: Path) -> int:
    return int(json.loads((folder / "song.json").read_text(encoding="utf-8"))["seed"])


def test_what_cannot_be_created_is_found_early_and_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "a" / "song", tmp_path / "a" / ("x" * 250), tmp_path / "a\0b"):
        with pytest.raises(InputError, match="cannot be written"):
            check_target(out)
    check_target(tmp_path / "a" / "b" / "song")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="POSIX permissions, which do not bind root")
def test_a_folder_without_permission_is_found_early(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o555)
    with pytest.raises(InputError, match="Permission denied"):
        check_target(tmp_path / "mine" / "song")


def test_a_refusal_by_the_system_is_found_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(bundle.tempfile, "mkdtemp", refuse)
    with pytest.raises(InputError, match=r"song: cannot be written \(Permission denied\)"):
        check_target(tmp_path / "song")


def test_a_folder_in_use_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for out in (Path(), tmp_path, Path("/")):
        with pytest.raises(InputError, match="inside it"):
            check_target(out)


def test_a_link_to_a_song_keeps_pointing_at_it(tmp_path: Path, fitted: Score) -> None:
    write(tmp_path / "song", fitted)
    (tmp_path / "link").symlink_to("song")
    write(tmp_path / "link", fitted, seed=9)
    assert (tmp_path / "link").is_symlink()
    assert seed_of(tmp_path / "song") == 9


def test_a_second_rename_that_fails_puts_the_old_song_back(
    tmp_path: Path, fitted: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "song", fitted)
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.suffix == ".partial":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(InputError, match="Input/output error"):
        write(tmp_path / "song", fitted, seed=9)
    assert seed_of(tmp_path / "song") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_a_song_of_a_run_killed_between_the_renames_is_put_back(
    tmp_path: Path, fitted: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "song", fitted)
    (tmp_path / "song").rename(tmp_path / ".song.abcd_123.old")
    (tmp_path / ".song.abcd_123.partial").mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(bundle, "_swap", lambda new, out: new.rename(out / "song.json"))
        with pytest.raises(InputError):
            write(tmp_path / "song", fitted, seed=9)
    assert seed_of(tmp_path / "song") == 3
    write(tmp_path / "song", fitted, seed=9)
    assert seed_of(tmp_path / "song") == 9
    assert [path.name for path in tmp_path.iterdir()] == ["song"]


def test_leftovers_are_removed_and_folders_of_others_are_not(tmp_path: Path, fitted: Score) -> None:
    write(tmp_path / "song", fitted)
    for name in (".song.abcd1234.partial", ".song.abcd1234.old", ".song.abcd1234.old.old", ".songs.abcd1234.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lyrics.txt").write_text("half")
    (tmp_path / ".song.mine1234.old").mkdir()
    (tmp_path / ".song.mine1234.old" / "diary.txt").write_text("mine")
    write(tmp_path / "song", fitted, seed=9)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".song.abcd1234.old.old",
        ".song.mine1234.old",
        ".songs.abcd1234.old",
        "song",
    ]


def test_one_run_at_a_time_writes_beside_another(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    other = os.open(tmp_path, os.O_RDONLY)
    try:
        with bundle._alone_in(tmp_path), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(other)


def test_leftovers_are_looked_for_alone(tmp_path: Path, fitted: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    real, held = bundle._leftovers, []

    def watched(out: Path, end: str) -> list[Path]:
        other = os.open(tmp_path, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.append(end)
        finally:
            os.close(other)
        return real(out, end)

    monkeypatch.setattr(bundle, "_leftovers", watched)
    write(tmp_path / "song", fitted)
    assert held == [".old", ".partial", ".old"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_the_folder_is_readable_by_others(tmp_path: Path, fitted: Score) -> None:
    write(tmp_path / "song", fitted)
    assert (tmp_path / "song").stat().st_mode & 0o755 == 0o755


def test_a_prompt_that_is_no_text_is_still_told(fitted: Score) -> None:
    files = song_files(sample_lyrics(), fitted, {"prompt": "lone \ud800 half"}, audio=False)
    assert json.loads(files["song.json"])["prompt"] == "lone ? half"


@pytest.mark.parametrize("vocal", [False, True])
def test_the_mix_is_told_as_it_was_played(vocal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    score = fit_words(sample_lyrics(), sample_score())
    written = contents._written(sample_lyrics(), score)
    monkeypatch.setattr(contents, "_recorded", lambda *_, **__: ({"song.mp3": b""}, 1.0, written))
    files = contents.song_files(sample_lyrics(), score, {}, audio=True, vocal=vocal)
    mix = json.loads(files["song.json"])["mix"]
    assert mix["melody"]["level_db"] == (BEHIND_VOCAL_DB if vocal else 0.0)
    assert mix["bass"]["level_db"] == MIX["bass"].level_db
    assert ("vocal" in mix) is vocal
