"""Two Dask workers beside one on the step that parses, over S3, with as many threads in each."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations.sharding import Shard, ShardStep, Work
from rhapsody_lib.settings import Settings
from tasks.runners import Runner, RunnerKind, spread_over
from tests.benchmarks.corpora_bench import Bench, write_songs
from tests.benchmarks.corpora_s3 import swift_server
from tests.benchmarks.table import Row

LEAST_TIMES = 1.8
_HARNESS_S = 90


@flow(persist_result=False)
def prepare_on_dask(address: str, store: str, sources: tuple[str, ...]) -> float:
    """Prepare sources on a cluster; the seconds of the parsing step alone."""
    spread, seconds = spread_over(Runner(RunnerKind.DASK, dask_address=address)), 0.0

    def timed(step: ShardStep[Shard], work: list[Work[Shard]], what: str) -> list[ArtifactRef]:
        nonlocal seconds
        started = time.perf_counter()
        refs = spread(step, work, what)
        seconds += time.perf_counter() - started
        return refs

    operations.prepare_corpus(store, Settings(), sources, spread=timed)  # type: ignore[arg-type]
    return seconds


def _on_workers(count: int, store: str, sources: tuple[str, ...], warm: tuple[str, ...]) -> float:
    """Seconds of parsing on a new cluster of workers of one thread each; they have parsed something before."""
    import distributed

    cluster_of: Any = distributed.LocalCluster
    with cluster_of(
        n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        prepare_on_dask(cluster.scheduler_address, f"{store}/warm-{count}", warm)
        return prepare_on_dask(cluster.scheduler_address, f"{store}/real-{count}", sources)


def dask(bench: Bench) -> list[Row]:
    """MIDI files with words, parsed on one worker and on two; the store is in S3."""
    songs = write_songs(bench, bench.folder / "dask-songs", bench.size(900, 4_500, 9_000))
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
    times = one / two
    return [Row(text, round(two, 2), round(one, 2), round(two / one, 3), ">= 1.8 times as fast", times >= LEAST_TIMES)]
