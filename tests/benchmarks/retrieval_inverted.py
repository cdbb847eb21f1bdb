"""The inverted file beside exact search, and LanceDB beside both."""

from __future__ import annotations

import importlib.util
import shutil
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.inverted import LEAST_RECALL, InvertedIndex, default_lists
from rhapsody_lib.retrieval.segments import vector_column
from rhapsody_lib.retrieval.serving import Vectors
from tests.benchmarks.retrieval_bench import Bench
from tests.benchmarks.table import Row, beside

#: Songs that a search is asked for.
BEST = 10


def median_s(*works: Callable[[], object], times: int = 7) -> list[float]:
    """Median seconds of each piece of work, their runs one after another in turn."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(times):
        for place, work in enumerate(works):
            began = time.perf_counter()
            work()
            taken[place].append(time.perf_counter() - began)
    return [statistics.median(one) for one in taken]


def inverted(bench: Bench, exact: ExactIndex, queries: Vectors) -> list[Row]:
    """The inverted file beside exact search; half of the queries measure it when it is built, the others here."""
    if importlib.util.find_spec("faiss") is None:
        bench.left_out.append("the inverted file: the extra 'index' is not installed")
        return []
    began = time.perf_counter()
    built = InvertedIndex.build(exact, queries[::2], seed=1)
    seconds = time.perf_counter() - began
    if built is None:
        return [Row("inverted file: refused, its recall is too low", 0, met=False)]
    path = bench.folder / "inverted.faiss"
    built.write(path)
    loaded = InvertedIndex.load(path, exact, probes=built.probes, recall=built.recall)
    assert loaded is not None
    others, hundred = queries[1::2], queries[:100]
    wanted, found = exact.search(others, BEST)[0], loaded.search(others, BEST)[0]
    recall = float(np.mean([len(np.intersect1d(*pair)) / BEST for pair in zip(wanted, found, strict=True)]))
    one, peer = median_s(lambda: loaded.search(queries[:1], BEST), lambda: exact.search(queries[:1], BEST), times=5)
    many, peers = median_s(lambda: loaded.search(hundred, BEST), lambda: exact.search(hundred, BEST), times=3)
    return [
        Row(f"inverted file (faiss IVF-SQ8, {built.probes} lists probed): build, s", round(seconds, 1)),
        Row("inverted file: size, MB", round(path.stat().st_size / 1e6, 1)),
        Row("inverted file: recall@10 on other queries", round(recall, 4), target=">= 0.95", met=recall >= 0.95),
        beside("inverted file: one query, ms, beside exact", one * 1e3, peer * 1e3, better="lower"),
        beside("inverted file: 100 queries, ms a query, beside exact", many * 10, peers * 10, better="lower"),
    ]


def lancedb_beside(bench: Bench, exact: ExactIndex, queries: Vectors) -> list[Row]:
    """The other library that has inverted files on the disk, where it is installed, with as many lists."""
    if importlib.util.find_spec("lancedb") is None:
        bench.left_out.append("LanceDB beside faiss: it is not installed")
        return []
    import lancedb

    def batches() -> Iterator[pa.RecordBatch]:
        row = 0
        for chunk in exact.chunks:
            rows = pa.array(np.arange(row, row + len(chunk)))
            yield pa.record_batch([rows, vector_column(chunk)], names=["row", "vector"])
            row += len(chunk)

    folder = bench.folder / "lancedb"
    shutil.rmtree(folder, ignore_errors=True)
    began = time.perf_counter()
    table = lancedb.connect(str(folder)).create_table("songs", pa.Table.from_batches(batches()))
    lists = default_lists(len(exact))
    table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_FLAT", num_partitions=lists)
    seconds = time.perf_counter() - began

    def search(query: Vectors, probes: int) -> list[int]:
        found: list[int] = (
            table.search(query).distance_type("dot").nprobes(probes).limit(BEST).to_arrow()["row"].to_pylist()
        )
        return found

    wanted, _ = exact.search(queries[1::2], BEST)
    for probes in (8, 16, 32, 64, 128):
        found = [search(query, probes) for query in queries[1::2]]
        recall = float(np.mean([len(np.intersect1d(*pair)) / BEST for pair in zip(wanted, found, strict=True)]))
        if recall >= LEAST_RECALL:
            break
    (one,) = median_s(lambda: search(queries[0], probes), times=5)
    size_mb = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return [
        Row(f"LanceDB (IVF-Flat, {probes} lists probed): build, s", round(seconds, 1)),
        Row("LanceDB: size with the vectors, MB", round(size_mb, 1)),
        Row("LanceDB: recall@10 on other queries", round(recall, 4)),
        Row("LanceDB: one query, ms", round(one * 1e3, 2)),
    ]
