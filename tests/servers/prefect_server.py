"""A real Prefect server with the settings of `deployments/server.env`, on SQLite unless told otherwise."""

from __future__ import annotations

import base64
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.servers.process import ServerProcess, free_port

ROOT = Path(__file__).resolve().parents[2]
PREFECT = (sys.executable, "-m", "prefect")


def env_file(name: str) -> dict[str, str]:
    """The settings of `deployments/<name>.env`."""
    lines = (ROOT / "deployments" / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def clean_env(**changes: str) -> dict[str, str]:
    """This process's environment without any PREFECT_* or RHAPSODY_* of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "RHAPSODY_"))}
    return {**kept, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", **changes}


class PrefectServer:
    """A Prefect API with its UI and services.

    Args:
        folder: Where its database, home and log are kept; another start on the same folder goes on from there.
        port: A free one by default; it stays the same over restarts.
        env: Settings on top of `deployments/server.env`, e.g. `PREFECT_SERVER_API_AUTH_STRING`.
        services: False starts the API alone (`--no-services`), as one of several replicas.
    """

    def __init__(
        self, folder: Path, port: int | None = None, env: Mapping[str, str] | None = None, *, services: bool = True
    ) -> None:
        self.folder, self.port = folder, port or free_port()
        self.env = clean_env(
            **env_file("server"), PREFECT_HOME=str(folder), **{"PREFECT_UI_URL": self.url, **(env or {})}
        )
        command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = ServerProcess(command + ([] if services else ["--no-services"]), folder / "server.log", self.env)

    @property
    def url(self) -> str:
        """Where the UI is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """What PREFECT_API_URL is set to."""
        return f"{self.url}/api"

    def client_env(self, home: Path, **changes: str) -> dict[str, str]:
        """The environment of a worker, a deployer or a person that talks to this server, with a home of its own."""
        auth = self.env.get("PREFECT_SERVER_API_AUTH_STRING")
        known = {"PREFECT_API_AUTH_STRING": auth} if auth else {}
        # A process pool starts runs with the first `python` of the path.
        known["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return clean_env(
            **{**env_file("worker"), "PREFECT_HOME": str(home), "PREFECT_API_URL": self.api_url, **known, **changes}
        )

    def healthy(self) -> bool:
        """Whether the API answers and its database does."""
        request = urllib.request.Request(f"{self.api_url}/ready")
        auth = self.env.get("PREFECT_SERVER_API_AUTH_STRING")
        if auth:
            request.add_header("Authorization", "Basic " + base64.b64encode(auth.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def start(self, deadline_s: float = 120) -> PrefectServer:
        """Start it, and wait until it is healthy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process.spawn()
        self.process.wait_ready(self.healthy, "the Prefect server", deadline_s)
        return self

    def kill(self) -> None:
        """`kill -9`: what a crash of the machine looks like."""
        self.process.kill()

    def stop(self) -> None:
        """SIGTERM and wait."""
        self.process.stop()

    def __enter__(self) -> PrefectServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
