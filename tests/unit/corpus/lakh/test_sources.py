"""What is a Lakh corpus and what is none; which files of its folder are read, and which lead out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Job, Reject
from rhapsody_lib.corpus.lakh.jobs import list_lakh_jobs
from rhapsody_lib.corpus.lakh.tree import find_tree
from rhapsody_lib.corpus.sources import list_jobs, open_source, open_sources, source_fingerprint
from rhapsody_lib.errors import SourceError
from tests.unit.corpus.corpus_samples import songbook_text
from tests.unit.corpus.lakh.trees import WORDS, TreeWriter, listed, md5, track_id


def test_links_that_lead_out_are_not_followed(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    secret = tmp_path / f"{md5(2)}.npz"
    secret.write_bytes(b"")
    tree.place("lpd_5_cleansed", 2, secret.name).symlink_to(secret)
    jobs, rejects = listed(tree)
    assert set(jobs) == {track_id(1)} and rejects == {"outside": 1}


def test_music_that_was_not_fetched_is_told(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.place("lpd_5_cleansed", 2, f"{md5(2)}.npz").symlink_to("../nothing.npz")
    (tree.root / "track_metadata.db").symlink_to("nothing.db")
    items = list(list_jobs(open_source(str(tree.root))))
    gone = [item for item in items if isinstance(item, Reject) and item.code.value == "outside"]
    assert len(gone) == 2 and all("is a link to nothing" in item.detail for item in gone)
    assert sum(isinstance(item, Job) for item in items) == 1


def test_side_files_that_lead_out_are_left_out_unless_they_are_named(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    tree.lyrics((1, WORDS))
    linked = tree.root / "matched_lyrics.csv"
    away = linked.rename(tmp_path / "away.csv")
    linked.symlink_to(away)
    jobs, rejects = listed(tree)
    known = jobs[track_id(1)].known
    assert known is not None and not known.lyrics and rejects == {"outside": 1}
    file = tmp_path / "mine.toml"
    file.write_text('[[source]]\ncorpus = "lakh"\nfolder = "lakh"\nlyrics = "lakh/matched_lyrics.csv"\n')
    (source,) = open_sources([str(file)])
    (job, outside) = list_jobs(source)
    assert isinstance(job, Job) and job.known is not None and job.known.lyrics == WORDS
    assert isinstance(outside, Reject) and outside.code.value == "outside"
    before = source_fingerprint(str(file))
    away.write_text(away.read_text().replace("river", "water"))
    assert source_fingerprint(str(file)) != before


def test_genres_of_a_folder_that_lead_out_of_it_are_left_out(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    tree.genres((1, "Folk"))
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.cls").symlink_to(tree.root / "msd_tagtraum_cd1.cls")
    file = tmp_path / "mine.toml"
    file.write_text('[[source]]\ncorpus = "lakh"\nlpd = "lakh/lpd_5_cleansed"\ngenres = "labels"\n')
    items = list(list_jobs(open_sources([str(file)])[0]))
    assert [item.known and item.known.genres for item in items if isinstance(item, Job)] == [()]
    assert [item.path for item in items if isinstance(item, Reject)] == ["labels/a.cls"]


def test_what_lies_among_the_music_is_read_or_told(tree: TreeWriter) -> None:
    tree.midi(1, 1)
    for name in ("words.lrc", "roll.npz", "README.txt"):
        tree.place("lmd_matched", 1, name).write_bytes(b"")
    tree.place("lmd_matched", 2, "sung.KAR").write_bytes(b"")
    tree.place("lmd_matched", 3, f"{md5(3)}.rmi").write_bytes(b"")
    tree.roll(4, 4)
    tree.midi(4, 4, folder="lpd_5_cleansed")
    jobs, rejects = listed(tree)
    assert {Path(job.path).suffix for job in jobs.values()} == {".mid", ".KAR", ".rmi", ".npz"} and len(jobs) == 4
    assert rejects == {"unknown_type": 3}


def test_texts_beside_the_music_are_no_songs_unless_of_a_songbook(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    (tree.root / "notes.txt").write_text("what I still have to do\n")
    (tree.root / "unique_tracks.txt").write_text(f"{track_id(1)}<SEP>A<SEP>B\n")
    (tree.root / "mine.txt").write_text(songbook_text("Mine", ["one"]))
    items = list(list_jobs(open_source(str(tree.root))))
    assert [item.kind for item in items if isinstance(item, Job)] == ["npz", "songbook"]
    assert [item.code.value for item in items if isinstance(item, Reject)] == ["unknown_type"] * 2


def test_other_files_of_the_folder_are_read_as_ever(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    (tree.root / "lyrics-data.csv").write_text("title,lyrics\nA,some words\n")
    (tree.root / "lmd_matched_h5").mkdir()
    (tree.root / "lmd_matched_h5" / f"{track_id(1)}.h5").write_bytes(b"")
    items = list(list_jobs(open_source(str(tree.root))))
    assert [item.kind for item in items if isinstance(item, Job)] == ["npz", "table"] and len(items) == 2


def test_music_named_by_md5_alone_is_no_lakh_corpus(tmp_path: Path) -> None:
    (tmp_path / f"{md5(1)}.mid").write_bytes(b"")
    assert find_tree(tmp_path) is None
    (tmp_path / "cleansed_ids.txt").write_text(f"{md5(1)}    {track_id(1)}\n")
    found = find_tree(tmp_path)
    assert found is not None
    (job,) = list_lakh_jobs(found, "a")
    assert isinstance(job, Job) and job.known is not None and job.known.track_id == track_id(1)


def test_lists_alone_are_no_corpus(tree: TreeWriter, tmp_path: Path) -> None:
    (tree.root / "empty").mkdir()
    tree.ids((1, 1))
    file = tmp_path / "mine.toml"
    file.write_text('[[source]]\ncorpus = "lakh"\nlpd = "lakh/empty"\ncleansed_ids = "lakh/cleansed_ids.txt"\n')
    with pytest.raises(SourceError, match="holds no songs"):
        open_sources([str(file)])


@pytest.mark.parametrize("more", ["", 'lpd = "lakh/lpd_5_cleansed"'])
def test_a_folder_without_a_lakh_corpus_is_refused_as_one(tree: TreeWriter, tmp_path: Path, more: str) -> None:
    tree.roll(1, 1)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "song.mid").write_bytes(b"")
    file = tmp_path / "mine.toml"
    file.write_text(f'[[source]]\ncorpus = "lakh"\nfolder = "plain"\n{more}\n')
    with pytest.raises(SourceError, match=r"no Lakh corpus in .*plain.*lpd_5_cleansed/A/B/C"):
        open_sources([str(file)])


def test_a_folder_that_is_none_of_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "mine.toml"
    file.write_text('[[source]]\ncorpus = "lakh"\nlpd = "empty"\n')
    with pytest.raises(SourceError, match="holds no songs"):
        open_sources([str(file)])


def test_a_folder_that_goes_while_it_is_opened_is_a_source_error(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(folder: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(folder))

    tree.roll(1, 1)
    monkeypatch.setattr("rhapsody_lib.corpus.sources.find_tree", gone)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_source(str(tree.root))


def test_a_source_file_names_the_parts_one_by_one(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    tree.midi(1, 1)
    tree.metadata((1, "One", "A Band", 1990))
    tree.genres((1, "Folk"), name="anything.txt")
    (tree.root / "track_metadata.db").rename(tmp_path / "songs.db")
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[source]]\ncorpus = "lakh"\nname = "tunes"\nlpd = "lakh/lpd_5_cleansed"\nmidi = "lakh/lmd_matched"\n'
        'metadata = "songs.db"\ngenres = "lakh/anything.txt"\n\n[[source]]\ncorpus = "songbook"\n'
    )
    tunes, songbook = open_sources([str(file)])
    assert tunes.name == "tunes" and songbook.embedded
    (job,) = list_jobs(tunes)
    assert isinstance(job, Job) and job.known is not None and job.known.tempo_path
    assert (job.known.title, job.known.genres) == ("One", ("Folk",))
    before = source_fingerprint(str(file))
    (tree.root / "anything.txt").write_text("")
    assert source_fingerprint(str(file)) != before
