from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.lyrics.song_tokens import SongTokens
from rhapsody_lib.lyrics.streams import batches, joined
from rhapsody_lib.lyrics.vocabulary import Tokens

SONGS = st.lists(st.integers(1, 30), min_size=1, max_size=12).map(
    lambda lengths: [np.arange(sum(lengths[:at]), sum(lengths[: at + 1]), dtype=np.int32) for at in range(len(lengths))]
)


def written(songs: list[Tokens], folder: str | Path) -> SongTokens:
    return SongTokens.write(iter(songs), Path(folder) / "songs")


@given(songs=SONGS, seed=st.integers(0, 99), data=st.data())
def test_songs_in_any_order_are_one_stream(songs: list[Tokens], seed: int, data: st.DataObject) -> None:
    order = np.random.default_rng(seed).permutation(len(songs))
    whole = np.concatenate([songs[index] for index in order])
    first = data.draw(st.integers(0, len(whole)))
    last = data.draw(st.integers(first, len(whole) + 5))
    with tempfile.TemporaryDirectory() as folder:
        stream = written(songs, folder).in_order(order)
        assert len(stream) == len(whole)
        assert (stream[first:last] == whole[first:last]).all()


@given(songs=SONGS, parts=st.integers(1, 9))
def test_the_parts_of_a_pass_have_each_target_once(songs: list[Tokens], parts: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stream = written(songs, folder).in_order(np.arange(len(songs)))
        seen: list[int] = []
        for index in range(parts):
            for batch in batches(stream.part(index, parts), 2, 3):
                kept = batch.weights > 0
                assert (batch.targets[kept] == batch.inputs[kept] + 1).all()
                seen += batch.targets[kept].tolist()
    assert sorted(seen) == list(range(1, sum(map(len, songs))))


def test_songs_are_read_back_and_counted(tmp_path: Path) -> None:
    songs = [np.array([5, 6, 7], np.int32), np.array([8], np.int32), np.array([9, 9], np.int32)]
    tokens = written(songs, tmp_path)
    assert [song.tolist() for song in tokens] == [song.tolist() for song in songs]
    assert tokens[-1].tolist() == [9, 9]
    assert tokens.tokens == len(joined(songs))
    assert tokens.counts(11).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 0]
    with pytest.raises(IndexError):
        tokens[3]


@given(songs=SONGS, tokens=st.integers(0, 400))
def test_songs_within_a_number_of_tokens(songs: list[Tokens], tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        table = written(songs, folder)
        found, again = (list(table.within(tokens)) for _ in range(2))
    firsts = [int(song[0]) for song in found]
    assert firsts == sorted(firsts) == [int(song[0]) for song in again]
    assert found
    assert sum(map(len, found)) <= tokens or len(found) == 1
    assert len(found) == len(songs) or table.tokens > tokens


def test_a_part_of_the_songs_has_some_of_each_source(tmp_path: Path) -> None:
    sources = [[np.full(10, source, np.int32)] * 100 for source in (1, 2)]
    found = [int(song[0]) for song in written(sources[0] + sources[1], tmp_path).within(500)]
    assert len(found) == 50
    assert 10 < found.count(1) < 40


def test_counts_are_those_of_all_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhapsody_lib.lyrics.song_tokens._COUNTED_TOKENS", 4)
    songs = [np.array(song, np.int32) for song in ([3, 1, 3], [2, 3, 3, 1, 0, 2], [3])]
    assert written(songs, tmp_path).counts(6).tolist() == [1, 2, 2, 5, 0, 0]


def test_the_digest_tells_other_songs(tmp_path: Path) -> None:
    one, other = (written([np.array([word], np.int32)], tmp_path).digest for word in (1, 2))
    assert one != other


def test_no_songs(tmp_path: Path) -> None:
    tokens = written([], tmp_path)
    assert len(tokens) == tokens.tokens == 0
    assert not list(tokens.within(5))
