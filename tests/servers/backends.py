"""What a Prefect server keeps its state in: PostgreSQL and Redis where they are installed, else SQLite."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.servers.postgres import Postgres
from tests.servers.prefect_server import env_file
from tests.servers.redis import RedisServer

#: Set to `sqlite` to do without PostgreSQL and Redis though they are there.
VARIABLE = "RHAPSODY_TEST_DATABASE"


class Backends:
    """PostgreSQL and Redis of one server."""

    def __init__(self, postgres: Postgres, redis: RedisServer) -> None:
        self.postgres, self.redis = postgres, redis

    @classmethod
    def installed(cls, folder: Path) -> Backends | None:
        """Both, unless one of them or its driver is not on this machine."""
        if os.environ.get(VARIABLE) == "sqlite" or importlib.util.find_spec("prefect_redis") is None:
            return None
        try:
            return cls(Postgres(), RedisServer(folder / "redis"))
        except pytest.skip.Exception:
            return None

    @property
    def env(self) -> dict[str, str]:
        """The settings of a server on top of `deployments/server.env`."""
        return {
            **env_file("replicas"),
            "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "true",  # there is one server here
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": self.postgres.url,
            "PREFECT_REDIS_MESSAGING_URL": self.redis.url,
            # The cleanup queue has an address of its own, and without it asks localhost:6379.
            "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL": self.redis.url,
            "PREFECT_SERVER_DOCKET_URL": self.redis.url.replace("/0", "/1"),
        }

    def start(self) -> None:
        """Start both."""
        self.postgres.start()
        self.redis.start()

    def remove(self) -> None:
        """Stop both; the database is gone."""
        self.redis.stop()
        self.postgres.remove()
