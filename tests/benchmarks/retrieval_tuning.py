"""Tuning the packaged encoder on 2,000 songs: how long it takes, and what it gains on songs of other artists.

With `--keep` a run that is cut off is gone on with, epoch by epoch, and its seconds are added up.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.optional import require
from rhapsody_lib.processors import available_processors
from rhapsody_lib.progress import reporter
from rhapsody_lib.retrieval.pairs import STOPPING_SHARE, heldout_artist
from rhapsody_lib.retrieval.tuning import tune_encoder
from rhapsody_lib.settings import EncoderSettings, load_settings
from tests.benchmarks.retrieval_bench import Bench, factor
from tests.benchmarks.table import Row, at_most

#: Artists of this share are not tuned on: those that `finding` looks for, and those that its weights are fitted on.
HELDOUT_ARTISTS = 0.6
SONGS, QUICK_SONGS = 2000, 200
LONGEST_S, CORES = 600, 2


@dataclass
class _Clock:
    """Wall and processor seconds of each epoch, kept in a file: a run that is cut off goes on from its last epoch.

    What a new start costs is counted once, in the first epoch.
    """

    file: Path
    taken: dict[str, list[float]]
    since: tuple[float, float]

    @classmethod
    def of(cls, file: Path) -> _Clock:
        taken = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return cls(file, taken, (time.perf_counter(), time.process_time()))

    def record(self, epoch: int, figures: Mapping[str, float]) -> None:
        """An epoch is done, now or in an earlier run."""
        self.stop(str(epoch))

    def stop(self, part: str) -> None:
        """A part is done."""
        now = (time.perf_counter(), time.process_time())
        self.taken.setdefault(part, [new - old for new, old in zip(now, self.since, strict=True)])
        self.since = now
        self.file.write_text(json.dumps(self.taken), encoding="utf-8")

    def seconds(self) -> tuple[float, float]:
        """Wall and processor seconds of all parts."""
        wall, cpu = (sum(column) for column in zip(*self.taken.values(), strict=True))
        return wall, cpu


def tuning(bench: Bench) -> list[Row]:
    """Seconds of the profile `full` on 2,000 songs, texts a second, and held-out MRR after beside before."""
    corpus = bench.corpus()
    if corpus is None:
        return []
    songs = _some_songs(corpus, _place(bench, "tuning-songs"), QUICK_SONGS if bench.quick else SONGS)
    out = _place(bench, "tuned-encoder")
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, times = Checkpoint.local(_place(bench, "tuning-states")), _place(bench, "tuning-times.json")
    if not times.is_file():
        checkpoint.clear()
    clock = _Clock.of(times)
    told = reporter("Tuning encoder")
    found = tune_encoder(songs, out, checkpoint, _settings(bench), seed=0, progress=told, record=clock.record)
    clock.stop("end")
    checkpoint.clear()
    times.unlink()
    if not found["tuned"]:
        bench.left_out.append(f"tuning: the corpus has {found['not_tuned']}")
        return []
    return [*_speed(bench, found, clock), *_gains(found)]


def _place(bench: Bench, name: str) -> Path:
    """What a run keeps: `--quick` does not go on with what a full one has left, nor the other way round."""
    return bench.folder / (f"quick-{name}" if bench.quick else name)


def _speed(bench: Bench, found: dict[str, Any], clock: _Clock) -> list[Row]:
    seconds, cpu = clock.seconds()
    texts = 2 * found["pairs"]
    what = f"tuning on {found['train_songs']:,} songs, {len(found['history'])} epochs, {found['arithmetic']}"
    bench.notes.append(f"The tuned encoder is in {_place(bench, 'tuned-encoder')}: measure finding with --encoder.")
    told = "; ".join(f"{part} {wall:.0f} ({worked:.0f})" for part, (wall, worked) in clock.taken.items())
    bench.notes.append(f"Seconds (processor seconds) of each epoch and of the export: {told}.")
    if require("torch").cuda.is_available():
        return [Row(f"{what}, GPU {found['device']}: texts/s, evaluation included", round(texts / seconds))]
    bench.left_out.append("tuning on a GPU, texts/s: there is none here")
    return [
        at_most(f"{what}: seconds, {available_processors()} processors of whatever else runs", seconds, LONGEST_S),
        at_most(f"{what}: processor seconds, shared by {CORES} cores", cpu / CORES, LONGEST_S),
        Row(f"{what}: texts/s, evaluation included", round(texts / seconds, 1)),
        Row(f"{what}: texts a processor second", round(texts / cpu, 1)),
    ]


def _settings(bench: Bench) -> EncoderSettings:
    changes = [f"encoder.heldout_artists={HELDOUT_ARTISTS}"]
    return load_settings("full", [*changes, *(["encoder.max_epochs=1"] if bench.quick else [])]).encoder


def _gains(found: dict[str, Any]) -> list[Row]:
    songs = f"{found['stopping_songs']} songs of other artists, by which it stopped: MRR after, beside before"
    pairs = (("the encoder alone", "heldout_mrr"), ("1:1 with TF-IDF", "heldout_mrr_sum"))
    return [
        factor(f"{songs}, {name}", found[key], found[f"{key}_before"], at_least=1.0, shown=3) for name, key in pairs
    ]


def _some_songs(corpus: Path, folder: Path, count: int) -> Path:
    """A corpus of `count` songs to tune on, chosen by the digest of their ids, and of all by which it may stop."""
    rows = [
        row
        for row in pq.read_table(corpus / SONGS_FILE).to_pylist()
        if not heldout_artist(row["artist"] or row["song_id"], HELDOUT_ARTISTS) and row["split"] == "train"
    ]
    rows.sort(key=lambda row: hashlib.sha256(row["song_id"].encode()).hexdigest())
    share = HELDOUT_ARTISTS + STOPPING_SHARE
    stopping = [row for row in rows if heldout_artist(row["artist"] or row["song_id"], share)]
    train = [row for row in rows if not heldout_artist(row["artist"] or row["song_id"], share)]
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([*train[:count], *stopping], SONGS_SCHEMA), folder / SONGS_FILE)
    return folder
