"""The corpora of the backing benchmark: music without words becomes the same tables as a prepared corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.midi import score_to_midi
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Tempo
from rhapsody_lib.operations.backing_figures import read_scores, words_of
from tests.benchmarks import backing_bench
from tests.benchmarks.backing import GROUPS, group
from tests.benchmarks.backing_bench import MINI_LPD, SONGBOOK, Bench

pytest.importorskip("symusic")


def _midi(pitch: int) -> bytes:
    parts = dict.fromkeys(PARTS, ()) | {"melody": tuple(Note(beat * 480, pitch, 240, 80) for beat in range(16))}
    return score_to_midi(Score("", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, 4, 4),), parts))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    tree = tmp_path / "datasets" / MINI_LPD / "lmd_matched"
    for number in range(6):
        folder = tree / str(number)
        folder.mkdir(parents=True)
        (folder / f"{number:032d}.mid").write_bytes(_midi(60 + number) if number else b"no music")
    (tree / "again").mkdir()
    (tree / "again" / f"{5:032d}.mid").write_bytes(_midi(65))
    lines = ["md5,track_id,kind,source,title,artist", *(f"{n:032d},T,k,s,Song {n},Someone" for n in range(6))]
    (tree.parent / "fixture_sources.csv").write_text("\n".join(lines), encoding="utf-8")
    return Bench(tmp_path / "scratch", tmp_path / "datasets", quick=True, profile="fast")


def test_every_group_is_there() -> None:
    assert all(group(name).__name__ == name for name in GROUPS)


def test_what_is_absent_is_named(bench: Bench) -> None:
    assert bench.corpora == (SONGBOOK, MINI_LPD)
    assert [reason.partition(":")[0] for reason in bench.left_out] == ["openewld", "pop909"]


def test_midi_files_become_tables(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bench.corpus_folder(MINI_LPD)
    rows = list(read_songs(folder))
    assert [row["title"] for row in rows] == [f"Song {number} Someone" for number in range(1, 6)]
    assert {row["split"] for row in rows} <= {"train", "heldout"}
    read = dict(read_scores(folder, {row["song_id"] for row in rows}, 5))
    assert read[f"{3:032d}"].parts["melody"][0].pitch == 63
    assert len(list(read_scores(folder, set(read), 2))) == 2
    monkeypatch.setattr(backing_bench, "QUICK_SONGS", 2)
    assert len(list(bench.midi_files(MINI_LPD))) == 2


def test_songs_without_words_take_those_of_the_songbook() -> None:
    assert len(words_of([{"title": "", "lyrics": ""}])) > 5
    own = words_of([{"title": "A", "lyrics": "one two three four five six seven eight nine ten, " * 4}])
    assert len(own) == 1
    assert all(len(line.split()) <= 14 for line in own[0].lines)
