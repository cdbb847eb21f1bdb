from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.copying import BASE_COPIES_FILE, COPY_WORDS, REPORT_WORDS, CopyIndex
from rhapsody_lib.lyrics.runs import RunFilter, RunFilterBuilder, run_hashes, word_hashes
from rhapsody_lib.words.document import Lyrics, parse_lyrics

COPY = ["lamp", "is", "burning", "low", "a", "little"]


def test_runs_across_lines_are_found(songs: list[Lyrics]) -> None:
    index = CopyIndex.build(iter(songs))
    assert index.is_copy(COPY)
    assert not index.is_copy(COPY[:-1])
    assert not index.is_copy(["lamp", "is", "burning", "bright", "a", "little", "boat"])
    assert not index.is_copy(COPY[::-1])


def test_whole_lines_are_found(songs: list[Lyrics]) -> None:
    index = CopyIndex.build([*songs, parse_lyrics("Go down again slowly\nGo on\n")])
    assert index.is_line(["go", "down", "again", "slowly"])
    assert not index.is_line(["go", "again", "down", "slowly"])
    assert not index.is_line(["go", "on"])


def test_runs_are_reported(songs: list[Lyrics]) -> None:
    index = CopyIndex.build(songs)
    words = ["my", "salt", "on", "your", "coat", "and", "on"]
    assert index.runs(words, COPY_WORDS) == [False, True]
    assert index.runs(words, REPORT_WORDS) == [False, True, True]


def test_songs_without_words_make_an_index_that_finds_nothing() -> None:
    for songs in ([], [parse_lyrics("")], [parse_lyrics("...\n")]):
        assert not CopyIndex.build(songs).is_copy(COPY)


def test_saved_and_loaded(songs: list[Lyrics], tmp_path: Path) -> None:
    path = tmp_path / "copies.safetensors"
    built = CopyIndex.build(songs)
    built.save(path)
    assert CopyIndex.load(path).is_copy(COPY)
    assert CopyIndex.load(path).base is None
    CopyIndex.build(songs).save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    path.write_bytes(b"")
    with pytest.raises(DamagedArtifactError, match=r"copies\.safetensors"):
        CopyIndex.load(path)


def test_runs_of_the_base_model_are_copies_too(songs: list[Lyrics], tmp_path: Path) -> None:
    path, words = tmp_path / "copies.safetensors", ["an", "old", "poem", "that", "nobody", "owns", "now"]
    CopyIndex.build(songs).save(path)
    assert not CopyIndex.load(path).is_copy(words)
    base = RunFilter.of_size(2)
    base.add(run_hashes(word_hashes(words), COPY_WORDS))
    base.save(tmp_path / BASE_COPIES_FILE)
    assert CopyIndex.load(path).is_copy(words)
    assert CopyIndex.load(path).is_copy(COPY)
    (tmp_path / BASE_COPIES_FILE).write_bytes(b"no")
    with pytest.raises(DamagedArtifactError, match="base_copies"):
        CopyIndex.load(path)


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=50), max_size=5))
def test_what_was_put_in_is_always_found(songs: list[list[int]]) -> None:
    builder = RunFilterBuilder()
    for song in songs:
        builder.add(np.array(song, dtype=np.uint64))
    built = builder.build()
    assert built.contains(np.array([run for song in songs for run in song], dtype=np.uint64)).all()


def test_other_runs_are_seldom_found() -> None:
    rng = np.random.default_rng(0)
    known, other = rng.integers(0, 2**63, (2, 200_000), dtype=np.uint64)
    builder = RunFilterBuilder()
    builder.add(known)
    assert builder.build().contains(other).mean() < 0.001


def test_the_order_of_words_matters_and_rows_are_hashed_alike() -> None:
    words = word_hashes(["one", "two", "three", "four"])
    assert run_hashes(words, 2)[0] != run_hashes(words[::-1], 2)[-1]
    rows = np.stack([words, words[::-1]])
    assert (run_hashes(rows, 3)[1] == run_hashes(words[::-1], 3)).all()
    assert run_hashes(words, 5).shape == (0,)
