"""Parses strangers' files in a child process that can be killed: a file costs at most one reject, never the run.

The child (`sandbox_child`) is a fresh interpreter with a memory limit; it lives on from file to file and is replaced
when it dies or overruns its time. Frames of JSON pass between them (`child_process`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rhapsody_lib.corpus.child_process import ChildProcess
from rhapsody_lib.corpus.found import Job, ParsedSong
from rhapsody_lib.errors import MissingExtraError, RhapsodyError, UnreadableFileError

TOO_MUCH_MEMORY = "needs more memory than corpus.file_memory_mb allows."
CHILD_COMMAND = (sys.executable, "-m", "rhapsody_lib.corpus.sandbox_child")
_START_TIMEOUT_S = 120.0


class ChildDied(Exception):  # noqa: N818  # an event between the two classes below, not a user's error
    """The child ended, or closed its pipe, before it answered. `timed_out` tells whether we killed it."""

    def __init__(self, return_code: int | None, *, timed_out: bool) -> None:
        self.return_code, self.timed_out = return_code, timed_out
        super().__init__(f"ended with {return_code}")


class _Child(ChildProcess):
    """One running interpreter, whose answers are waited for up to a time."""

    def __init__(self, command: Sequence[str], memory_mb: int, timeout_s: float) -> None:
        super().__init__([*command, str(memory_mb), str(timeout_s)], silent=True)
        try:
            self._answer(_START_TIMEOUT_S)
        except ChildDied as error:
            self.close()
            raise RhapsodyError(
                f"The process that parses files could not start (exit code {error.return_code}). "
                "Raise corpus.file_memory_mb, or reinstall with: pip install 'rhapsody[corpus]'"
            ) from error

    def ask(self, message: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send a message, wait for the answer."""
        self.send(message)
        return self._answer(timeout_s)

    def _answer(self, timeout_s: float) -> dict[str, Any]:
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(timeout_s, kill)
        timer.daemon = True
        timer.start()
        try:
            answer = self.receive()
        finally:
            timer.cancel()
        if answer is None:
            self._process.kill()
            raise ChildDied(self._process.wait(), timed_out=late.is_set())
        return answer

    def kill(self) -> None:
        """End the process; whoever waits for its answer hears that it died."""
        self._process.kill()


class Sandbox:
    """Parses files one after another in a child. A context manager; the child starts with the first file.

    Args:
        timeout_s: for one file.
        memory_mb: address space of the child.
        command: what starts the child; the limits are added as two arguments.
    """

    def __init__(self, *, timeout_s: float, memory_mb: int, command: Sequence[str] = CHILD_COMMAND) -> None:
        self._timeout_s, self._memory_mb, self._command = timeout_s, memory_mb, tuple(command)
        self._child: _Child | None = None
        self._interrupted = False

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def interrupt(self) -> None:
        """Give up, from another thread: the file being parsed and any later one raise."""
        self._interrupted = True  # first the flag: a child that is only starting sees it before it asks
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def parse(self, job: Job) -> ParsedSong:
        """Parse one file.

        Raises:
            UnreadableFileError: the file cannot be used, took too long (`timeout`), too much memory (`too_large`) or
                brought its parser down (`crashed`).
            MissingExtraError: a package that the kind of file needs is not installed.
        """
        if self._child is None:
            self._child = _Child(self._command, self._memory_mb, self._timeout_s)
        if self._interrupted:
            raise UnreadableFileError(job.name, "crashed", "was not read: reading was given up.")
        try:
            answer = self._child.ask(job.message(), self._timeout_s)
        except ChildDied as death:
            self.close()
            if death.timed_out:
                raise UnreadableFileError(
                    job.name, "timeout", f"was not read within {self._timeout_s:g} s.", "See corpus.file_timeout_s."
                ) from None
            raise UnreadableFileError(
                job.name, "crashed", f"brought down the process that parses it (exit code {death.return_code})."
            ) from None
        if answer.get("last"):
            self.close()
        if "missing" in answer:
            raise MissingExtraError(str(answer["missing"]))
        if "code" in answer:
            raise UnreadableFileError(job.name, str(answer["code"]), str(answer["detail"]))
        return ParsedSong.from_message(answer["song"])
