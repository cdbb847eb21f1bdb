"""A process worker of a pool, in a virtual environment, a checkout, a home and a cache of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.servers.environments import Environment
from tests.servers.prefect_server import PrefectServer
from tests.servers.process import ServerProcess


class Worker:
    """One worker; `start`, `kill` and `stop` may be called again and again.

    Args:
        pool: Work pool that it takes runs from.
        environment: What it has installed.
        folder: Its homes, its cache and its log.
        server: The Prefect server.
        env: Further variables: the store and its credentials.
    """

    def __init__(
        self, pool: str, environment: Environment, folder: Path, server: PrefectServer, env: Mapping[str, str]
    ) -> None:
        self.pool, self.environment, self.folder = pool, environment, folder
        self.name = folder.name
        self.cache, self.home = folder / "cache", folder / "work"
        own = {
            "RHAPSODY_HOME": str(self.home),
            "RHAPSODY_CACHE": str(self.cache),
            "HOME": str(folder),
            "PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}",
            "VIRTUAL_ENV": str(environment.folder),
        }
        self.env = {**server.client_env(folder / "prefect"), **own, **env}
        command = [environment.python, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
        self.command = [str(part) for part in [*command, "--name", self.name]]
        self.process = ServerProcess(self.command, folder / "worker.log", self.env, cwd=self.home)

    def start(self, **changes: str) -> None:
        """Start it, with changes of its environment that hold until the next start."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.process = ServerProcess(self.command, self.folder / "worker.log", {**self.env, **changes}, cwd=self.home)
        self.process.spawn()

    def kill(self) -> None:
        """`kill -9` of the worker and of every flow that it runs."""
        self.process.kill()

    def stop(self) -> None:
        """SIGTERM and wait."""
        self.process.stop()


def processes_of_run(run_id: str) -> list[psutil.Process]:
    """The processes that execute a flow run, told by their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run_id:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
