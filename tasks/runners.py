"""Which task runner makes the shards of a step: threads, processes or Dask, by configuration, with the same code.

A shard is one task run. Only its specification and refs travel; a worker opens the store by its address.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.errors import (
    DamagedArtifactError,
    FullDiskError,
    InputError,
    StageFailedError,
    StoreAccessError,
    StoreError,
)
from rhapsody_lib.operations.sharding import Shard, ShardStep, Spread, Work
from rhapsody_lib.optional import require
from rhapsody_lib.processors import available_processors
from rhapsody_lib.progress import reporter

#: Times that shards are given to new processes after theirs died, without one more shard made in between.
MAX_ROUNDS = 3
_RETRY_DELAYS_S = (2.0, 10.0, 30.0)


class RunnerKind(str, Enum):
    """What shards run on."""

    THREADS = "threads"
    PROCESSES = "processes"
    DASK = "dask"


@dataclass(frozen=True)
class Runner:
    """A task runner: its kind, how many shards it makes at once, and the scheduler of an existing Dask cluster or ''.

    The size of an existing cluster is its own affair; without one, Dask starts `workers` processes on this machine.
    """

    kind: RunnerKind = RunnerKind.THREADS
    workers: int = 1
    dask_address: str = ""


def configured_runner(environment: Mapping[str, str] | None = None) -> Runner:
    """The runner that the environment asks for.

    RHAPSODY_RUNNER is `threads` (the default), `processes` or `dask`; RHAPSODY_WORKERS how many shards are made at once
    (default: one for each processor); RHAPSODY_DASK_ADDRESS the scheduler of an existing Dask cluster, such as
    `tcp://scheduler:8786`.

    Raises:
        InputError: a variable has a value that means nothing.
    """
    variables = os.environ if environment is None else environment
    kind = variables.get("RHAPSODY_RUNNER") or RunnerKind.THREADS.value
    if kind not in {known.value for known in RunnerKind}:
        known = ", ".join(known.value for known in RunnerKind)
        raise InputError(f"RHAPSODY_RUNNER: '{kind}' is no task runner. Set it to one of {known}.")
    workers = variables.get("RHAPSODY_WORKERS") or str(available_processors())
    if not (workers.isascii() and workers.isdigit() and int(workers) > 0):
        raise InputError(f"RHAPSODY_WORKERS: '{workers}' is not a number of workers. Set it to 1 or more.")
    return Runner(RunnerKind(kind), int(workers), variables.get("RHAPSODY_DASK_ADDRESS", ""))


def _task_runner(runner: Runner) -> TaskRunner[Any]:
    if runner.kind is RunnerKind.THREADS:
        return ThreadPoolTaskRunner(max_workers=runner.workers)
    if runner.kind is RunnerKind.PROCESSES:
        return ProcessPoolTaskRunner(max_workers=runner.workers)
    dask: Any = require("prefect_dask").DaskTaskRunner
    if runner.dask_address:
        return dask(address=runner.dask_address)  # type: ignore[no-any-return]
    logging.getLogger("distributed").setLevel(logging.WARNING)
    # Seen by this machine alone, on ports that are free.
    address = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    local = {"n_workers": runner.workers, "threads_per_worker": 1, **address}
    return dask(cluster_kwargs=local)  # type: ignore[no-any-return]


def _process_deaths(runner: Runner) -> tuple[type[Exception], ...]:
    """What a future raises whose process died. Dask tries again by itself, and gives up after three deaths."""
    if runner.kind is RunnerKind.DASK:
        return (require("distributed").scheduler.KilledWorker,)
    return (BrokenExecutor,)


def _is_store_hiccup(_task: Any, _run: Any, state: Any) -> bool:
    """Whether trying again may help: not where the store refuses, a disk is full, or an input is damaged."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, StoreError) and not isinstance(
        error, StoreAccessError | FullDiskError | DamagedArtifactError
    )


@task(
    name="shard",  # without a tag, for which the server would be asked before each (tasks/generation.py)
    persist_result=False,
    cache_policy=NO_CACHE,
    retries=len(_RETRY_DELAYS_S),
    retry_delay_seconds=list(_RETRY_DELAYS_S),
    retry_condition_fn=_is_store_hiccup,
)
def make_shard(make: Callable[[], ArtifactRef]) -> ArtifactRef:
    """Make one shard; a store that does not answer is tried again."""
    return make()


def _submitted(
    runner: Runner, pool: TaskRunner[Any], calls: Mapping[int, Callable[[], ArtifactRef]], name: Callable[[int], str]
) -> dict[Any, int]:
    """The number of each shard by its future."""
    try:
        # A `partial` is passed on as it is; Prefect would go through a shard's lists in search of futures.
        return {
            pool.submit(make_shard.with_options(task_run_name=name(number)), parameters={"make": call}): number
            for number, call in calls.items()
        }
    except (OSError, ValueError) as error:
        if not runner.dask_address:
            raise
        raise InputError(
            f"RHAPSODY_DASK_ADDRESS: no Dask scheduler answers at '{runner.dask_address}' ({error}). Start one with "
            "'dask scheduler', or unset the variable to work on this machine."
        ) from error


def _made(
    runner: Runner, calls: Mapping[int, Callable[[], ArtifactRef]], name: Callable[[int], str]
) -> Iterator[tuple[int, ArtifactRef]]:
    """The shards by number as they get ready; those whose process died are missing."""
    deaths = _process_deaths(runner)
    with _task_runner(runner) as pool:
        numbers = _submitted(runner, pool, calls, name)
        for future in as_completed(list(numbers)):
            try:
                yield numbers[future], future.result()
            except deaths:
                continue


def spread_over(runner: Runner) -> Spread:
    """A way to spread shards over a task runner, for use within a task or flow.

    A shard whose process died is made again by another one. The spread raises StageFailedError where processes die
    again and again, and whatever a shard raises.

    Args:
        runner: usually `configured_runner()`.
    """

    def spread(step: ShardStep[Shard], work: Sequence[Work[Shard]], what: str) -> list[ArtifactRef]:
        progress, refs, rounds = reporter(f"Making {what}s"), dict[int, ArtifactRef](), 0
        while len(refs) < len(work):
            if rounds == MAX_ROUNDS:
                raise StageFailedError(_why(what, set(range(len(work))) - refs.keys(), runner))
            missing = {number: partial(step, item) for number, item in enumerate(work) if number not in refs}
            before = len(refs)
            for number, ref in _made(runner, missing, lambda number: f"{what} {number + 1} of {len(work)}"):
                refs[number] = ref
                progress(len(refs), len(work))
            rounds = rounds + 1 if len(refs) == before else 0
        return [refs[number] for number in range(len(work))]

    return spread


def _why(what: str, missing: Iterable[int], runner: Runner) -> str:
    named = ", ".join(str(number + 1) for number in sorted(missing)[:5])
    return (
        f"{what} {named}: the processes that made it died {MAX_ROUNDS} times. Most often memory ran out: "
        f"make fewer at once with RHAPSODY_WORKERS (now {runner.workers})."
    )
