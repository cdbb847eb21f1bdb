"""Processes of `rhapsody serve`: revived with a growing pause, ended with all their children."""

from __future__ import annotations

import os
import signal
import sys

from flows.operating import processes
from flows.operating.processes import Supervised, describe_exit, end
from tests.servers.process import wait_until


def _supervised(tmp_path, code: str) -> Supervised:
    return Supervised("the thing", [sys.executable, "-c", code], dict(os.environ), tmp_path, tmp_path / "log")


def test_what_dies_is_started_again_after_a_pause_that_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "BACKOFF_S", (0.0, 0.3, 60.0))
    thing = _supervised(tmp_path, "raise SystemExit(3)")
    thing.start()
    lines = []

    def died_twice() -> bool:
        lines.append(thing.revive())
        return thing.deaths == 2

    wait_until(died_twice, "two deaths", 20, 0.02)
    said = [line for line in lines if line]
    assert (
        said[0].startswith("the thing ended with exit code 3. Starting it again in 0 s")
        and "again in 0.3 s" in said[-1]
    )
    assert thing.revive() == "" and not thing.running()  # its pause is not over
    end([thing], 1)


def test_the_children_of_a_killed_process_end_too(tmp_path):
    code = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print(child.pid, flush=True); time.sleep(600)"
    )
    thing = _supervised(tmp_path, code)
    thing.start()
    wait_until(lambda: thing.last_lines() != "", "the child", 20)
    os.kill(thing._process.pid, signal.SIGKILL)
    wait_until(lambda: not thing.running(), "the parent's end", 5)
    assert not thing.gone()
    end([thing], 5)
    assert thing.gone()


def test_what_ignores_the_polite_signal_is_killed(tmp_path):
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    thing = _supervised(tmp_path, code)
    thing.start()
    wait_until(lambda: "up" in thing.last_lines(), "the start", 20)
    end([thing], 0.3)
    assert thing.gone() and thing._process.returncode == -signal.SIGKILL
    assert describe_exit(thing._process.returncode) == "was killed (SIGKILL)"
