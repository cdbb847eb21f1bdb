"""The music of a corpus, by track: of its table only what is asked for is read."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path


class Tracks:
    """The tracks of a prepared corpus.

    Args:
        path: its table of tracks. Tracks may be gigabytes; those of one row group are read at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """Row group of each track, and its row there."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._path) as file:
            groups = (file.read_row_group(group, columns=["track_id"]) for group in range(file.num_row_groups))
            ids = [group.column("track_id").to_pylist() for group in groups]
        return {track_id: (group, row) for group, found in enumerate(ids) for row, track_id in enumerate(found)}

    def midi(self, track_id: str | None) -> bytes | None:
        """The MIDI file of a track; none if the corpus has no such track."""
        import pyarrow.parquet as pq

        if track_id not in self._places:
            return None
        group, row = self._places[track_id]
        with pq.ParquetFile(self._path) as file:
            midi: bytes | None = file.read_row_group(group, columns=["midi"]).column("midi")[row].as_py()
        return midi
