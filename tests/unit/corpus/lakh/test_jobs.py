from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Found, Job, Known, ParsedSong, Reject
from rhapsody_lib.corpus.lakh.jobs import MAX_BROKEN, list_lakh_jobs
from rhapsody_lib.corpus.lakh.tree import find_tree
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.shards import SongShard, file_digests
from rhapsody_lib.corpus.sources import list_jobs, open_source, open_sources, source_fingerprint
from rhapsody_lib.errors import SourceError, UnreadableFileError
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import songbook_text
from tests.unit.corpus.lakh.trees import WORDS, TreeWriter, md5, track_id


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    (tmp_path / "lakh").mkdir()
    return TreeWriter(tmp_path / "lakh")


def _listed(tree: TreeWriter) -> tuple[dict[str, Job], Counter[str]]:
    """Jobs by MSD id, and how many rejects there are of each reason."""
    items = list(list_jobs(open_source(str(tree.root))))
    names = [item.name if isinstance(item, Job) else item.path for item in items]
    assert len(set(names)) == len(names)
    jobs = {item.known.track_id: item for item in items if isinstance(item, Job) and item.known is not None}
    return jobs, Counter(item.code.value for item in items if isinstance(item, Reject))


def test_all_parts_are_joined(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.midi(1, 1)
    tree.ids((1, 1))
    tree.metadata((1, "Evening Bells", "The Band", 1969))
    tree.genres((1, "Pop_Rock\tFolk"))
    tree.genres((1, "Folk"), name="msd_tagtraum_cd2.cls")
    (tree.root / "id_list_New-Age.txt").write_text(f"{track_id(1)}\n")
    tree.lyrics((1, WORDS + "\n...\n\n******* This Lyrics is NOT for Commercial use *******"))
    jobs, rejects = _listed(tree)
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
    jobs, rejects = _listed(tree)
    assert jobs[track_id(1)].path.endswith(f"{md5(2)}.mid") and rejects == {"other_match": 2}


def test_what_is_listed_is_read_before_a_better_match(tree: TreeWriter) -> None:
    for digest, score in ((1, 0.6), (2, 0.8)):
        tree.midi(1, digest)
        tree.score(1, digest, score)
    tree.ids((1, 1))
    assert _listed(tree)[0][track_id(1)].path.endswith(f"{md5(1)}.mid")


def test_one_music_of_several_songs_is_read_once(tree: TreeWriter) -> None:
    for track, score in ((1, 0.9), (2, 0.6), (3, 0.7)):
        tree.roll(track, 1)
        tree.score(track, 1, score)
    tree.ids((1, 1), (1, 2), (1, 3))
    jobs, rejects = _listed(tree)
    assert set(jobs) == {track_id(1)} and rejects == {"repeated_md5": 2}
    tree.lyrics((2, WORDS))
    assert set(_listed(tree)[0]) == {track_id(2)}  # the one that has words


def test_a_file_that_matches_several_songs_is_left_out_of_none_it_is_read_for(tree: TreeWriter) -> None:
    (tree.root / "lmd_full" / "0").mkdir(parents=True)
    for digest in (1, 2, 3):
        (tree.root / "lmd_full" / "0" / f"{md5(digest)}.mid").write_bytes(b"")
    for track, digest, score in ((1, 1, 0.9), (1, 2, 0.8), (2, 2, 0.7), (2, 1, 0.6), (3, 3, 0.5), (2, 3, 0.4)):
        tree.score(track, digest, score)
    jobs, rejects = _listed(tree)
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
    jobs, rejects = _listed(tree)
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
    jobs, rejects = _listed(tree)
    assert set(jobs) == {track_id(1), track_id(2), track_id(3)}
    assert rejects == {"no_file": 1, "no_match": 1, "no_metadata": 1, "no_midi": 1, "bad_table": 1}
    known = jobs[track_id(3)].known
    assert known is not None and known.title == "Song 3"  # the table of lyrics knows it


def test_the_list_of_the_cleansed_set_is_enough(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.ids((1, 1))
    (tree.root / "matched_ids.txt").write_text(f"{md5(5)}    {track_id(5)}\n")
    assert _listed(tree)[1] == {"unknown_type": 1}  # and is no song: a text of many lines
    (tree.root / "cleansed_ids.txt").unlink()
    assert _listed(tree)[1] == {"no_file": 1}


def test_partial_trees_are_read(tree: TreeWriter) -> None:
    tree.midi(1, 1)
    jobs, rejects = _listed(tree)
    assert jobs[track_id(1)].known == Known(licence="CC-BY-4.0", track_id=track_id(1)) and not rejects
    tree.roll(2, 2)
    assert set(_listed(tree)[0]) == {track_id(1), track_id(2)}
    inside = open_source(str(tree.root / "lpd_5_cleansed"))
    assert [item.kind for item in list_jobs(inside) if isinstance(item, Job)] == ["npz"]


@pytest.mark.parametrize("name", ["track_metadata.db", "match_scores.json", "matched_lyrics.csv", "midi_info.json"])
def test_a_broken_part_is_a_reject_and_the_rest_is_joined(tree: TreeWriter, name: str) -> None:
    tree.roll(1, 1)
    tree.roll(2, 2)
    tree.lyrics((1, WORDS))
    (tree.root / name).write_bytes(b"\x00\x01 not what it should be")
    jobs, rejects = _listed(tree)
    lost = 2 if name == "track_metadata.db" else 0  # no catalogue knows the second, and it is not called by its id
    assert rejects["bad_table"] == 1 and len(jobs) == 2 - lost // 2 and rejects["no_metadata"] == lost // 2


def test_broken_lines_are_named_up_to_a_number(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    (tree.root / "cleansed_ids.txt").write_text("nothing\n" * (MAX_BROKEN + 500))
    assert _listed(tree)[1] == {"bad_table": MAX_BROKEN + 1}


def test_links_that_lead_out_are_not_followed(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    secret = tmp_path / f"{md5(2)}.npz"
    secret.write_bytes(b"")
    tree.place("lpd_5_cleansed", 2, secret.name).symlink_to(secret)
    jobs, rejects = _listed(tree)
    assert set(jobs) == {track_id(1)} and rejects == {"outside": 1}


def test_side_files_that_lead_out_are_left_out_unless_they_are_named(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    tree.lyrics((1, WORDS))
    linked = tree.root / "matched_lyrics.csv"
    away = linked.rename(tmp_path / "away.csv")
    linked.symlink_to(away)
    jobs, rejects = _listed(tree)
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
    jobs, rejects = _listed(tree)
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


def test_a_folder_that_goes_while_it_is_opened_is_a_source_error(
    tree: TreeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(folder: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(folder))

    tree.roll(1, 1)
    monkeypatch.setattr("rhapsody_lib.corpus.sources.find_tree", gone)
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_source(str(tree.root))


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


def test_songs_not_asked_for_are_not_parsed(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.roll(2, 2, data=b"never read")
    tree.metadata((1, "One", "ABBA", 1975), (2, "Two", "Other", 1975))
    items = list(list_jobs(open_source(str(tree.root)), CorpusSettings(artists=("abba",))))
    assert [item.code.value if isinstance(item, Reject) else item.kind for item in items] == ["npz", "not_chosen"]


def _parsed(tree: TreeWriter) -> Iterator[ParsedSong]:
    for job in list_jobs(open_source(str(tree.root))):
        assert isinstance(job, Job)
        yield parse_job(Job.from_message(job.message()))


def test_the_tempo_is_that_of_the_midi_file(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.lyrics((1, WORDS))
    (own,) = _parsed(tree)
    assert own.track is not None and own.track.tempo_bpm == 96
    (tree.root / "midi_info.json").write_text(
        f'{{"{md5(1)}": {{"constant_tempo": 80, "constant_time_signature": "3/4"}}}}'
    )
    (told,) = _parsed(tree)
    assert told.track is not None and (told.track.tempo_bpm, told.track.time_signature) == (80, "3/4")
    tree.midi(1, 1)
    (true,) = _parsed(tree)
    assert true.track is not None and (true.track.tempo_bpm, true.track.time_signature) == (100, "4/4")
    tree.place("lmd_matched", 1, f"{md5(1)}.mid").write_bytes(b"broken")
    (again,) = _parsed(tree)
    assert again.track == told.track


def test_words_are_looked_for_in_the_midi_file_last(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.midi(1, 1, words=WORDS)
    (sung,) = _parsed(tree)
    assert sung.lyrics.split() == WORDS.split()[:24]
    tree.lyrics((1, "other words than those"))
    (known,) = _parsed(tree)
    assert known.lyrics == "other words than those"


def test_music_without_words_is_kept_if_asked_for(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.midi(2, 2)
    for job in list_jobs(open_source(str(tree.root))):
        assert isinstance(job, Job)
        with pytest.raises(UnreadableFileError, match=r"no words|no lyric"):
            parse_job(job)
        assert parse_job(replace(job, words_needed=False)).lyrics == ""


def _digest(tree: TreeWriter) -> list[str]:
    source = open_source(str(tree.root))
    return file_digests(SongShard("lakh", str(tree.root), embedded=False, items=tuple(list_jobs(source))))


def test_a_row_is_made_again_when_what_is_known_of_its_song_changes(tree: TreeWriter, tmp_path: Path) -> None:
    tree.roll(1, 1)
    seen = [_digest(tree)]
    tree.midi(1, 1)
    seen.append(_digest(tree))
    tree.metadata((1, "One", "A Band", 1990))
    seen.append(_digest(tree))
    tree.lyrics((1, WORDS))
    seen.append(_digest(tree))
    tree.midi(1, 1, words="other bytes")
    seen.append(_digest(tree))
    assert len({digest for (digest,) in seen}) == 5
    moved = TreeWriter(tree.root.rename(tmp_path / "moved"))
    assert _digest(moved) == seen[-1]


def test_jobs_travel_as_json(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    tree.metadata((1, "One", "A Band", 1990))
    tree.genres((1, "Folk\tJazz"))
    (job,) = list_jobs(open_source(str(tree.root)))
    assert isinstance(job, Job) and Job.from_message(json.loads(json.dumps(job.message()))) == job


def test_a_roll_is_a_primer_too(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    path = tree.place("lpd_5_cleansed", 1, f"{md5(1)}.npz")
    track = parse_job(Job("primer", str(path), path.name)).track
    assert track is not None and track.notes == 64 and track.programs == (0, 32, 73)


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


def test_a_folder_that_is_none_of_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "mine.toml"
    file.write_text('[[source]]\ncorpus = "lakh"\nlpd = "empty"\n')
    with pytest.raises(SourceError, match="holds no songs"):
        open_sources([str(file)])


def test_mini_lpd_is_joined_song_by_song(datasets: Path) -> None:
    source = open_source(str(datasets / "mini_lpd"))
    items = list(list_jobs(source))
    known = [item.known for item in items if isinstance(item, Job) and item.known is not None]
    assert len(known) == len({each.track_id for each in known}) == 64 and all(each.title for each in known)
    assert sum(bool(each.tempo_path) for each in known) == 64 and sum(bool(each.genres) for each in known) == 63
    assert sum(bool(each.lyrics) for each in known) == 48 and sum(each.year > 0 for each in known) == 34
    assert not any("ommercial use" in each.lyrics or each.lyrics.endswith("...") for each in known)
    assert Counter(item.code.value for item in items if isinstance(item, Reject)) == {"repeated_md5": 21}


def test_songs_of_mini_lpd_have_their_words_and_true_tempi(datasets: Path) -> None:
    source = open_source(str(datasets / "mini_lpd"))
    chosen = CorpusSettings(years=(1900, 1910))
    found = [item for _, item in read_source(source, chosen, workers=1) if isinstance(item, Found)]
    assert len(found) == 6
    for item in found:
        track = item.song.track
        assert track is not None and track.notes > 200 and "\n" in item.song.lyrics
        assert 1900 <= item.song.year <= 1910 and item.song_id.startswith("mini_lpd/lpd_5_cleansed/")
    maggie = next(item.song for item in found if "Maggie" in item.song.title)
    assert maggie.track is not None and maggie.track.tempo_bpm == 96 and maggie.track.key == "F major"
