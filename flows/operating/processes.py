"""Processes of one machine: started in groups of their own, started again when they die, ended without leaving any."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

#: Seconds before a process that died is started again; it counts as healthy after running for the last of them.
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
PR_SET_PDEATHSIG = 1


def _die_with_parent() -> Callable[[], None] | None:
    """What a child runs before its command, so that a `kill -9` of this process ends it too (Linux)."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) and None


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


class Supervised:
    """One long-running command in a process group of its own; what it prints goes to its log."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path) -> None:
        self.name, self.command, self.env, self.cwd, self.log = name, list(command), dict(env), cwd, log
        self.deaths = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = self._due_s = 0.0
        #: Groups of this command that still have members: a worker that was killed leaves its running flows behind.
        self._groups: list[int] = []

    def start(self) -> None:
        """Start the command; its log goes on."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 - nothing of ours runs threads when it starts children
            )
        self._started_s, self._due_s = time.monotonic(), 0.0
        self._groups.append(self._process.pid)

    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def revive(self) -> str:
        """Start it again if it died and its pause is over; returns a line for the operator where something happened."""
        if self.running() or self._process is None:
            return ""
        now = time.monotonic()
        if not self._due_s:
            self.deaths = 0 if now - self._started_s > BACKOFF_S[-1] else self.deaths
            pause_s = BACKOFF_S[min(self.deaths, len(BACKOFF_S) - 1)]
            self.deaths, self._due_s = self.deaths + 1, now + pause_s
            how = describe_exit(self._process.returncode)
            return f"{self.name} {how}. Starting it again in {pause_s:g} s; its log is {self.log}"
        if now < self._due_s:
            return ""
        self._groups = [group for group in self._groups if _group_exists(group)]
        self.start()
        return f"{self.name} started again"

    def last_lines(self, characters: int = 2000) -> str:
        """The end of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:].strip() if self.log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        """Signal the command and all that it started."""
        for group in self._groups:
            try:
                os.killpg(group, number)
            except ProcessLookupError:
                continue

    def gone(self) -> bool:
        """Whether the command and all that it started have ended."""
        if self._process is not None:
            self._process.poll()  # a zombie counts as a member of its group until it is read
        return not any(_group_exists(group) for group in self._groups)


def describe_exit(code: int) -> str:
    """How a process ended, in words."""
    return f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with exit code {code}"


def end(processes: Sequence[Supervised], deadline_s: float, hurry: Callable[[], bool] = lambda: False) -> None:
    """SIGTERM to all, and after `deadline_s` (or as soon as `hurry` says so) SIGKILL to what is left."""
    for process in processes:
        process.signal(signal.SIGTERM)
    until_s = time.monotonic() + deadline_s
    while time.monotonic() < until_s and not hurry() and not all(process.gone() for process in processes):
        time.sleep(0.05)
    for process in processes:
        if not process.gone():
            process.signal(signal.SIGKILL)
    until_s = time.monotonic() + 5
    while time.monotonic() < until_s and not all(process.gone() for process in processes):
        time.sleep(0.05)
