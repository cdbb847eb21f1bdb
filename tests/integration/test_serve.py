"""`rhapsody serve` as a person uses it: start, work, a worker dies and comes back, Ctrl-C, and nothing is left."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from flows import serve
from flows.operating.checkout import DeployError
from flows.operating.machine import Machine
from tests.servers.api import Api
from tests.servers.prefect_server import ROOT, clean_env
from tests.servers.process import ServerProcess, free_port, wait_until


def _command(home: Path, port: int, store: Path) -> list[str]:
    return [sys.executable, "-m", "flows.cli", "serve", "--home", str(home), "--port", str(port), "--store", str(store)]


def _processes_of(home: Path) -> list[psutil.Process]:
    """Every process whose Prefect home is within the folder: server, workers, runs."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT_HOME", "").startswith(str(home)):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def _worker(home: Path, pool: str) -> psutil.Process | None:
    for process in _processes_of(home):
        command = process.cmdline()
        if "worker" in command and pool in command:
            return process
    return None


def _once(home: Path, port: int, store: Path) -> subprocess.CompletedProcess[str]:
    command = _command(home, port, store)
    return subprocess.run(command, check=False, cwd=ROOT, env=clean_env(), capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_serve_starts_works_survives_a_worker_and_leaves_nothing(tmp_path):
    home, port, store = tmp_path / "home", free_port(), tmp_path / "store"
    serving = ServerProcess(_command(home, port, store), tmp_path / "serve.log", clean_env(), ROOT)
    serving.spawn()
    try:
        serving.wait_ready(lambda: "Ready after" in serving.log_end(), "rhapsody serve", 240)
        api = Api(f"http://127.0.0.1:{port}/api")
        assert len(api.deployments()) == 7
        assert f"http://127.0.0.1:{port}\n" in serving.log_end()
        again = _once(home, port, store)
        assert again.returncode == 1 and "runs already" in again.stderr and str(serving.pid) in again.stderr

        # A run goes through its queue to the worker, and finds this store: empty, which is what it says.
        song = api.run("generate-song/adhoc", prompt="the sky is blue")
        assert "train" in api.wait_for(song, "FAILED", "CRASHED")["message"].lower()

        killed = _worker(home, "cpu-pool")
        assert killed is not None
        killed.kill()
        wait_until(lambda: "cpu-pool worker started again" in serving.log_end(), "another worker", 30)
        revived = _worker(home, "cpu-pool")
        assert revived is not None and revived.pid != killed.pid

        run = api.run("retrain/weekly")
        api.wait_for(run, "RUNNING")
        # The engine itself, and no second interpreter that starts it: the command of the pool's template.
        commands = [process.cmdline() for process in _processes_of(home / "cpu-pool")]
        assert ["python", "-m", "prefect.engine"] in commands
        assert not any("execute" in command for command in commands)
        os.kill(serving.pid, signal.SIGINT)
        took_s = wait_until(lambda: not serving.alive(), "the end of rhapsody serve", 30)
        assert took_s < 25
        wait_until(lambda: not _processes_of(home), "the end of all it started", 10)
        with sqlite3.connect(home / "server" / "prefect.db") as database:
            states = database.execute("select state_type from flow_run where id = ?", (run,)).fetchall()
        database.close()
        assert states == [("CANCELLED",)]
    finally:
        serving.kill()
        for process in _processes_of(home):
            process.kill()


@pytest.mark.parametrize("interrupts", [0, 1])
def test_what_breaks_off_because_of_ctrl_c_is_no_error(interrupts, tmp_path, monkeypatch):
    class Counted:
        count = interrupts

    def breaks_off() -> None:
        raise DeployError("'prefect deploy --all' failed")

    monkeypatch.setattr(serve, "Interrupts", Counted)
    serving = serve.Serving(Machine(tmp_path, free_port(), str(tmp_path / "store")))
    monkeypatch.setattr(serving, "_start", breaks_off)
    if interrupts:
        serving.run()
    else:
        with pytest.raises(DeployError):
            serving.run()


def test_a_port_that_is_taken_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _once(tmp_path / "home", port, tmp_path / "store")
    assert done.returncode == 2
    assert f"Port {port} is taken by another program" in done.stderr and "Traceback" not in done.stderr
    assert not _processes_of(tmp_path)


def test_a_store_that_cannot_be_used_is_one_clear_error_before_anything_is_started(tmp_path):
    (tmp_path / "file").write_text("")
    done = _once(tmp_path / "home", free_port(), tmp_path / "file" / "store")
    assert done.returncode == 4
    assert "the store cannot be written" in done.stderr and "Traceback" not in done.stderr
    assert "Starting" not in done.stderr
    assert not _processes_of(tmp_path)
