"""The check that songs open everywhere finds what is wrong, and only that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.midi import score_to_midi
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Syllable, Tempo
from rhapsody_lib.release import Release
from tests.benchmarks import backing_opens
from tests.benchmarks.backing_bench import Bench
from tests.benchmarks.backing_opens import faults, measured
from tests.benchmarks.table import Row

NOTES = tuple(Note(beat * 480, 60 + beat % 5, 400, 80) for beat in range(8))
SCORE = Score(
    "A song",
    Key(0, "major"),
    (Tempo(0, 100.0),),
    (Metre(0, 4, 4),),
    {part: NOTES if part in {"melody", "piano"} else () for part in PARTS},
    syllables=tuple(Syllable(note.start_ticks, "la", True, 0) for note in NOTES),
)


def test_a_good_song_has_no_faults_and_a_bad_one_is_named(monkeypatch) -> None:
    readers = {name: read for name, read in backing_opens.READERS.items() if name != "music21"}  # for seconds of import
    monkeypatch.setattr(backing_opens, "READERS", readers)
    data = score_to_midi(SCORE)
    assert faults({"song.mid": data}, {"song.mid": 16}, 8) == {}
    beside = replace(SCORE, syllables=(*SCORE.syllables, Syllable(4000, "oh", True, 1)))
    assert "on no note" in faults({"song.mid": score_to_midi(beside)}, {"song.mid": 16}, 9)["mido"]
    assert set(faults({"song.mid": data}, {"song.mid": 17}, 8)) == {"mido", "pretty_midi", "symusic"}
    assert "8 syllables instead of 9" in faults({"song.mid": data}, {"song.mid": 16}, 9)["pretty_midi"]
    assert set(faults({"song.mid": data[:60]}, {"song.mid": 16}, 8)) == {"mido", "pretty_midi", "symusic"}


def test_a_note_that_is_never_let_go_is_found() -> None:
    data = score_to_midi(SCORE)
    on = bytes([0x90, 60, 80])
    assert data.count(on) >= 1
    stuck = data.replace(on, bytes([0x90, 61, 80]), 1)
    assert "not let go" in faults({"song.mid": stuck}, {"song.mid": 16}, 8)["mido"]


def _everywhere(monkeypatch, folder: Path, readers: Mapping[str, object], syllables: int) -> Row:
    data = score_to_midi(SCORE)
    monkeypatch.setattr(backing_opens, "READERS", readers)
    monkeypatch.setattr(backing_opens, "made", lambda *_: ({"song.mid": data}, {"song.mid": 16}, syllables))
    folder.mkdir()
    bench, release = Bench(folder, Path(), quick=True, profile="fast"), Release(1, {}, {}, None, "", "")
    rows = measured(bench, [release], 2)
    monkeypatch.setattr(backing_opens, "made", None)  # what was found is kept
    assert measured(bench, [release], 2) == rows
    assert (folder / "opens.jsonl").read_bytes().count(b"\n") == 2
    return next(row for row in rows if row.target)


def test_songs_open_everywhere_only_where_every_reader_was_asked(monkeypatch, tmp_path: Path) -> None:
    mido = {"mido": backing_opens.READERS["mido"]}
    assert _everywhere(monkeypatch, tmp_path / "all", mido, 8).met is True
    assert _everywhere(monkeypatch, tmp_path / "wrong", mido, 9).met is False
    some = _everywhere(monkeypatch, tmp_path / "some", {**mido, "no_such_reader": backing_opens.READERS["mido"]}, 8)
    assert some.met is None
    assert "not in no_such_reader" in some.what


def test_what_was_found_is_kept_until_the_code_changes_and_a_row_that_was_cut_off_is_found_anew(
    monkeypatch, tmp_path: Path
) -> None:
    data, songs = score_to_midi(SCORE), list[int]()

    def made(_: str, __: Release, number: int) -> tuple[dict[str, bytes], dict[str, int], int]:
        songs.append(number)
        return {"song.mid": data}, {"song.mid": 16}, 8

    monkeypatch.setattr(backing_opens, "READERS", {"mido": backing_opens.READERS["mido"]})
    monkeypatch.setattr(backing_opens, "made", made)
    bench, release = Bench(tmp_path, Path(), quick=True, profile="fast"), Release(1, {}, {}, None, "", "")
    path = tmp_path / "opens.jsonl"
    measured(bench, [release], 2)
    path.write_bytes(path.read_bytes()[:-9])
    measured(bench, [release], 3)
    assert songs == [0, 1, 1, 2]
    measured(bench, [release], 3)
    assert songs == [0, 1, 1, 2]
    (tmp_path / "rhapsody_lib" / "song").mkdir(parents=True)
    (tmp_path / "rhapsody_lib" / "song" / "new.py").write_text("changed")
    monkeypatch.setattr(backing_opens, "ROOT", tmp_path)
    measured(bench, [release], 1)
    assert songs == [0, 1, 1, 2, 0]
