"""What was prepared, in numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.compute as pc

from rhapsody_lib.corpus.found import Reject


@dataclass(frozen=True)
class CorpusSummary:
    """What was prepared; summary.json holds it. Counts are of songs but for `rejects`, `words`, `notes`, `seconds`.

    `sources` counts the songs and rejects of each source, `rejects` all rejects by reason, `seconds` is of music.
    """

    songs: int
    tracks: int
    words: int
    notes: int
    seconds: float
    sources: dict[str, dict[str, int]]
    splits: dict[str, int]
    languages: dict[str, int]
    rejects: dict[str, int]

    def to_json(self) -> str:
        """Indented JSON with sorted keys."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class Tally:
    """Counts that a summary is made of.

    Args:
        sources: their names.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = {source: {"songs": 0, "rejects": 0} for source in sources}
        self._songs, self._tracks, self._words, self._notes = 0, 0, 0, 0
        self._milliseconds = 0
        self._splits: Counter[str] = Counter()
        self._languages: Counter[str] = Counter()
        self._rejects: Counter[str] = Counter()

    def keep(self, source: str, rows: pa.Table, splits: Sequence[str]) -> None:
        """Count songs of a source that are kept: rows of a shard."""
        self._songs += rows.num_rows
        self._words += pc.sum(rows["words"]).as_py() or 0
        self._notes += pc.sum(rows["notes"]).as_py() or 0
        self._tracks += rows.num_rows - rows["seconds"].null_count
        # In whole milliseconds: the sum does not depend on how the songs lie in shards.
        self._milliseconds += sum(round(1000 * each) for each in rows["seconds"].drop_null().to_pylist())
        self._sources[source]["songs"] += rows.num_rows
        self._languages.update(rows["language"].to_pylist())
        self._splits.update(splits)

    def reject(self, reject: Reject) -> None:
        """Count a reject."""
        self._sources[reject.source]["rejects"] += 1
        self._rejects[reject.code.value] += 1

    def summary(self) -> CorpusSummary:
        """The counts so far, keys sorted."""
        return CorpusSummary(
            songs=self._songs,
            tracks=self._tracks,
            words=self._words,
            notes=self._notes,
            seconds=self._milliseconds / 1000,
            sources=self._sources,
            splits=dict(sorted(self._splits.items())),
            languages=dict(sorted(self._languages.items())),
            rejects=dict(sorted(self._rejects.items())),
        )
