"""How the parts of a Lakh corpus are joined to jobs, and what is counted that does not join."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Job, Known, Reject
from rhapsody_lib.corpus.lakh.jobs import MAX_BROKEN
from rhapsody_lib.corpus.source_check import check_source
from rhapsody_lib.corpus.sources import list_jobs, open_source, open_sources
from rhapsody_lib.errors import SourceError
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.lakh.trees import WORDS, TreeWriter, listed, md5, track_id


def test_all_parts_are_joined(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.midi(1, 1)
    tree.ids((1, 1))
    tree.metadata((1, "Evening Bells", "The Band", 1969))
    tree.genres((1, "Pop_Rock\tFolk"))
    tree.genres((1, "Folk"), name="msd_tagtraum_cd2.cls")
    (tree.root / "id_list_New-Age.txt").write_text(f"{track_id(1)}\n")
    tree.lyrics((1, WORDS + "\n...\n\n******* This Lyrics is NOT for Commercial use *******"))
    jobs, rejects = listed(tree)
    job = jobs[track_id(1)]
    assert not rejects and job.kind == "npz" and job.name == f"lpd_5_cleansed/A/B/C/{track_id(1)}/{md5(1)}.npz"
    known = job.known
    assert known is not None and known.tempo_path.endswith(f"{md5(1)}.mid")
    assert (known.title, known.artist, known.year) == ("Evening Bells", "The Band", 1969)
    assert known.genres == ("Pop_Rock", "Folk", "New Age") and "musiXmatch" in known.licence
    assert known.lyrics == "\n".join(WORDS.splitlines()[:-1])


def test_the_best_match_of_a_song_is_read(tree: TreeWriter) -> None:
    for digest, score in ((1, 0.6), (2, 0.8), (3, 0.7)):
        tree.midi(1, digest)
        tree.score(1, digest, score)
    jobs, rejects = listed(tree)
    assert jobs[track_id(1)].path.endswith(f"{md5(2)}.mid") and rejects == {"other_match": 2}


def test_what_is_listed_is_read_before_a_better_match(tree: TreeWriter) -> None:
    for digest, score in ((1, 0.6), (2, 0.8)):
        tree.midi(1, digest)
        tree.score(1, digest, score)
    tree.ids((1, 1))
    assert listed(tree)[0][track_id(1)].path.endswith(f"{md5(1)}.mid")


def test_one_music_of_several_songs_is_read_once(tree: TreeWriter) -> None:
    for track, score in ((1, 0.9), (2, 0.6), (3, 0.7)):
        tree.roll(track, 1)
        tree.score(track, 1, score)
    tree.ids((1, 1), (1, 2), (1, 3))
    jobs, rejects = listed(tree)
    assert set(jobs) == {track_id(1)} and rejects == {"repeated_md5": 2}
    tree.lyrics((2, WORDS))
    assert set(listed(tree)[0]) == {track_id(2)}  # the one that has words


def test_a_file_that_matches_several_songs_is_left_out_of_none_it_is_read_for(tree: TreeWriter) -> None:
    (tree.root / "lmd_full" / "0").mkdir(parents=True)
    for digest in (1, 2, 3):
        (tree.root / "lmd_full" / "0" / f"{md5(digest)}.mid").write_bytes(b"")
    for track, digest, score in ((1, 1, 0.9), (1, 2, 0.8), (2, 2, 0.7), (2, 1, 0.6), (3, 3, 0.5), (2, 3, 0.4)):
        tree.score(track, digest, score)
    jobs, rejects = listed(tree)
    assert {track: Path(job.path).stem for track, job in jobs.items()} == {
        track_id(1): md5(1), track_id(2): md5(2), track_id(3): md5(3),
    }  # fmt: skip
    assert not rejects


def test_five_tracks_are_read_before_others_and_the_rest_counted(tree: TreeWriter) -> None:
    tree.roll(1, 1, folder="lpd_cleansed")
    tree.roll(1, 1, folder="lpd_5/lpd_5_cleansed")
    (tree.root / "flat").mkdir()
    (tree.root / "flat" / f"{md5(1)}.npz").write_bytes(b"")
    tree.ids((1, 1))
    jobs, rejects = listed(tree)
    assert jobs[track_id(1)].name.startswith("lpd_5/") and rejects == {"repeated_md5": 2}


def test_what_does_not_join_is_counted_by_reason(tree: TreeWriter) -> None:
    for track in range(1, 5):
        tree.roll(track, track)
    tree.ids((1, 1), (9, 9), (9, 9), (3, 3))
    (tree.root / "lmd_full" / "0").mkdir(parents=True)
    for digest in (1, 8):
        (tree.root / "lmd_full" / "0" / f"{md5(digest)}.mid").write_bytes(b"")
    tree.metadata((1, "One", "A", 1990), (2, "Two", "A", 0))
    tree.lyrics((3, WORDS), (7, WORDS))
    tree.genres((1, "Folk"), (99, "Rap"), (1, ""))
    jobs, rejects = listed(tree)
    assert set(jobs) == {track_id(1), track_id(2), track_id(3)}
    assert rejects == {"no_file": 1, "no_match": 1, "no_metadata": 1, "no_midi": 1, "bad_table": 1}
    known = jobs[track_id(3)].known
    assert known is not None and known.title == "Song 3"  # the table of lyrics knows it


def test_the_list_of_the_cleansed_set_is_enough(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.ids((1, 1))
    (tree.root / "matched_ids.txt").write_text(f"{md5(5)}    {track_id(5)}\n")
    assert listed(tree)[1] == {"unknown_type": 1}  # and is no song: a text of many lines
    (tree.root / "cleansed_ids.txt").unlink()
    assert listed(tree)[1] == {"no_file": 1}


def test_partial_trees_are_read(tree: TreeWriter) -> None:
    tree.midi(1, 1)
    jobs, rejects = listed(tree)
    assert jobs[track_id(1)].known == Known(licence="CC-BY-4.0", track_id=track_id(1)) and not rejects
    tree.roll(2, 2)
    assert set(listed(tree)[0]) == {track_id(1), track_id(2)}
    inside = open_source(str(tree.root / "lpd_5_cleansed"))
    assert [item.kind for item in list_jobs(inside) if isinstance(item, Job)] == ["npz"]


@pytest.mark.parametrize("name", ["track_metadata.db", "match_scores.json", "matched_lyrics.csv", "midi_info.json"])
def test_a_broken_part_is_a_reject_and_the_rest_is_joined(tree: TreeWriter, name: str) -> None:
    tree.roll(1, 1)
    tree.roll(2, 2)
    tree.lyrics((1, WORDS))
    (tree.root / name).write_bytes(b"\x00\x01 not what it should be")
    jobs, rejects = listed(tree)
    lost = 2 if name == "track_metadata.db" else 0  # no catalogue knows the second, and it is not called by its id
    assert rejects["bad_table"] == 1 and len(jobs) == 2 - lost // 2 and rejects["no_metadata"] == lost // 2


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_a_database_that_cannot_be_read_is_told_as_such(tree: TreeWriter, keep: float, caplog) -> None:
    tree.roll(1, 1)
    tree.metadata((1, "One", "A", 1990))
    data = (tree.root / "track_metadata.db").read_bytes()
    (tree.root / "track_metadata.db").write_bytes(data[: int(len(data) * keep)] or b"no database\n" * 99)
    items = list(list_jobs(open_source(str(tree.root))))
    (detail,) = (item.detail for item in items if isinstance(item, Reject) and item.code.value == "no_metadata")
    assert "track_metadata.db could not be read" in detail
    assert "track_metadata.db cannot be read on" in caplog.text


def test_broken_lines_are_named_up_to_a_number(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    (tree.root / "cleansed_ids.txt").write_text("nothing\n" * (MAX_BROKEN + 500))
    assert listed(tree)[1] == {"bad_table": MAX_BROKEN + 1}


def test_a_table_of_words_that_is_cut_off_is_a_reject(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    words = "".join(f"{track_id(n)},A,B,{md5(n * 7919)}\n" for n in range(1, 3000))
    packed = gzip.compress(f"track_id,title,artist_name,Lyrics\n{words}".encode(), mtime=0)
    file = tmp_path / "mine.toml"
    file.write_text('[[source]]\ncorpus = "lakh"\nfolder = "lakh"\nlyrics = "words.csv.gz"\n')
    for damaged in (packed[: len(packed) // 2], packed[:30] + bytes(300) + packed[330:]):
        (tmp_path / "words.csv.gz").write_bytes(damaged)
        items = list(list_jobs(open_sources([str(file)])[0]))
        assert "bad_table" in {item.code.value for item in items if isinstance(item, Reject)}
        assert sum(isinstance(item, Job) for item in items) == 1


def test_a_database_that_is_silent_makes_no_half_join(tree: TreeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        tree.roll(number, number)
    tree.metadata(*((number, "One", "A", 1990) for number in range(5)))
    monkeypatch.setattr("rhapsody_lib.corpus.lakh.metadata._MOST_SECONDS", -1.0)
    monkeypatch.setattr("rhapsody_lib.corpus.lakh.metadata._STEPS_BETWEEN_CHECKS", 1)
    with pytest.raises(SourceError, match=r"track_metadata\.db.*faster disk"):
        list(list_jobs(open_source(str(tree.root))))


def test_songs_not_asked_for_are_not_parsed(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.roll(2, 2, data=b"never read")
    tree.metadata((1, "One", "ABBA", 1975), (2, "Two", "Other", 1975))
    items = list(list_jobs(open_source(str(tree.root)), CorpusSettings(artists=("abba",))))
    assert [item.code.value if isinstance(item, Reject) else item.kind for item in items] == ["npz", "not_chosen"]
    (checked,) = check_source(str(tree.root), CorpusSettings(artists=("Nobody",)), 1)
    assert 'corpus.artists=["Nobody"]' in " ".join(found.remedy for found in checked.findings if found.level == "error")


def test_jobs_travel_as_json(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.metadata((1, "One", "A Band", 1990))
    tree.genres((1, "Folk\tJazz"))
    (job,) = list_jobs(open_source(str(tree.root)))
    assert isinstance(job, Job) and Job.from_message(json.loads(json.dumps(job.message()))) == job


def test_mini_lpd_is_joined_song_by_song(datasets: Path) -> None:
    source = open_source(str(datasets / "mini_lpd"))
    items = list(list_jobs(source))
    known = [item.known for item in items if isinstance(item, Job) and item.known is not None]
    assert len(known) == len({each.track_id for each in known}) == 64 and all(each.title for each in known)
    assert sum(bool(each.tempo_path) for each in known) == 64 and sum(bool(each.genres) for each in known) == 63
    assert sum(bool(each.lyrics) for each in known) == 48 and sum(each.year > 0 for each in known) == 34
    assert not any("ommercial use" in each.lyrics or each.lyrics.endswith("...") for each in known)
    assert Counter(item.code.value for item in items if isinstance(item, Reject)) == {"repeated_md5": 21}
