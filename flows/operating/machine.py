"""Server, pools and workers on one machine: their folders, environments and health."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from flows.operating.checkout import DeployError, env_file, private
from flows.operating.processes import Supervised
from rhapsody_lib.errors import InputError

POOLS = ("gpu-pool", "cpu-pool")
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Machine:
    """Where everything of `rhapsody serve` is kept, and how its parts reach each other.

    Args:
        home: Folder of database, workers and logs.
        port: Port of 127.0.0.1 that API and UI are on.
        store: Address of the artifact store.
    """

    home: Path
    port: int
    store: str

    @property
    def url(self) -> str:
        """Where the UI is."""
        return f"http://{HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        """What PREFECT_API_URL is set to."""
        return f"{self.url}/api"

    @property
    def logs(self) -> Path:
        """Folder of the log files."""
        return self.home / "logs"

    def environment(self, prefect_home: Path) -> dict[str, str]:
        """What a client of this server sees: nothing of another server that the user has set up."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        own = {
            "PREFECT_HOME": str(prefect_home),
            "PREFECT_API_URL": self.api_url,
            # A process pool starts runs with the first `python` of the path: this one.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "RHAPSODY_STORE": self.store,
        }
        return {**kept, **env_file("worker"), **own}

    def server(self) -> Supervised:
        """The Prefect server: API, UI and services on SQLite."""
        home = private(self.home / "server")
        database = f"sqlite+aiosqlite:///{home / 'prefect.db'}"
        env = {**self.environment(home), **env_file("server"), "PREFECT_UI_URL": self.url}
        env["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(self.port)]
        return Supervised("Prefect server", command, env, home, self._log("server"))

    def worker(self, pool: str) -> Supervised:
        """A process worker of one pool, with a Prefect home and a working folder of its own."""
        folder = private(self.home / pool)
        working = private(folder / "work")
        env = {**self.environment(private(folder / "prefect")), "RHAPSODY_HOME": str(working)}
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
        command += ["--name", worker_name(pool)]
        return Supervised(f"{pool} worker", command, env, working, self._log(pool))

    def _log(self, name: str) -> Path:
        """Path of a log that starts empty; the one of the time before is kept as `.old`."""
        log = private(self.logs) / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".old"))
        return log

    def healthy(self) -> bool:
        """Whether the API answers, and its database."""
        try:
            with urllib.request.urlopen(f"{self.api_url}/ready", timeout=2) as answer:  # noqa: S310 - our own address
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def online(self, pool: str) -> bool:
        """Whether a worker of the pool has reported to the server."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.api_url}/work_pools/{pool}/workers/filter",
            data=b"{}",
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310
                workers = json.load(answer)
        except (OSError, urllib.error.URLError):
            return False
        return any(one["name"] == worker_name(pool) and one["status"] == "ONLINE" for one in workers)


def worker_name(pool: str) -> str:
    """Name of this machine's worker, the same at each start, so that the UI shows one and not a row of old ones."""
    return f"{pool.removesuffix('-pool')}-{socket.gethostname()}"


def check_port(port: int) -> None:
    """See that nobody listens on the port.

    Raises:
        InputError: Somebody does, or it may not be used.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            reason = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
            raise InputError(f"Port {port} {reason}. Choose another: rhapsody serve --port {port + 1}") from error


class OnlyOne:
    """A lock on the home folder, held while this process lives, that says who holds it.

    Raises:
        DeployError: `rhapsody serve` runs there already.
    """

    def __init__(self, machine: Machine) -> None:
        import fcntl

        self._file = (private(machine.home) / "serve.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "starting"
            raise DeployError(
                f"'rhapsody serve' runs already for {machine.home} ({holder}). Use that one, or name another --home."
            ) from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}, {machine.url}\n")
        self._file.flush()
