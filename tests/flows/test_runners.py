"""The sharded steps on threads, processes and Dask: the same bytes, also where a worker dies in mid-shard."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest
from prefect import flow, task

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import (
    DamagedArtifactError,
    FullDiskError,
    InputError,
    MissingExtraError,
    StageFailedError,
    StoreAccessError,
    StoreError,
)
from rhapsody_lib.operations.sharding import Spread, Work
from rhapsody_lib.progress import reporting
from rhapsody_lib.settings import Settings
from tasks import runners
from tasks.runners import Runner, RunnerKind, configured_runner, spread_over
from tests.trained import songs_folder

THREADS, PROCESSES, DASK = (Runner(kind, workers=2) for kind in RunnerKind)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return songs_folder(tmp_path_factory.mktemp("runners") / "songbook", each=2)


@pytest.fixture(autouse=True)
def small_songbook(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few songs in the place of the embedded ones, which workers read without a sandbox."""
    monkeypatch.setattr("rhapsody_lib.corpus.sources.EMBEDDED_FOLDER", songs)


def prepared(store: Path, **options: Spread) -> dict[str, bytes]:
    ref = operations.prepare_corpus(str(store), Settings(), ("songbook",), **options)
    return {path.name: path.read_bytes() for path in Store(str(store)).fetch(ref).iterdir()}


def kill_once(mark: Path, step, work):
    """The first shard of all kills the process that makes it."""
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return step(work)
    os.kill(os.getpid(), signal.SIGKILL)
    return None


@task(persist_result=False)
def prepare_on(runner: Runner, store: Path, mark: Path | None) -> dict[str, bytes]:
    spread = spread_over(runner)

    def killing(step, work, what):
        return spread(partial(kill_once, mark, step), work, what)

    return prepared(store, spread=killing if mark else spread)


@flow(persist_result=False)
def prepare_in_flow(runner: Runner, store: Path, mark: Path | None) -> dict[str, bytes]:
    return prepare_on(runner, store, mark)


@flow(persist_result=False)
def spread_in_flow(runner: Runner, step, count: int) -> list[ArtifactRef]:
    return spread_over(runner)(step, [Work(number, ()) for number in range(count)], "number")


def numbered(number: int) -> ArtifactRef:
    return ArtifactRef(kind="number", key=str(number), uri="", sha256="")


@pytest.mark.parametrize(
    ("runner", "killed"),
    [(THREADS, False), (PROCESSES, True), (DASK, True)],
    ids=["threads", "processes, one killed", "dask, one killed"],
)
def test_every_runner_makes_the_same_corpus(runner, killed, songs, tmp_path, monkeypatch):
    expected = prepared(tmp_path / "direct")
    monkeypatch.setattr("rhapsody_lib.corpus.shards.SHARD_FILES", 2)
    mark = tmp_path / "killed"
    assert prepare_in_flow(runner, tmp_path / "store", mark if killed else None) == expected
    assert mark.exists() == killed
    made = [ref.kind for ref in Store(str(tmp_path / "store")).artifacts()]
    assert made.count("songs-shard") >= 3


def dying(deaths: list[int], times: int, work: Work[int]) -> ArtifactRef:
    """Shard 1 looks as if its process had died, a number of times."""
    if work.shard == 1 and len(deaths) < times:
        deaths.append(work.shard)
        raise BrokenProcessPool("a child process terminated abruptly")
    return numbered(work.shard)


def test_only_shards_whose_process_died_are_made_again():
    deaths: list[int] = []
    refs = spread_in_flow(THREADS, partial(dying, deaths, runners.MAX_ROUNDS - 1), 3)
    assert refs == [numbered(number) for number in range(3)]
    assert len(deaths) == runners.MAX_ROUNDS - 1


def test_processes_that_die_again_and_again_are_one_clear_error():
    with pytest.raises(StageFailedError, match=r"number 2: .* died 3 times.*RHAPSODY_WORKERS \(now 2\)"):
        spread_in_flow(THREADS, partial(dying, [], 100), 2)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (StoreError("the bucket is away"), 4),
        (StoreAccessError("no rights"), 1),
        (FullDiskError("full"), 1),
        (DamagedArtifactError("damaged"), 1),
        (InputError("no"), 1),
    ],
)
def test_what_the_store_refuses_is_tried_again_and_nothing_else(error, tries, monkeypatch):
    monkeypatch.setattr(runners, "make_shard", runners.make_shard.with_options(retry_delay_seconds=0))
    calls = []

    def failing(work: Work[int]) -> ArtifactRef:
        calls.append(work.shard)
        raise error

    with pytest.raises(type(error), match=str(error)):
        spread_in_flow(Runner(RunnerKind.THREADS, workers=1), failing, 1)
    assert len(calls) == tries


def test_shards_tell_how_far_they_are():
    told = []

    def factory(what):
        return lambda done, total, note="": told.append((what, done, total))

    with reporting(factory):
        spread_in_flow(THREADS, lambda work: numbered(work.shard), 3)
    assert told == [("Making numbers", done, 3) for done in (1, 2, 3)]


def test_the_environment_chooses_the_runner():
    assert configured_runner({"RHAPSODY_WORKERS": "3"}) == Runner(RunnerKind.THREADS, 3)
    assert configured_runner({}).workers >= 1
    chosen = {"RHAPSODY_RUNNER": "dask", "RHAPSODY_DASK_ADDRESS": "tcp://scheduler:8786", "RHAPSODY_WORKERS": "2"}
    assert configured_runner(chosen) == Runner(RunnerKind.DASK, 2, "tcp://scheduler:8786")


@pytest.mark.parametrize(
    ("name", "value"),
    [("RHAPSODY_RUNNER", "ray"), ("RHAPSODY_WORKERS", "0"), ("RHAPSODY_WORKERS", "-1"), ("RHAPSODY_WORKERS", "two")],
)
def test_a_value_that_means_nothing_is_refused(name, value):
    with pytest.raises(InputError, match=f"{name}: '{value}'"):
        configured_runner({name: value})


def test_a_scheduler_that_does_not_answer_is_one_clear_error():
    with pytest.raises(InputError, match=r"RHAPSODY_DASK_ADDRESS: .* 'nonsense://127\.0\.0\.1:1'.*'dask scheduler'"):
        spread_in_flow(Runner(RunnerKind.DASK, 2, "nonsense://127.0.0.1:1"), numbered, 1)


def test_dask_without_its_extra_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefect_dask", None)
    with pytest.raises(MissingExtraError, match=r"rhapsody\[dask\]"):
        spread_in_flow(DASK, numbered, 1)
