"""A server process of a test: started in a process group of its own, killed or stopped as a whole."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = 60, pause_s: float = 0.1) -> float:
    """Poll until `condition` holds; returns the seconds it took.

    Raises:
        TimeoutError: It did not hold within `deadline_s`.
    """
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > deadline_s:
            raise TimeoutError(f"{what}: not within {deadline_s:g} s")
        time.sleep(pause_s)
    return time.monotonic() - start


def listens(port: int) -> bool:
    """Whether something accepts connections on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ServerProcess:
    """One command, its environment and its log; `start`, `kill` and `stop` may be called again and again."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        env: Mapping[str, str],
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log, self.env, self.cwd, self.user, self.stop_signal = log, dict(env), cwd, user, stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None, "not started"
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def spawn(self) -> None:
        """Start the command; the log goes on where it was."""
        assert not self.alive(), "already started"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=self.env, cwd=self.cwd, user=self.user, start_new_session=True,
            )  # fmt: skip

    def wait_ready(self, ready: Callable[[], bool], what: str, deadline_s: float = 60) -> None:
        """Poll until `ready`; a process that ended meanwhile, or a deadline that passed, shows the log's end.

        Raises:
            RuntimeError: It ended, or is not ready in time.
        """
        try:
            wait_until(lambda: not self.alive() or ready(), what, deadline_s)
        except TimeoutError as error:
            raise RuntimeError(f"{error}\n{self.log_end()}") from None
        if not self.alive():
            raise RuntimeError(f"{what} ended at once:\n{self.log_end()}")

    def log_end(self, characters: int = 4000) -> str:
        """The last lines of the log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and all it started in its group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def kill(self) -> None:
        """`kill -9`, with everything it started; returns when it is gone."""
        self._end(signal.SIGKILL, 10)

    def stop(self, deadline_s: float = 30) -> None:
        """Ask it to end, and kill what is left after `deadline_s`."""
        self._end(self.stop_signal, deadline_s)

    def _end(self, number: signal.Signals, deadline_s: float) -> None:
        if self._process is None:
            return
        # A worker's flows run in sessions of their own: they are found as children while it lives.
        family = _family(self.pid)
        self.signal_group(number)
        try:
            self._process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.signal_group(signal.SIGKILL)
            self._process.wait(10)
        for process in family if number == signal.SIGKILL else []:
            if process.is_running():
                process.kill()
        self.signal_group(signal.SIGKILL)
        self._process = None


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
