"""A real Dask cluster of two workers that share nothing but a store in S3: one is killed while it parses."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest
from prefect import flow

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.operations.sharding import Shard, ShardStep, Work
from rhapsody_lib.settings import Settings
from tasks.runners import Runner, RunnerKind, spread_over
from tests.servers.fixtures import s3, swift  # noqa: F401  (fixtures)
from tests.servers.swift import Swift
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes

SONGS, SONGS_OF_A_SHARD = 32, 6
BROKEN = 4
#: Of a shard's second or so; the process that parses has started by then.
KILLED_AFTER_S = 0.3


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small songs, some broken."""
    folder = tmp_path_factory.mktemp("dask") / "songs"
    folder.mkdir()
    for number in range(SONGS):
        (folder / f"{number:02d}.mid").write_bytes(midi_bytes("", f"Boats {number}"))
        words = WORDS.split()
        turned = words[number % 7 :] + [f"verse{number}{letter}" for letter in "abcdefgh"] + words[: number % 7]
        (folder / f"{number:02d}.txt").write_text(" ".join(turned))
    for number in range(BROKEN):
        (folder / f"{number * 7:02d}.mid").write_bytes(b"MThd broken")
    return folder


@pytest.fixture
def cluster(s3: Swift) -> Iterator[str]:  # noqa: F811  (the fixture of that name)
    """Address of a scheduler with two workers, processes of one thread each; they inherit the keys of the store."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as running:
        yield running.scheduler_address


def make_and_note(mark: Path, notes: Path, step: ShardStep[Shard], work: Work[Shard]) -> ArtifactRef:
    """Make a shard and note by which process; the first of all kills its process while it is at it."""
    try:
        with mark.open("x") as stream:
            stream.write(str(os.getpid()))
    except FileExistsError:
        ref = step(work)
        (notes / f"{os.getpid()}-{ref.key}").touch()
        return ref
    threading.Timer(KILLED_AFTER_S, os.kill, (os.getpid(), signal.SIGKILL)).start()
    step(work)
    return threading.Event().wait()  # type: ignore[return-value]  # nobody hears of it


@flow(persist_result=False)
def prepare_on_cluster(address: str, store: str, source: str, mark: Path, notes: Path) -> ArtifactRef:
    spread = spread_over(Runner(RunnerKind.DASK, dask_address=address))

    def noting(step: ShardStep[Shard], work: list[Work[Shard]], what: str) -> list[ArtifactRef]:
        return spread(partial(make_and_note, mark, notes, step), work, what)

    return operations.prepare_corpus(store, Settings(), (source,), spread=noting)


def digests(store: str, ref: ArtifactRef, scratch: Path) -> dict[str, str]:
    folder = Store(store, scratch=scratch).fetch(ref)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.slow
def test_two_workers_over_s3_make_the_same_corpus_although_one_is_killed(songs, cluster, s3, tmp_path, monkeypatch):  # noqa: F811
    expected = operations.prepare_corpus(str(tmp_path / "here"), Settings(), (str(songs),))
    monkeypatch.setattr("rhapsody_lib.corpus.shards.SHARD_FILES", SONGS_OF_A_SHARD)
    mark, notes, store = tmp_path / "killed", tmp_path / "notes", s3.make_bucket("dask") + "/store"
    notes.mkdir()
    made = prepare_on_cluster(cluster, store, str(songs), mark, notes)
    killed = int(mark.read_text())
    assert not psutil.pid_exists(killed) or psutil.Process(killed).status() == psutil.STATUS_ZOMBIE
    assert digests(store, made, tmp_path / "fetched") == digests(str(tmp_path / "here"), expected, tmp_path / "own")
    shards = [ref for ref in Store(store, scratch=tmp_path / "look").artifacts() if ref.kind == "songs-shard"]
    assert len(shards) >= 4
    # How the others share the work, and whether one of two that were given a shard was in time, is the scheduler's.
    noted = [note.name.split("-") for note in notes.iterdir()]
    assert {key for _, key in noted} == {ref.key for ref in shards}, "a shard was lost"
    assert str(killed) not in {process for process, _ in noted}
