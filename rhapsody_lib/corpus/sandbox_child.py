"""The child that `sandbox` starts: reads jobs on standard input, answers on standard output, within its limits."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import signal
import sys
from typing import Any

from rhapsody_lib.corpus.child_process import MAX_FRAME_BYTES, read_frame, write_frame
from rhapsody_lib.corpus.found import Job, one_line
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.corpus.sandbox import TOO_MUCH_MEMORY
from rhapsody_lib.errors import MissingExtraError, UnreadableFileError

#: An orphan whose parent was killed ends by itself this long after its file's time is over.
_GRACE_S = 5
#: Address space that code, libraries and what is reserved but not used take besides the data.
_CODE_MB = 1024
#: What parsers import late. A file's time is for the file, so these are imported before the first.
_PARSERS = ("midi_folder", "leadsheets", "plain_text", "lakh.song")
_FORMATS = ("numpy", "symusic")


def import_parsers() -> None:
    """Import what the usual kinds of files need, as far as it is installed."""
    for name in (*_FORMATS, *(f"rhapsody_lib.corpus.{parser}" for parser in _PARSERS)):
        with contextlib.suppress(ImportError, MissingExtraError):
            importlib.import_module(name)


def limit_process(memory_mb: int) -> None:
    """Bound the memory, and forbid the writing of files, where the system can (not on Windows).

    The limit is on data (what a process has written to or may write to), which is close to what it takes of the
    machine's memory; the address space is bounded a gigabyte above, for systems that do not count data.
    """
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return
    limits = {
        resource.RLIMIT_DATA: memory_mb << 20,
        resource.RLIMIT_AS: (memory_mb + _CODE_MB) << 20,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, wanted in limits.items():
        _, hard = resource.getrlimit(limit)
        if hard == resource.RLIM_INFINITY or wanted < hard:
            resource.setrlimit(limit, (wanted, hard))


def _refusal(error: Exception) -> dict[str, Any]:
    """The message for a job that failed."""
    if isinstance(error, UnreadableFileError):
        return {"code": error.code, "detail": one_line(error.detail)}
    if isinstance(error, MissingExtraError):
        return {"missing": str(error)}
    if isinstance(error, MemoryError):
        return {"code": "too_large", "detail": TOO_MUCH_MEMORY, "last": True}
    return {"code": "crashed", "detail": one_line(f"{type(error).__name__}: {error}"), "last": True}


def answer(job: Job) -> dict[str, Any]:
    """The message for one job; `last` where this process should be replaced."""
    try:
        song = parse_job(job)
    except Exception as error:  # whatever a parser raises on a stranger's file is that file's reject
        return _refusal(error)
    if song.track is not None and len(song.track.midi) + len(song.lyrics) > MAX_FRAME_BYTES // 4:
        return {"code": "too_large", "detail": "makes more music than fits a row."}
    return {"song": song.message()}


def main(memory_mb: int, timeout_s: float) -> None:
    """Answer jobs until standard input ends."""
    import_parsers()
    limit_process(memory_mb)
    requests = sys.stdin.buffer
    # Libraries that print must not break the frames: they get standard output's number, pointed at nothing.
    with os.fdopen(os.dup(1), "wb") as replies:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        write_frame(replies, {"ready": True})
        while (request := read_frame(requests)) is not None:
            if hasattr(signal, "alarm"):
                signal.alarm(math.ceil(timeout_s) + _GRACE_S)
            write_frame(replies, answer(Job.from_message(request)))
            if hasattr(signal, "alarm"):
                signal.alarm(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
