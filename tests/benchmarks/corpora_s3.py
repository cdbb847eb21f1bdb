"""Reading a part of a prepared corpus from S3 beside plain s3fs, on OpenStack Swift on this machine."""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq

from rhapsody_lib import operations, uses
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.settings import Settings
from tests.benchmarks.corpora_bench import Bench, write_songs
from tests.benchmarks.table import Row
from tests.servers.swift import Swift

LEAST_SHARE = 0.7
ROUNDS = 9
TRACKS, MIDI_BYTES = 5_000, 12_000
SHARD = "songs-shard"


@contextmanager
def swift_server(folder: Path) -> Iterator[Swift]:
    """A running server, with its AWS_* variables in this process's environment."""
    server = Swift(folder)
    server.start()
    try:
        with mock.patch.dict(os.environ, server.environment):
            yield server
    finally:
        server.stop()


def _go_through(table: Any) -> int:
    """Go through all rows of a table, a row group at a time."""
    with pq.ParquetFile(table) as opened:
        return sum(len(opened.read_row_group(group).to_pylist()) for group in range(opened.num_row_groups))


class _Compared:
    """One file of an artifact, read by Rhapsody (verified, into an empty folder) and by s3fs (as it comes)."""

    def __init__(self, address: str, ref: ArtifactRef, name: str) -> None:
        import s3fs

        store = Store(address)
        entry = store.manifest(ref)
        self._address, self._ref, self._name = address, ref, name
        self._file = store.path_of("artifacts", ref.kind, ref.key, entry["data"], name)
        self._fs: Any = s3fs.S3FileSystem(use_listings_cache=False)
        self.megabytes = entry["files"][name]["bytes"] / 1e6

    def _ours(self, scratch: Path, *, rows: bool) -> float:
        store = Store(self._address, scratch=scratch)  # opened once in a run, like the connections of s3fs
        uses._in_use.clear()  # as in a process that has not read it before
        started = time.perf_counter()
        folder = store.fetch(self._ref, only=(self._name,))
        if rows:
            _go_through(folder / self._name)
        return time.perf_counter() - started

    def _plain(self, scratch: Path, *, rows: bool) -> float:
        started = time.perf_counter()
        if rows:
            with self._fs.open(self._file, "rb") as stream:
                _go_through(stream)
        else:
            self._fs.get_file(self._file, str(scratch / self._name))
        return time.perf_counter() - started

    def seconds(self, *, rows: bool) -> tuple[float, float, float]:
        """Median seconds of Rhapsody and of s3fs, and the median of their ratios (s3fs / Rhapsody), taken in turns."""
        turns = []
        for _ in range(ROUNDS + 1):
            with tempfile.TemporaryDirectory(prefix="corpora-s3-") as scratch:
                turns.append((self._ours(Path(scratch, "a"), rows=rows), self._plain(Path(scratch), rows=rows)))
        own, peer = zip(*turns[1:], strict=True)  # the first makes the connections
        share = statistics.median(theirs / ours for ours, theirs in turns[1:])
        return statistics.median(own), statistics.median(peer), share


def s3(bench: Bench) -> list[Row]:
    """Shards and tables of a corpus: fetched whole, and all rows read, beside s3fs; the share of its speed."""
    table = bench.kaggle(bench.size(3_000, 20_000, 100_000))
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder, swift_server(Path(folder)) as server:
        address = server.make_bucket("corpora") + "/store"
        songs = write_songs(bench, Path(folder) / "songs", 900)
        corpora = [operations.prepare_corpus(address, Settings(), [str(source)]) for source in (songs, table)]
        store = Store(address)
        tracks = Recipe("tracks-table", 1, {"rows": TRACKS}, {})
        files = {
            "shard of MIDI songs": (_largest_shard(store), "files.parquet"),
            "songs of a corpus": (corpora[1], SONGS_FILE),
            f"{TRACKS:,} tracks of a corpus": (store.build(tracks, _write_tracks), TRACKS_FILE),
        }
        found = []
        for what, (ref, name) in files.items():
            compared = _Compared(address, ref, name)
            for rows, how in ((False, "fetched (peer: s3fs, get_file)"), (True, "all rows (peer: s3fs, open)")):
                ours, peer, share = compared.seconds(rows=rows)
                text = f"S3, {what}, {compared.megabytes:.1f} MB, s, {how}"
                met = share >= LEAST_SHARE
                found.append(Row(text, round(ours, 4), round(peer, 4), round(1 / share, 3), "<= 1.43 (70 %)", met))
        return found


def _largest_shard(store: Store) -> ArtifactRef:
    shards = [ref for ref in store.artifacts() if ref.kind == SHARD]
    return max(shards, key=lambda ref: sum(entry["bytes"] for entry in store.manifest(ref)["files"].values()))


def _write_tracks(folder: Path) -> None:
    """A table of tracks whose MIDI cannot be compressed, as that of real songs hardly can."""
    dice = random.Random(1)
    facts = {"sha256": "", "seconds": 180.0, "tempo_bpm": 120.0, "key": "C major", "time_signature": "4/4"}
    with TableWriter(folder / TRACKS_FILE, TRACKS_SCHEMA) as tracks:
        for number in range(TRACKS):
            row = {"track_id": f"{number}#1", "song_id": f"{number}", "midi": dice.randbytes(MIDI_BYTES)}
            tracks.write({**row, **facts, "programs": [0, 24, 32], "notes": 2_000})
