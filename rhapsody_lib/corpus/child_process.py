"""A fresh interpreter as a child of this process, spoken to in frames on its pipes.

A frame is a 4-byte big-endian length, then JSON in UTF-8, so that nothing that a child says can run code here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

MAX_FRAME_BYTES = 64 << 20
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]


def write_frame(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Send one message."""
    data = json.dumps(message).encode()
    stream.write(len(data).to_bytes(4, "big") + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message; None at the end of the stream or for a frame that is cut off or too long."""
    length = int.from_bytes(header, "big") if len(header := stream.read(4)) == 4 else MAX_FRAME_BYTES + 1
    if length > MAX_FRAME_BYTES:
        return None
    data = stream.read(length)
    try:
        message = json.loads(data) if len(data) == length else None
    except ValueError:
        return None
    return message if isinstance(message, dict) else None


class ChildProcess:
    """One running interpreter, whose libraries compute in one thread.

    Args:
        command: what starts it.
        one_thread: more variables that say how many threads a library takes.
        silent: whether what it writes to the standard error is thrown away.
        new_session: whether it is kept from the signals of our terminal.
    """

    def __init__(
        self, command: Sequence[str], *, one_thread: Sequence[str] = (), silent: bool = False, new_session: bool = False
    ) -> None:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", *one_thread), "1")
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if silent else None,
            cwd=_PACKAGE_PARENT,
            env={**os.environ, **threads},
            start_new_session=new_session,
        )

    def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        assert self._process.stdin is not None  # noqa: S101  # opened as a pipe above
        with contextlib.suppress(BrokenPipeError):  # a dead child is noticed where its answer is read
            write_frame(self._process.stdin, message)

    def receive(self) -> dict[str, Any] | None:
        """The next message; None if the child died, or said what is no message."""
        assert self._process.stdout is not None  # noqa: S101
        return read_frame(self._process.stdout)

    def close(self) -> None:
        """End the process and its pipes."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
