"""The figures of two worker pools and one store: retrains, a song on a warm worker, overlap, publishing and fetching.

    python -m tests.benchmarks.pools [--quick] [--json] [--songs N] [--only pools|store]

Starts a real S3 server, a Prefect server and two workers with environments of their own in a temporary folder.
`--quick` takes models of a few thousand weights and 200 MB of data, else profile `fast` on the songbook and 1 GB.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.benchmarks.table import Row, at_most, show
from tests.servers.runs import Run, moment, step_of
from tests.servers.stack import Stack

#: Steps of a retrain that run in its own process, beside the branches that run on the pools.
OWN_STEPS = ("prepare_corpus", "check_corpus", "evaluate_models", "check_gate", "release_models")
GPU_KINDS, CPU_KINDS = ("lyrics", "encoder", "catalogue"), ("backing",)


class Pools:
    """The machines of a measurement, and the retrain that it asks for."""

    def __init__(self, stack: Stack, *, quick: bool) -> None:
        self.stack, self.quick = stack, quick

    def retrain(self, *changes: str) -> Run:
        """Run `retrain/weekly` to its end."""
        if self.quick:
            run = self.stack.retrain(*changes)
        else:
            run = self.stack.runs.start("retrain/weekly", {"changes": list(changes), "gate": False})
        return self.stack.runs.wait_final(run, deadline_s=1800)


def seconds(start: str, end: str) -> float:
    """From one timestamp of the API to another."""
    return (moment(end) - moment(start)).total_seconds()


def retrains(pools: Pools) -> list[Row]:
    """A first retrain with its overlap, an unchanged one, and one with a changed backing setting."""
    runs = pools.stack.runs
    first = pools.retrain()
    rows = overlap(pools.stack, first)
    unchanged = pools.retrain()
    kinds = ("prepare_corpus", "train_lyrics", "train_encoder", "embed_catalogue", "train_backing")
    tasks = runs.tasks(unchanged["id"])
    cached = sum(tasks[kind] == "Cached" for kind in kinds)
    changed = pools.retrain("backing.dropout=0.07")
    trained = sorted(stage_of(run) for run in runs.children(changed["id"]))
    return [
        *rows,
        at_most("an unchanged retrain, from its creation to Completed, s", from_creation(unchanged), 60),
        Row("steps of it that are Cached", cached, target="5", met=cached == len(kinds)),
        Row("runs it started on the pools", len(runs.children(unchanged["id"])), target="0"),
        Row("stages trained after a changed backing setting", len(trained), target="1", met=trained == ["backing"]),
    ]


def from_creation(run: Run) -> float:
    """From the creation of a run to its end."""
    return seconds(run["created"], run["end_time"])


def stage_of(run: Run) -> str:
    """The kind of artifact that a run of a retrain makes."""
    return next(kind for kind in (*GPU_KINDS, *CPU_KINDS) if kind in run["name"])


def overlap(stack: Stack, retrain: Run) -> list[Row]:
    """The wall time of a retrain beside its longest path, both from the timestamps of its runs.

    A GPU worker runs one thing at a time, so its path is the sum of its stages. A stage counts from when a worker took
    its run until its end.
    """
    stages: dict[str, float] = {}
    for run in stack.runs.children(retrain["id"]):
        taken = next(state for state in stack.runs.states(run["id"]) if state["type"] == "PENDING")
        stages[stage_of(run)] = seconds(taken["timestamp"], run["end_time"])
    own = sum(duration(stack, retrain["id"], step) for step in OWN_STEPS)
    gpu, cpu = (sum(stages.get(kind, 0.0) for kind in kinds) for kinds in (GPU_KINDS, CPU_KINDS))
    wall = seconds(retrain["start_time"], retrain["end_time"])
    longest = own + max(gpu, cpu)
    return [
        Row("a first retrain, from Running to Completed, s", round(wall, 1)),
        Row("its stages on the GPU pool, s", round(gpu, 1)),
        Row("its stages on the CPU pool, s", round(cpu, 1)),
        Row("its steps in its own process, s", round(own, 1)),
        at_most("its wall time / its longest path", wall / longest, 1.15),
    ]


def duration(stack: Stack, run_id: str, step: str) -> float:
    """Seconds of a task of a run."""
    found = stack.runs.all_of("/task_runs", flow_runs={"id": {"any_": [run_id]}})
    runs = [run for run in found if step_of(run) == step and run["start_time"] and run["end_time"]]
    return sum(seconds(run["start_time"], run["end_time"]) for run in runs)


def songs(stack: Stack, count: int) -> list[Row]:
    """`prefect deployment run generate-song/adhoc` on a warm worker, from the command to Completed, and its parts."""
    parts: dict[str, list[float]] = {}
    for seed in range(count + 1):
        for name, value in one_song(stack, seed).items():
            parts.setdefault(name, []).append(value)
    # The first one brings the release into the worker's cache.
    medians = {name: statistics.median(values[1:]) for name, values in parts.items()}
    start_up = sum(medians[name] for name in ("command", "queue", "process"))
    return [
        at_most("generate-song on a warm worker, from the command to Completed, s", medians["total"], 15),
        Row("of it: the command itself, s", round(medians["command"], 2)),
        Row("of it: until a worker takes it, s", round(medians["queue"], 2)),
        Row("of it: until the flow begins, s", round(medians["process"], 2)),
        Row("of it: the song, s", round(medians["song"], 2)),
        Row("share of it that is Prefect's start-up", round(start_up / medians["total"], 2)),
    ]


def one_song(stack: Stack, seed: int) -> Mapping[str, float]:
    """One song and where its seconds went."""
    command = [sys.executable, "-m", "prefect", "deployment", "run", "generate-song/adhoc"]
    command += ["-p", 'prompt="the sky is blue"', "-p", f"seed={seed}"]
    began = datetime.now(timezone.utc)
    env = stack.server.client_env(stack.folder / "operator")
    shown = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    found = re.search(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", shown)
    assert found, shown
    run = stack.runs.wait_final(found.group())
    at = {state["name"]: moment(state["timestamp"]) for state in stack.runs.states(run["id"])}
    marks = [began, moment(run["created"]), at["Pending"], at["Running"], at["Completed"]]
    spans = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(marks)]
    return {"total": sum(spans), **dict(zip(("command", "queue", "process", "song"), spans, strict=True))}


def pool_rows(folder: Path, count: int, *, quick: bool) -> list[Row]:
    """Everything that needs servers and workers."""
    stack = Stack(folder)
    try:
        started = time.monotonic()
        stack.start()
        up = Row("servers and workers up from nothing, s", round(time.monotonic() - started, 1))
        return [up, *retrains(Pools(stack, quick=quick)), *songs(stack, count)]
    finally:
        stack.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--songs", type=int, default=5)
    parser.add_argument("--only", choices=["pools", "store"])
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        if options.only != "store":
            rows += pool_rows(Path(name), options.songs, quick=options.quick)
    if options.only != "pools":
        rows += store_rows()(options.quick)
    show(rows, as_json=options.json)


def store_rows() -> Callable[[bool], list[Any]]:
    """The store's own rows."""
    from tests.benchmarks.store_rows import rows

    return rows


if __name__ == "__main__":
    main()
