"""A large table is read in parts, side by side: the corpus is that of one pass, and only what changed is read again."""

from __future__ import annotations

import csv
import multiprocessing
import sys
from pathlib import Path

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus import shard_children, shards, table_cuts
from rhapsody_lib.corpus.shard_children import ShardChildren
from rhapsody_lib.corpus.shards import SongShard, file_digests, plan_shards, read_shard, write_shard
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.errors import MissingExtraError, SourceError, StageFailedError
from rhapsody_lib.operations.sharding import in_turn
from rhapsody_lib.settings import CorpusSettings, Settings

SETTINGS = Settings(corpus=CorpusSettings(language="any"))


def _row(number: int) -> list[str]:
    words = " ".join(f"{name}{number * each % 97}" for each, name in enumerate(["river", "moon", "boat", "sea"] * 5))
    return [f"/ann-{number % 5}/", "" if number % 6 == 0 else f"Song {number}", "/x.html", words, "en"]


def _write(folder: Path, rows: list[list[str]], broken: str = "") -> None:
    with (folder / "lyrics.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["ALink", "SName", "SLink", "Lyric", "language"], *rows[:20]])
        stream.write(broken)
        csv.writer(stream).writerows(rows[20:])


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of 60 rows, two of them repeated and one broken, that is cut into parts of about eight."""
    monkeypatch.setattr(table_cuts, "LEAST_BYTES", 1)
    monkeypatch.setattr(table_cuts, "PART_ROWS", 8)
    folder = tmp_path / "lyrics"
    folder.mkdir()
    rows = [_row(number) for number in range(58)]
    _write(folder, [*rows, rows[3], rows[40]], '/x/,"broken" quote,a,b,en\n')
    (folder / "artists.csv").write_text("Artist,Link\nAnn One,/ann-1/\n", encoding="utf-8")
    return folder


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes at which the parts begin that are read; by this process, as by one that was started for it."""
    starts: list[int] = []
    monkeypatch.setattr(multiprocessing, "parent_process", object)

    def noted(shard: SongShard, *arguments: object, **options: object) -> None:
        starts.append(shard.part.start if shard.part is not None else -1)
        write_shard(shard, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(shard_children, "write_shard", noted)
    return starts


def _prepare(store: Path, folder: Path, **options) -> dict[str, bytes]:
    ref = operations.prepare_corpus(str(store), SETTINGS, [str(folder)], **options)
    return {path.name: path.read_bytes() for path in Store(str(store)).fetch(ref).iterdir()}


def _whole(store: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    with monkeypatch.context() as patch:
        patch.setattr(table_cuts, "LEAST_BYTES", 1 << 30)
        return _prepare(store, folder)


def test_the_corpus_is_that_of_one_pass(table, tmp_path, monkeypatch):
    parts = _prepare(tmp_path / "parts", table)
    assert sum(ref.kind == "songs-shard" for ref in Store(str(tmp_path / "parts")).artifacts()) > 5
    assert parts == _whole(tmp_path / "whole", table, monkeypatch)
    assert b'"duplicate": 2' in parts["summary.json"]
    assert b'"bad_table": 1' in parts["summary.json"]
    assert shard_children._children._idle == []


def test_appended_rows_are_read_with_the_last_part_alone(table, tmp_path, read, monkeypatch):
    _prepare(tmp_path / "store", table)
    first = len(read)
    with (table / "lyrics.csv").open("a", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(_row(number) for number in range(100, 103))
    read.clear()
    grown = _prepare(tmp_path / "store", table)
    assert 1 <= len(read) <= 2 < first
    assert grown == _whole(tmp_path / "whole", table, monkeypatch)


def test_a_row_inserted_and_an_artist_renamed_change_the_parts_that_hold_them(table, tmp_path, read, monkeypatch):
    _prepare(tmp_path / "store", table)
    rows = [_row(number) for number in range(58)]
    _write(table, [*rows[:5], _row(200), *rows[5:]])
    (table / "artists.csv").write_text("Artist,Link\nAnn One,/ann-1/\nBo,/bo/\n", encoding="utf-8")
    first = len(read)
    read.clear()
    grown = _prepare(tmp_path / "store", table)
    assert 1 <= len(read) < first - 1
    assert grown == _whole(tmp_path / "whole", table, monkeypatch)


def test_a_killed_preparation_goes_on_with_the_parts_that_are_missing(table, tmp_path, read, monkeypatch):
    def killed(step, work, what):
        in_turn(step, work[:3], what)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _prepare(tmp_path / "store", table, spread=killed)
    assert len(read) == 3
    resumed = _prepare(tmp_path / "store", table)
    assert len(read) == len(set(read)) > 5
    assert resumed == _whole(tmp_path / "whole", table, monkeypatch)


def _part(table: Path) -> SongShard:
    shard = plan_shards([open_source(str(table))])[1]
    assert shard.part is not None
    assert SongShard.from_message(shard.message()) == shard
    return shard


_DYING = "import os, sys; os.path.exists(sys.argv[1]) or (open(sys.argv[1], 'w').close(), os._exit(9))\n"
_AS_USUAL = "from rhapsody_lib.corpus.shard_child import main; main()"
_MISSING = (
    "import sys; from rhapsody_lib.corpus.child_process import read_frame, write_frame; read_frame(sys.stdin.buffer);"
    "write_frame(sys.stdout.buffer, {'kind': 'MissingExtraError', 'message': 'install it'}); sys.stdin.read()"
)


def test_a_child_that_died_is_replaced(table, tmp_path, monkeypatch):
    mark, shard = tmp_path / "died", _part(table)
    monkeypatch.setattr(shard_children, "_CHILD_COMMAND", (sys.executable, "-c", _DYING + _AS_USUAL, str(mark)))
    children = ShardChildren()
    for name in ("apart", "here"):
        (tmp_path / name).mkdir()
    children.write_shard(shard, tmp_path / "apart", SETTINGS.corpus, file_digests(shard))
    write_shard(shard, tmp_path / "here", SETTINGS.corpus, digests=file_digests(shard), workers=1)
    assert mark.exists()
    assert list(read_shard(shard, tmp_path / "apart")) == list(read_shard(shard, tmp_path / "here"))
    children.close()


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [("import os; os._exit(9)", StageFailedError, "died 3 times"), (_MISSING, MissingExtraError, "install it")],
)
def test_what_goes_wrong_in_a_child_is_told(table, tmp_path, monkeypatch, code, error, message):
    monkeypatch.setattr(shard_children, "_CHILD_COMMAND", (sys.executable, "-c", code))
    children, shard = ShardChildren(), _part(table)
    with pytest.raises(error, match=message):
        children.write_shard(shard, tmp_path, SETTINGS.corpus, file_digests(shard))
    children.close()


@pytest.mark.parametrize("when", ["cut", "planned", "read"])
def test_a_table_that_changes_meanwhile_is_refused(table, tmp_path, monkeypatch, when):
    def change() -> None:
        path = table / "lyrics.csv"
        text = path.read_bytes().replace(b"Song 31", b"Sung,31", 1)
        path.write_bytes(text if when == "read" else text + b"\n")

    def after(function, *, before=False):
        def changing(*arguments, **options):
            if before:
                change()
            result = function(*arguments, **options)
            if not before:
                change()
            return result

        return changing

    if when == "cut":
        monkeypatch.setattr(table_cuts, "_parts", after(table_cuts._parts))
    elif when == "planned":
        monkeypatch.setattr(shards, "plan_digests", after(shards.plan_digests, before=True))
    spread = after(in_turn, before=True) if when == "read" else in_turn
    monkeypatch.setattr(multiprocessing, "parent_process", object)
    with pytest.raises(SourceError, match=r"lyrics\.csv' changed while it was read"):
        _prepare(tmp_path / "store", table, spread=spread)
    assert all(ref.kind != "corpus" for ref in Store(str(tmp_path / "store")).artifacts())
