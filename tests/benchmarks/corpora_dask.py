"""Two Dask workers beside one on the step that parses, over S3, with as many threads in each."""

from __future__ import annotations

import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations.sharding import Shard, ShardStep, Work
from rhapsody_lib.processors import available_processors
from rhapsody_lib.settings import Settings
from tasks.runners import Runner, RunnerKind, spread_over
from tests.benchmarks.corpora_bench import Bench, write_songs
from tests.benchmarks.corpora_s3 import swift_server
from tests.benchmarks.table import Row

LEAST_TIMES = 1.8
_HARNESS_S = 90


@dataclass
class _Parsing:
    """Seconds of the parsing step, and the processor time of the whole machine meanwhile."""

    wall_s: float = 0.0
    processor_s: float = 0.0


def _busy_s() -> float:
    times = psutil.cpu_times()
    return sum(float(getattr(times, kind, 0.0)) for kind in ("user", "nice", "system", "irq", "softirq"))


@flow(persist_result=False)
def prepare_on_dask(address: str, store: str, sources: tuple[str, ...]) -> _Parsing:
    """Prepare sources on a cluster; what the parsing step alone took."""
    spread, found = spread_over(Runner(RunnerKind.DASK, dask_address=address)), _Parsing()

    def timed(step: ShardStep[Shard], work: list[Work[Shard]], what: str) -> list[ArtifactRef]:
        started, worked = time.perf_counter(), _busy_s()
        refs = spread(step, work, what)
        found.wall_s += time.perf_counter() - started
        found.processor_s += _busy_s() - worked
        return refs

    operations.prepare_corpus(store, Settings(), sources, spread=timed)  # type: ignore[arg-type]
    return found


def _on_workers(count: int, store: str, sources: tuple[str, ...], warm: tuple[str, ...]) -> _Parsing:
    """Parsing on a new cluster of workers of one thread each; they have parsed something before."""
    import distributed

    cluster_of: Any = distributed.LocalCluster
    with cluster_of(
        n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        prepare_on_dask(cluster.scheduler_address, f"{store}/warm-{count}", warm)
        return prepare_on_dask(cluster.scheduler_address, f"{store}/real-{count}", sources)


def dask(bench: Bench) -> list[Row]:
    """MIDI files with words, parsed on one worker and on two; the store is in S3."""
    # Some sixteen shards: of few, the last one is made while the other worker waits.
    songs = write_songs(bench, bench.folder / "dask-songs", bench.size(900, 8_000, 16_000))
    warm = write_songs(bench, bench.folder / "dask-warm", 800)
    with (
        tempfile.TemporaryDirectory(dir=bench.folder) as folder,
        swift_server(Path(folder)) as server,
        prefect_test_harness(server_startup_timeout=_HARNESS_S),
    ):
        store = server.make_bucket("dask")
        logging.getLogger("distributed").setLevel(logging.ERROR)
        one, two = (_on_workers(count, store, (str(songs),), (str(warm),)) for count in (1, 2))
    text = "Dask, parsing over S3 on two workers, s (peer: on one; one thread each)"
    times, processors = one.wall_s / two.wall_s, available_processors()
    most = processors * one.wall_s / one.processor_s
    return [
        Row(
            text,
            round(two.wall_s, 2),
            round(one.wall_s, 2),
            round(1 / times, 3),
            f">= {LEAST_TIMES} times as fast",
            times >= LEAST_TIMES,
        ),
        Row(f"  times as fast, beside the most that {processors} processors allow", *_ratio(times, most)),
        Row(
            "  processors in use on two workers, beside one",
            *_ratio(two.processor_s / two.wall_s, one.processor_s / one.wall_s),
        ),
    ]


def _ratio(ours: float, peer: float) -> tuple[float, float, float]:
    return round(ours, 2), round(peer, 2), round(ours / peer, 3)
