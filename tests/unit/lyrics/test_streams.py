from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.streams import batches, read_lyrics


@given(length=st.integers(2, 200), streams=st.integers(1, 7), steps=st.integers(1, 9))
def test_every_target_is_learnt_once_and_follows_its_input(length: int, streams: int, steps: int) -> None:
    stream = np.arange(1, length + 1, dtype=np.int32)
    seen: list[int] = []
    for batch in batches(stream, streams, steps):
        assert batch.inputs.shape == batch.targets.shape == batch.weights.shape == (streams, steps)
        kept = batch.weights > 0
        assert (batch.targets[kept] == batch.inputs[kept] + 1).all()
        seen += batch.targets[kept].tolist()
    assert sorted(seen) == list(range(2, length + 1))


def test_a_row_goes_on_where_it_stopped() -> None:
    first, second = list(batches(np.arange(25, dtype=np.int32), 2, 6))
    assert (second.inputs[:, 0] == first.targets[:, -1]).all()


def test_songs_of_one_split_are_read(corpus: Path) -> None:
    assert [song.title for song in read_lyrics(corpus, "train")] == ["Song 0", "Song 1"]
    assert [song.title for song in read_lyrics(corpus, "heldout")] == ["Song 2"]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "songs.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(SourceError, match=r"songs\.parquet"):
        read_lyrics(tmp_path, "train")
