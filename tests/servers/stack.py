"""A deployment on many machines, on one: S3 server, Prefect server, a GPU and a CPU worker that share nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.servers.api import deploy
from tests.servers.backends import Backends
from tests.servers.environments import CPU_EXTRAS, GPU_EXTRAS, REPOSITORY, make_environment
from tests.servers.prefect_server import PrefectServer
from tests.servers.process import wait_until
from tests.servers.runs import Runs
from tests.servers.stored import StoredObjects
from tests.servers.swift import Swift
from tests.servers.workers import Worker
from tests.trained import songs_folder

BUCKET = "rhapsody"
#: Models of a few thousand weights (tests/data/tiny.toml), as a person would give them on the run form.
TINY = (
    "corpus.heldout_share=0.2",
    "lyrics.embedding_size=16", "lyrics.hidden_size=24", "lyrics.streams=4", "lyrics.steps=16",
    "lyrics.max_epochs=2", "lyrics.min_count=1",
    "backing.embedding_size=16", "backing.hidden_size=24", "backing.streams=8", "backing.steps=64",
    "backing.epoch_tokens=20000",
    "backing.max_epochs=1",
)  # fmt: skip


class Stack:
    """The machines. Each may be killed and started again; what they keep is in `folder`.

    Args:
        folder: where homes, caches and logs are.
        backends: PostgreSQL and Redis for the Prefect server; none for SQLite.
    """

    def __init__(self, folder: Path, backends: Backends | None = None) -> None:
        self.folder, self.backends = folder, backends
        self.swift = Swift(folder / "swift")
        self.server = PrefectServer(folder / "server", env=backends.env if backends else None)
        self.songs = songs_folder(folder / "songs", each=5)
        self.store = f"s3://{BUCKET}/store"
        self.runs = Runs(self.server.api_url, self.server.env.get("PREFECT_SERVER_API_AUTH_STRING", ""))
        self.objects = StoredObjects(self.swift, self.store)
        self.workers: dict[str, Worker] = {}

    @property
    def gpu(self) -> Worker:
        """The worker of the GPU pool."""
        return self.workers["gpu"]

    @property
    def cpu(self) -> Worker:
        """The worker of the CPU pool."""
        return self.workers["cpu"]

    def start(self) -> None:
        """Start all of it; the slow parts at the same time."""
        with ThreadPoolExecutor(4) as pool:
            served = pool.submit(self._start_server)
            stored = pool.submit(self.swift.start)
            model = pool.submit(self._make_encoder)
            for name, extras in (("gpu", GPU_EXTRAS), ("cpu", CPU_EXTRAS)):
                self.workers[name] = self._worker(name, extras)
            stored.result()
            self.swift.make_bucket(BUCKET)
            served.result()
            self.deploy()
            model.result()
        for worker in self.workers.values():
            worker.start()
        self.wait_online()

    def _start_server(self) -> None:
        if self.backends:
            self.backends.start()
        self.server.start()

    def _worker(self, name: str, extras: tuple[str, ...]) -> Worker:
        environment = make_environment(self.folder / f"{name}-machine", extras)
        env = {"RHAPSODY_STORE": self.store, **self.swift.environment}
        return Worker(f"{name}-pool", environment, self.folder / f"{name}-worker", self.server, env)

    def _make_encoder(self) -> None:
        command = [sys.executable, "-m", "tests.servers.tiny_encoder", str(self.folder / "encoder")]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)

    def deploy(self) -> None:
        """`rhapsody deploy`, from a machine that is no worker."""
        deploy(self.server.client_env(self.folder / "operator"))

    def wait_online(self, deadline_s: float = 60) -> None:
        """Wait until every worker that runs has reported to the server."""
        for worker in self.workers.values():
            if worker.process.alive():
                online = partial(self.runs.is_online, worker.pool, worker.name)
                wait_until(online, f"{worker.name} online", deadline_s)

    def stop(self) -> None:
        """End everything, at once."""
        for worker in self.workers.values():
            worker.kill()
        self.server.kill()
        self.swift.kill()
        if self.backends:
            self.backends.remove()

    def mend(self) -> None:
        """Start again what a test left dead."""
        if not self.swift.processes:
            self.swift.start()
        if not self.server.process.alive():
            self.server.start()
        for worker in self.workers.values():
            if not worker.process.alive():
                worker.start()
        self.wait_online()

    # -- what an operator does ----------------------------------------------------------------------------------------

    def changes(self, *changes: str) -> list[str]:
        """The settings of tiny models, with changes of a test."""
        return [*TINY, f"encoder.model={self.folder / 'encoder'}", *changes]

    def forget_caches(self) -> None:
        """Remove the workers' local copies of artifacts."""
        for worker in self.workers.values():
            shutil.rmtree(worker.cache, ignore_errors=True)

    def retrain(self, *changes: str, **parameters: Any) -> str:
        """Start `retrain/weekly` with tiny models; the id of its run."""
        given = {"sources": [str(self.songs)], "changes": self.changes(*changes), "gate": False}
        return self.runs.start("retrain/weekly", {**given, **parameters})

    def train_backing(self, *changes: str, env: Mapping[str, str] | None = None) -> str:
        """Start `train-backing/adhoc` with tiny models; the id of its run."""
        given = {"sources": [str(self.songs)], "changes": self.changes(*changes)}
        return self.runs.start("train-backing/adhoc", given, env=env)

    def song(self, prompt: str, env: Mapping[str, str] | None = None, **parameters: Any) -> str:
        """Start `generate-song/adhoc`; the id of its run."""
        return self.runs.start("generate-song/adhoc", {"prompt": prompt, "audio": False, **parameters}, env=env)

    def logs(self) -> str:
        """The end of every log, for a test that failed."""
        ends = []
        for path in sorted(self.folder.glob("*/*.log")):
            text = path.read_text(encoding="utf-8", errors="replace")
            ends.append(f"--- {path.relative_to(self.folder)}\n{text[-3000:]}")
        return "\n".join(ends)


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The machines, one set for all tests of a package."""
    folder = tmp_path_factory.mktemp("stack")
    made = Stack(folder, Backends.installed(folder))
    try:
        made.start()
        yield made
    except BaseException:
        print(made.logs())
        raise
    finally:
        made.stop()
        if "RHAPSODY_KEEP_STACK" not in os.environ:
            shutil.rmtree(made.folder, ignore_errors=True)
