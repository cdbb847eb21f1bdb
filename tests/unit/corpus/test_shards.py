"""A shard holds what reading its files gives, is known by them, and takes over what it can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rhapsody_lib.corpus import reading
from rhapsody_lib.corpus.examine import examined
from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.shards import (
    SongShard,
    digest_of,
    file_digests,
    plan_shards,
    read_shard,
    shard_settings,
    write_shard,
)
from rhapsody_lib.corpus.sources import Source, list_jobs, open_source
from rhapsody_lib.errors import SourceError
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes, songbook_text

ANY = CorpusSettings(language="any")


def _trusted(folder: Path) -> Source:
    """The folder as if it were the songbook: read in this process, which is fast."""
    return replace(open_source(str(folder)), embedded=True)


def _shard(folder: Path, *, trusted: bool = True) -> SongShard:
    source = _trusted(folder) if trusted else open_source(str(folder))
    return SongShard(source.name, str(source.root), source.embedded, tuple(list_jobs(source)))


def _write(folder: Path, out: Path, *earlier: Path) -> list[Found | Reject]:
    out.mkdir()
    shard = _shard(folder)
    write_shard(shard, out, ANY, digests=file_digests(shard), earlier=earlier, workers=1)
    return list(read_shard(shard, out))


@pytest.fixture
def folder(songbook_folder: Path) -> Path:
    """Songs with all that a row can hold: a track, no words, words without music, a file that no reader knows."""
    (songbook_folder / "a.mid").write_bytes(midi_bytes(WORDS))
    (songbook_folder / "b.mid").write_bytes(midi_bytes())
    (songbook_folder / "c.lrc").write_text("words alone", encoding="utf-8")
    (songbook_folder / "d.xyz").write_bytes(b"\0")
    (songbook_folder / "e.mid").write_bytes(b"broken")
    (songbook_folder / "manifest.csv").write_text("stem,title,year,genres\na,Real,1921,Folk;Pop\n", encoding="utf-8")
    return songbook_folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are parsed."""
    names: list[str] = []
    plain = reading._read_one

    def noted(source, job, parse, manifest):
        names.append(job.name)
        return plain(source, job, parse, manifest)

    monkeypatch.setattr(reading, "_read_one", noted)
    return names


def test_a_shard_holds_what_reading_gives(folder: Path, tmp_path: Path) -> None:
    expected = [
        examined(item, ANY) if isinstance(item, Found) else item
        for _, item in reading.read_source(_trusted(folder), ANY, workers=1)
    ]
    held = _write(folder, tmp_path / "shard")
    assert held == expected
    assert sum(isinstance(item, Found) for item in held) == 6
    codes = {item.code for item in held if isinstance(item, Reject)}
    assert codes == {RejectCode.NO_LYRICS, RejectCode.NO_MIDI, RejectCode.UNKNOWN_TYPE, RejectCode.BAD_MIDI}


def test_files_that_an_earlier_shard_holds_are_not_parsed_again(folder: Path, tmp_path: Path, parsed) -> None:
    _write(folder, tmp_path / "first")
    parsed.clear()
    (folder / "song-0a.txt").write_text(songbook_text("New", ["The lamps are lit along the road"]), encoding="utf-8")
    (folder / "song-1.txt").write_text(songbook_text("Other", ["My father brings the evening home"]), encoding="utf-8")
    second = _write(folder, tmp_path / "second", tmp_path / "first")
    assert parsed == ["song-0a.txt", "song-1.txt"]
    assert second == _write(folder, tmp_path / "fresh")
    assert (tmp_path / "second/files.parquet").read_bytes() == (tmp_path / "fresh/files.parquet").read_bytes()


@pytest.mark.parametrize("code", [RejectCode.TIMEOUT, RejectCode.CRASHED])
def test_a_file_that_ran_into_a_limit_is_tried_again(folder: Path, tmp_path: Path, monkeypatch, code) -> None:
    plain = reading._read_one

    def limited(source, job, parse, manifest):
        return Reject(source.name, job.name, code, "") if job.name == "a.mid" else plain(source, job, parse, manifest)

    with monkeypatch.context() as patch:
        patch.setattr(reading, "_read_one", limited)
        first = _write(folder, tmp_path / "first")
    assert code in {item.code for item in first if isinstance(item, Reject)}
    names: list[str] = []

    def noted(source, job, parse, manifest):
        names.append(job.name)
        return plain(source, job, parse, manifest)

    monkeypatch.setattr(reading, "_read_one", noted)
    second = _write(folder, tmp_path / "second", tmp_path / "first")
    assert names == ["a.mid"]
    assert second == _write(folder, tmp_path / "fresh")


@pytest.mark.parametrize("change", ["bytes", "name", "manifest", "words"])
def test_whatever_a_row_is_made_from_is_in_its_digest(folder: Path, change: str) -> None:
    (folder / "b.txt").write_text("some words", encoding="utf-8")
    before = file_digests(_shard(folder, trusted=False))
    if change == "bytes":
        (folder / "a.mid").write_bytes(midi_bytes(WORDS, title="Changed"))
    elif change == "name":
        (folder / "a.mid").rename(folder / "aa.mid")
    elif change == "manifest":
        (folder / "manifest.csv").write_text("stem,title,year\na,Real,1922\n", encoding="utf-8")
    else:
        (folder / "b.txt").write_text("other words", encoding="utf-8")
    after = file_digests(_shard(folder, trusted=False))
    assert len(set(before) - set(after)) == 1
    assert digest_of(before) != digest_of(after)


def test_the_digest_does_not_depend_on_where_the_folder_is(folder: Path, tmp_path: Path) -> None:
    before = file_digests(_shard(folder))
    (tmp_path / "elsewhere").mkdir()
    assert file_digests(_shard(folder.rename(tmp_path / "elsewhere" / folder.name))) == before


def test_a_file_that_vanished_is_one_clear_error(folder: Path) -> None:
    shard = _shard(folder)
    (folder / "a.mid").unlink()
    with pytest.raises(SourceError, match=r"mysongs.*a\.mid"):
        file_digests(shard)


def test_few_files_are_no_shards_and_many_are_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _trusted(folder)
    assert plan_shards([source, source]) == []
    monkeypatch.setattr("rhapsody_lib.corpus.shards.SHARD_FILES", 3)
    plan = plan_shards([source])
    assert len(plan) > 2
    assert [item for shard in plan for item in shard.items] == list(list_jobs(source))
    assert all(shard.bounds[0] <= shard.bounds[1] for shard in plan)


def test_settings_of_the_whole_corpus_are_not_those_of_a_shard() -> None:
    changed = CorpusSettings(heldout_share=0.3, near_duplicate_similarity=0.5)
    assert shard_settings(changed) == shard_settings(CorpusSettings())
    assert shard_settings(CorpusSettings(min_words=9)) != shard_settings(CorpusSettings())
