"""The data card: what is counted is what is there, and what is wrong with a corpus is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("dataframely")

from rhapsody_lib.corpus.card import REJECT_SAMPLES, SONG_SAMPLES, describe_corpus
from rhapsody_lib.corpus.clean import sung_words
from rhapsody_lib.corpus.histograms import OTHERS, Histogram, Sample, Tally, full_counts
from rhapsody_lib.errors import SourceError
from tests.unit.corpus.corpus_tables import reject_row, song_row, track_row, whole, write_corpus


def broken(card: dict[str, Any]) -> dict[str, int]:
    return {check["what"]: check["broken"] for check in card["checks"] if check["broken"]}


def test_a_whole_corpus_breaks_nothing_and_is_counted(tmp_path: Path) -> None:
    songs, tracks = whole()
    card = describe_corpus(write_corpus(tmp_path, songs, tracks, [reject_row(number) for number in range(9)]))
    assert broken(card) == {}
    assert card["names"]["language"] == {"en": 60}
    assert card["names"]["genre"] == {"folk": 60, "pop": 30}
    assert card["counts"]["artists"] == 5
    assert card["numbers"]["words"]["mean"] * 60 == pytest.approx(sum(len(sung_words(row["lyrics"])) for row in songs))
    assert card["numbers"]["lines"]["least"] == 4
    assert card["numbers"]["tempo_bpm"]["n"] == 60
    assert len(card["samples"]) == SONG_SAMPLES
    assert len(card["reject_examples"]["bad_midi"]) == REJECT_SAMPLES
    json.dumps(card, allow_nan=False)


def test_the_order_of_the_songs_changes_no_figure(tmp_path: Path) -> None:
    songs, tracks = whole()
    one = describe_corpus(write_corpus(tmp_path / "a", songs, tracks))
    other = describe_corpus(write_corpus(tmp_path / "b", songs[::-1], tracks[::-1]))
    assert one == other


#: What is done to the songs and tracks of a corpus, and what is then said of it.
WRONG: dict[str, tuple[Callable[[list[Any], list[Any]], object], str]] = {
    "a song twice": (lambda songs, tracks: songs.append(songs[1]), "song_id is unique"),
    "a track twice": (lambda songs, tracks: tracks.append(tracks[1]), "track_id is unique"),
    "a track of no song": (
        lambda songs, tracks: tracks.append(track_row(900)),
        "its song is in the songs table",
    ),
    "other bytes": (lambda songs, tracks: tracks[3].update(midi=b"MThdx"), "sha256 is that of its MIDI"),
    "no MIDI": (lambda songs, tracks: tracks[3].update(midi=b"RIFFx"), "midi begins as a MIDI file does"),
    "a version on the other side": (
        lambda songs, tracks: songs.append(song_row(700, title="Song 5 (Live)", artist="artist 0", split="train")),
        "no song, and no second version of it, is both trained on and held out",
    ),
    "nothing held out": (
        lambda songs, tracks: [row.update(split="train") for row in songs],
        "some songs are trained on and some held out",
    ),
    "a split of its own": (lambda songs, tracks: songs[2].update(split="test"), "split has its form"),
    "a title missing": (lambda songs, tracks: songs[2].update(title=None), "title is there"),
    "a tempo out of range": (
        lambda songs, tracks: tracks[2].update(tempo_bpm=900.0),
        "tempo_bpm is not above its range",
    ),
    "a tempo that is none": (lambda songs, tracks: tracks[2].update(tempo_bpm=float("nan")), "tempo_bpm is a number"),
    "no length": (lambda songs, tracks: tracks[2].update(seconds=0.0), "seconds is above 0"),
    "a year to come": (lambda songs, tracks: songs[2].update(year=9999), "year is not above its range"),
    "a key of no mode": (lambda songs, tracks: tracks[2].update(key="H"), "key has its form"),
    "neither words nor music": (
        lambda songs, tracks: songs.append(song_row(800, lyrics="")),
        "has words, or else music",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_and_nothing_else(tmp_path: Path, name: str) -> None:
    change, told = WRONG[name]
    songs, tracks = whole()
    change(songs, tracks)
    found = broken(describe_corpus(write_corpus(tmp_path, songs, tracks)))
    also = {"no MIDI": "sha256 is that of its MIDI", "a tempo that is none": "tempo_bpm is not above its range"}
    assert told in found
    assert found.keys() <= {told, also.get(name, told)}


def test_an_instrumental_is_no_fault(tmp_path: Path) -> None:
    songs, tracks = whole()
    songs[4].update(lyrics="", language="und")
    card = describe_corpus(write_corpus(tmp_path, songs, tracks))
    assert broken(card) == {}
    assert card["lacking"]["lyrics"] == 1
    assert card["numbers"]["words"]["n"] == 59


def test_a_summary_that_tells_other_counts_is_found(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path, *whole())
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "songs": 61}))
    assert broken(describe_corpus(folder)) == {"counts are those of the tables": 1}


def test_a_table_with_other_columns_is_a_broken_check_and_no_crash(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    folder = write_corpus(tmp_path, *whole())
    table = pq.read_table(folder / "tracks.parquet")
    pq.write_table(table.drop_columns(["tempo_bpm"]), folder / "tracks.parquet")
    assert broken(describe_corpus(folder))["columns and their types are those of the schema"] == 60


@pytest.mark.parametrize("name", ["songs.parquet", "summary.json"])
def test_a_table_that_is_cut_off_is_one_error(tmp_path: Path, name: str) -> None:
    folder = write_corpus(tmp_path, *whole())
    (folder / name).write_bytes((folder / name).read_bytes()[:40])
    with pytest.raises(SourceError, match=r"cannot be read.*Prepare it again"):
        describe_corpus(folder)


@given(st.lists(st.floats(0, 5000, allow_nan=False), min_size=1, max_size=200))
@settings(max_examples=50, deadline=None)
def test_a_histogram_holds_every_value_and_comes_back(values: list[float]) -> None:
    histogram = Histogram.of("seconds")
    for part in np.array_split(np.array(values), 3):
        histogram.add(part)
    told = histogram.message()
    assert full_counts("seconds", told).tolist() == histogram.counts.tolist()
    assert histogram.n == len(values)
    assert min(values) <= histogram.quantile(0.05) <= histogram.quantile(0.5) <= histogram.quantile(0.95) <= max(values)


def test_values_that_are_no_numbers_are_left_out() -> None:
    histogram = Histogram.of("tempo_bpm")
    histogram.add([120.0, float("nan"), float("inf"), 5.0, 999.0])
    assert histogram.n == 3
    assert (histogram.counts[0], histogram.counts[-1], histogram.counts[50]) == (1, 1, 1)


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=300))
@settings(max_examples=50, deadline=None)
def test_a_tally_is_bounded_and_loses_no_count(names: list[str]) -> None:
    tally = Tally(limit=4)
    for name in names:
        tally.add({name: 1})
    told = tally.message()
    assert sum(told.values()) == len(names)
    assert len(told.keys() - {OTHERS}) <= 4


@given(st.permutations(list(range(30))))
@settings(max_examples=30, deadline=None)
def test_a_sample_is_the_same_in_any_order(order: list[int]) -> None:
    sample = Sample(5)
    for number in order:
        sample.add(number * 7919 % 31, {"number": number})
    assert [row["number"] * 7919 % 31 for row in sample.rows()] == sorted(number * 7919 % 31 for number in range(30))[
        :5
    ]
