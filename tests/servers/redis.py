"""A real Redis of a test, with a password, that keeps its data over a restart."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.servers.prefect_server import clean_env
from tests.servers.process import ServerProcess, free_port, listens


class RedisServer:
    """One Redis on a free port, in a folder."""

    password = "a-password-of-the-test"

    def __init__(self, folder: Path) -> None:
        if not shutil.which("redis-server"):
            pytest.skip("needs redis-server: not on this machine")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = folder / "redis.conf"
        lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {folder}", "appendonly yes", "save ''"]
        config.write_text("\n".join([*lines, f"requirepass {self.password}", ""]), encoding="utf-8")
        self.process = ServerProcess(["redis-server", config], folder / "redis.log", clean_env())

    @property
    def url(self) -> str:
        """What PREFECT_REDIS_MESSAGING_URL is set to."""
        return f"redis://default:{self.password}@127.0.0.1:{self.port}/0"

    def start(self) -> RedisServer:
        """Start it, and wait until it accepts connections."""
        self.process.spawn()
        self.process.wait_ready(lambda: listens(self.port), "Redis")
        return self

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()

    def stop(self) -> None:
        """SIGTERM and wait."""
        self.process.stop()
