"""What is read of the songs of a Lakh corpus: tempo, words, music, and when they are read again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rhapsody_lib.corpus.found import Found, Job, ParsedSong
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.shards import SongShard, file_digests
from rhapsody_lib.corpus.sources import list_jobs, open_source
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.lakh.trees import WORDS, TreeWriter, md5


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


def test_a_roll_is_a_primer_too(tree: TreeWriter) -> None:
    tree.roll(1, 1)
    path = tree.place("lpd_5_cleansed", 1, f"{md5(1)}.npz")
    track = parse_job(Job("primer", str(path), path.name)).track
    assert track is not None and track.notes == 64 and track.programs == (0, 32, 73)


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
