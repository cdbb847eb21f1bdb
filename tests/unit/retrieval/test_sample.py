"""Which songs a catalogue may be measured with."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from rhapsody_lib.retrieval.pairs import heldout_artist
from rhapsody_lib.retrieval.sample import Lots


class Segment:
    """Lots and words alone."""

    def __init__(self, count: int) -> None:
        self.batch = pa.record_batch({"words": pa.array([b"w"] * count)})

    def column(self, name: str) -> np.ndarray:
        return np.arange(self.batch.num_rows)


def test_a_song_without_an_artist_is_of_one_of_its_own() -> None:
    """Also where the name is empty: else all such songs were measured with, or none."""
    names = ["", None, "Ann"] * 40
    facts = pa.table({"song_id": [f"song {number}" for number in range(120)], "artist": names})
    lots = Lots.of(facts, [Segment(120)], 0.3)  # type: ignore[list-item]
    own = [name or f"song {number}" for number, name in enumerate(names)]
    assert lots.artists.to_pylist() == own
    assert list(lots.rows()) == [row for row, artist in enumerate(own) if heldout_artist(artist, 0.3)]
    assert 10 < sum(not names[row] for row in lots.rows()) < 50
