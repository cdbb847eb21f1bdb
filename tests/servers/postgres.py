"""A real PostgreSQL of a test. It refuses to run as root, so then it runs as the user that its package made."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.servers.prefect_server import clean_env
from tests.servers.process import ServerProcess, free_port


def program(name: str) -> str:
    """Path of a PostgreSQL program; Debian keeps them off the PATH. Skips the test by name where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    if not path:
        pytest.skip(f"needs postgresql: no '{name}' on this machine")
    return path


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Postgres:
    """An empty database `prefect`, on a free port, in a temporary folder that `remove` takes away."""

    password = "a-password-of-the-test"

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="rhapsody-postgres-"))
        self.user = _user()
        if self.user:
            shutil.chown(self.folder, self.user)
        self.data = self.folder / "data"
        command = [program("postgres"), "-D", self.data, "-h", "127.0.0.1", "-p", str(self.port), "-k", self.folder]
        self.process = ServerProcess(
            command, self.folder / "postgres.log", clean_env(), self.folder, self.user, stop_signal=signal.SIGINT
        )

    @property
    def url(self) -> str:
        """What PREFECT_SERVER_DATABASE_CONNECTION_URL is set to."""
        return f"postgresql+asyncpg://prefect:{self.password}@127.0.0.1:{self.port}/prefect"

    def client_env(self) -> dict[str, str]:
        """What psql, pg_dump and pg_restore connect with."""
        return clean_env(
            PGHOST="127.0.0.1", PGPORT=str(self.port), PGUSER="prefect", PGPASSWORD=self.password, PGDATABASE="prefect"
        )

    def start(self) -> Postgres:
        """Make the database if it is not there yet, start, and wait until it accepts connections."""
        if not self.data.exists():
            secret = self.folder / "password"
            secret.write_text(self.password, encoding="utf-8")
            if self.user:
                shutil.chown(secret, self.user)
            command = [program("initdb"), "-D", self.data, "-U", "prefect", "--auth=scram-sha-256", "--no-sync"]
            command += [f"--pwfile={secret}", "--encoding=UTF8", "--locale=C"]
            subprocess.run(command, check=True, capture_output=True, user=self.user, cwd=self.folder, env=clean_env())
        self.process.spawn()
        self.process.wait_ready(self._accepts, "PostgreSQL")
        self.query("SELECT 1")
        if "prefect" not in self.query("SELECT datname FROM pg_database").split():
            self.query("CREATE DATABASE prefect")
        return self

    def _accepts(self) -> bool:
        """Whether connections are let in: it listens before, while it starts up."""
        return subprocess.run([program("pg_isready"), "-q"], check=False, env=self.client_env()).returncode == 0

    def query(self, statement: str, database: str = "postgres") -> str:
        """Run one statement with psql; returns what it prints, unaligned."""
        command = [program("psql"), "-d", database, "-AtX", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=self.client_env()).stdout

    def kill(self) -> None:
        """`kill -9` of the server and its processes."""
        self.process.kill()

    def stop(self) -> None:
        """A fast shutdown: connections are closed."""
        self.process.stop()

    def remove(self) -> None:
        """Stop it and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
