from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Job, Reject
from rhapsody_lib.corpus.sources import list_jobs, open_source, source_fingerprint, unique_names
from rhapsody_lib.errors import SourceError
from tests.unit.corpus.corpus_samples import midi_bytes, songbook_text


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "mixed"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.mid").write_bytes(midi_bytes())
    (folder / "a.txt").write_text("words", encoding="utf-8")
    (folder / "a.csv").write_text("1,2", encoding="utf-8")
    (folder / "b.KAR").write_bytes(b"")
    (folder / "sub" / "c.mxl").write_bytes(b"")
    (folder / "sub" / "d.txt").write_text(songbook_text("D", ["one"]), encoding="utf-8")
    (folder / "alone.lrc").write_text("[00:01.00]words", encoding="utf-8")
    (folder / "photo.png").write_bytes(b"")
    (folder / "README.md").write_text("read me", encoding="utf-8")
    (folder / ".hidden.mid").write_bytes(b"")
    return folder


def test_every_file_of_a_mixed_folder_is_a_job_or_a_reject(mixed: Path) -> None:
    items = list(list_jobs(open_source(str(mixed))))
    jobs = {item.name: item for item in items if isinstance(item, Job)}
    rejects = {item.path: item.code.value for item in items if isinstance(item, Reject)}
    assert {name: job.kind for name, job in jobs.items()} == {
        "a.mid": "midi",
        "b.KAR": "midi",
        "sub/c.mxl": "leadsheet",
        "sub/d.txt": "songbook",
    }
    assert jobs["a.mid"].lyrics_path == str(mixed.resolve() / "a.txt")
    assert rejects == {"alone.lrc": "no_midi", "photo.png": "unknown_type"}


def test_the_name_songbook_is_the_embedded_one() -> None:
    source = open_source("songbook")
    assert source.embedded
    assert len(list(list_jobs(source))) >= 200


def test_a_single_file_is_a_source(mixed: Path) -> None:
    (job,) = list_jobs(open_source(str(mixed / "a.mid")))
    assert isinstance(job, Job)
    assert Path(job.lyrics_path).name == "a.txt"


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"x")])
def test_missing_and_empty_sources_are_one_clear_error(tmp_path: Path, make) -> None:
    make(tmp_path / "nothing.bin")
    with pytest.raises(SourceError, match=r"nothing\.bin"):
        open_source(str(tmp_path / "nothing.bin"))


def test_links_whose_data_were_not_fetched_are_told(mixed: Path) -> None:
    (mixed / "c.mid").symlink_to(".git/annex/objects/c.mid")
    rejects = {item.path: item for item in list_jobs(open_source(str(mixed))) if isinstance(item, Reject)}
    assert rejects["c.mid"].code.value == "outside"
    assert "is a link to nothing: fetch its data (git annex get" in rejects["c.mid"].detail
    before = source_fingerprint(str(mixed))
    (mixed / ".git" / "annex" / "objects").mkdir(parents=True)
    (mixed / ".git" / "annex" / "objects" / "c.mid").write_bytes((mixed / "a.mid").read_bytes())
    assert source_fingerprint(str(mixed)) != before
    assert "c.mid" in {item.name for item in list_jobs(open_source(str(mixed))) if isinstance(item, Job)}


def test_a_folder_of_links_to_nothing_says_so(tmp_path: Path) -> None:
    for name in ("a.mid", "b.csv"):
        (tmp_path / name).symlink_to(".git/annex/objects/x")
    with pytest.raises(SourceError, match=r"'a\.mid' \(and 1 more\) is a link to nothing; fetch its data"):
        open_source(str(tmp_path))


def test_sources_of_one_name_are_told_apart(mixed: Path) -> None:
    source = open_source(str(mixed))
    assert [each.name for each in unique_names([source, source, source])] == ["mixed", "mixed-2", "mixed-3"]


def test_the_fingerprint_follows_contents_and_names_but_not_the_place(mixed: Path, tmp_path: Path) -> None:
    first = source_fingerprint(str(mixed))
    moved = tmp_path / "elsewhere" / "mixed"
    moved.parent.mkdir()
    mixed.rename(moved)
    assert source_fingerprint(str(moved)) == first
    (moved / "a.txt").write_text("other words", encoding="utf-8")
    changed = source_fingerprint(str(moved))
    assert changed != first
    (moved / "a.txt").rename(moved / "a2.txt")
    assert source_fingerprint(str(moved)) not in {first, changed}
    (moved.parent / "manifest.csv").write_text("stem,title\na,A\n", encoding="utf-8")
    assert source_fingerprint(str(moved)) not in {first, changed}
