"""Whether a prepared corpus is what it says: every row, and what holds between rows and between tables.

Tables are read in batches. What is kept of a song is a few 64-bit digests, so that memory grows by some tens of bytes
a song.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.corpus.schema import REJECTS_FILE, SONGS_FILE, TRACKS_FILE
from rhapsody_lib.corpus.split import song_group

if TYPE_CHECKING:
    import polars as pl

_Digests = npt.NDArray[np.uint64]
_MAX_EXAMPLES = 3


@dataclass(frozen=True)
class Check:
    """One expectation: of which table, what it says, of how many rows, how many break it, some of them.

    `lenient` is one that a few rows may break, for it is about what files of strangers state.
    """

    table: str
    what: str
    rows: int
    broken: int
    lenient: bool = False
    examples: tuple[str, ...] = ()


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


class _Ids:
    """64-bit digests of texts, kept batch by batch."""

    def __init__(self) -> None:
        self._parts: list[_Digests] = []

    def add(self, digests: _Digests) -> None:
        self._parts.append(digests)

    def all(self) -> _Digests:
        return np.concatenate(self._parts) if self._parts else np.empty(0, np.uint64)

    def repeated(self) -> int:
        """How many are there already."""
        every = self.all()
        return len(every) - len(np.unique(every))


class CorpusChecks:
    """Takes the batches of the three tables, in any order, and says in the end what was found."""

    def __init__(self) -> None:
        self._rows: Counter[str] = Counter()
        self._broken: dict[str, Counter[str]] = {name: Counter() for name in (SONGS_FILE, TRACKS_FILE, REJECTS_FILE)}
        self._examples: dict[tuple[str, str], list[str]] = {}
        self._song_ids, self._track_ids, self._played_ids, self._wordless_ids = _Ids(), _Ids(), _Ids(), _Ids()
        self._groups = {"train": _Ids(), "heldout": _Ids()}
        self._counts: dict[str, Counter[str]] = {"splits": Counter(), "languages": Counter(), "rejects": Counter()}
        self._notes, self._wrong_digests = 0, 0

    def add(self, table: str, batch: pl.DataFrame) -> bool:
        """Check a batch of a table; False if its columns or their types are others, and no more can be said of it."""
        import dataframely as dy

        from rhapsody_lib.corpus.expectations import SCHEMAS

        self._rows[table] += batch.height
        try:
            failure = SCHEMAS[table].filter(batch)[1]
        except dy.exc.SchemaError as error:
            self._break(table, "|schema", batch.height, str(error).partition("\n")[0])
            return False
        for rule, count in failure.counts().items():
            self._break(table, rule, count)
        if failure.counts():
            self._keep_examples(table, failure.invalid())
        return True

    def _break(self, table: str, rule: str, count: int, example: str = "") -> None:
        self._broken[table][rule] += count
        held = self._examples.setdefault((table, rule), [])
        if example and len(held) < _MAX_EXAMPLES:
            held.append(example)

    def _keep_examples(self, table: str, rows: pl.DataFrame) -> None:
        name = {SONGS_FILE: "song_id", TRACKS_FILE: "track_id", REJECTS_FILE: "path"}[table]
        held = self._examples.setdefault((table, ""), [])
        held.extend(str(text) for text in rows[name].head(_MAX_EXAMPLES - len(held)))

    def add_songs(self, batch: pl.DataFrame) -> None:
        """What is checked of songs beyond their rows; the batch has passed `add`."""
        ids = _hashed(batch["song_id"])
        self._song_ids.add(ids)
        self._wordless_ids.add(ids[(batch["lyrics"].fill_null("") == "").to_numpy()])
        self._counts["splits"].update(_counted(batch["split"]))
        self._counts["languages"].update(_counted(batch["language"]))
        groups: dict[str, list[int]] = {"train": [], "heldout": []}
        for title, artist, song_id, split in batch.select("title", "artist", "song_id", "split").iter_rows():
            if split in groups:
                groups[split].append(_digest(song_group(title or "", artist or "", song_id or "")))
        for split, found in groups.items():
            self._groups[split].add(np.array(found, np.uint64))

    def add_tracks(self, batch: pl.DataFrame) -> None:
        """What is checked of tracks beyond their rows; the batch has passed `add`."""
        self._track_ids.add(_hashed(batch["track_id"]))
        self._played_ids.add(_hashed(batch["song_id"]))
        self._notes += int(batch["notes"].sum() or 0)
        for midi, told in batch.select("midi", "sha256").iter_rows():
            self._wrong_digests += hashlib.sha256(midi or b"").hexdigest() != told

    def add_rejects(self, batch: pl.DataFrame) -> None:
        """What is checked of rejects beyond their rows; the batch has passed `add`."""
        self._counts["rejects"].update(_counted(batch["reason"]))

    def finish(self, summary: Mapping[str, Any]) -> tuple[Check, ...]:
        """Every expectation, those of rows first. `summary` is the corpus's summary.json."""
        return (*self._of_rows(), *self._between(), *self._with_summary(summary))

    def _of_rows(self) -> Iterator[Check]:
        from rhapsody_lib.corpus.expectations import LENIENT, RULES, SCHEMAS

        for table, schema in SCHEMAS.items():
            rows, broken = self._rows[table], self._broken[table]
            wrong = tuple(self._examples.get((table, "|schema"), ()))
            yield Check(table, "columns and their types are those of the schema", rows, broken["|schema"], False, wrong)
            told = tuple(self._examples.get((table, ""), ()))
            found = [(rule, count) for rule, count in sorted(broken.items()) if count and rule != "|schema"]
            if not found:
                yield Check(table, f"every value is as expected, in {len(schema.column_names())} columns", rows, 0)
            for rule, count in found:
                column, _, name = rule.partition("|") if "|" in rule else ("midi", "", rule)
                lenient = column in LENIENT and name != "nullability"
                yield Check(table, f"{column} {RULES.get(name, name)}", rows, count, lenient, told)

    def _between(self) -> Iterator[Check]:
        songs, played = np.unique(self._song_ids.all()), self._played_ids.all()
        tracks, silent = len(played), self._wordless_ids.all()
        train, heldout = (np.unique(self._groups[split].all()) for split in ("train", "heldout"))
        shared = len(np.intersect1d(train, heldout, assume_unique=True))
        yield Check(SONGS_FILE, "song_id is unique", self._rows[SONGS_FILE], self._song_ids.repeated())
        yield Check(TRACKS_FILE, "track_id is unique", self._rows[TRACKS_FILE], self._track_ids.repeated())
        yield Check(TRACKS_FILE, "its song is in the songs table", tracks, int((~np.isin(played, songs)).sum()))
        yield Check(TRACKS_FILE, "sha256 is that of its MIDI", tracks, self._wrong_digests)
        yield Check(
            SONGS_FILE, "has words, or else music", self._rows[SONGS_FILE], int((~np.isin(silent, played)).sum())
        )
        what = "no song, and no second version of it, is both trained on and held out"
        yield Check(SONGS_FILE, what, len(train) + len(heldout), shared)
        empty = int(len(train) + len(heldout) > 1 and not (len(train) and len(heldout)))
        yield Check(SONGS_FILE, "some songs are trained on and some held out", len(train) + len(heldout), empty)

    def _with_summary(self, summary: Mapping[str, Any]) -> Iterator[Check]:
        told = {"songs": summary.get("songs"), "tracks": summary.get("tracks"), "notes": summary.get("notes")}
        found = {"songs": self._rows[SONGS_FILE], "tracks": self._rows[TRACKS_FILE], "notes": self._notes}
        wrong = [f"{name}: {told[name]} told, {found[name]} found" for name in found if told[name] != found[name]]
        for name, counts in self._counts.items():
            if dict(counts) != dict(summary.get(name) or {}):
                wrong.append(f"{name} differ")
        yield Check(
            "summary.json", "counts are those of the tables", 3 + len(self._counts), len(wrong), False, tuple(wrong)
        )


def _hashed(column: pl.Series) -> _Digests:
    hashed: _Digests = column.hash(0).to_numpy()
    return hashed


def _counted(column: pl.Series) -> dict[str, int]:
    return {str(value): count for value, count in column.value_counts().iter_rows()}
