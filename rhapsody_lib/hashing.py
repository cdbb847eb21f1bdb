"""Digests of files."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

_BLOCK_BYTES = 1 << 18
#: A file changed this shortly before it was read may be changed again within the same tick of the file system's clock.
_TICK_NS = 2_000_000_000


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hex, read in blocks into one buffer, which stays in the processor's cache."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_BLOCK_BYTES))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
    return digest.hexdigest()


#: Digests that this process has computed, by device, inode, size, mtime and ctime of the file; at most so many.
_digests: dict[tuple[int, int, int, int, int], str] = {}
_MOST_DIGESTS = 500_000


def known_sha256(path: Path) -> str:
    """SHA-256 of a file in hex; one that is as it was when this process last read it is not read again.

    See `VerifiedFiles` for how a change is told.
    """
    began_ns, state = time.time_ns(), path.stat()
    mark = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    found = _digests.get(mark)
    if found is None:
        found = file_sha256(path)
        if state.st_ctime_ns < began_ns - _TICK_NS and len(_digests) < _MOST_DIGESTS:
            _digests[mark] = found
    return found


class VerifiedFiles:
    """Files whose digests this process has seen to be right, so that a file is not read twice only to be verified.

    A file is known by its inode, size and time of change (ctime, which no program can set back). Whoever writes to it
    changes that time, so a digest need be computed again only then. A file that changed less than two seconds before
    it was verified is never taken as known. What this leaves out is a disk that goes bad while a process runs; the
    next process verifies again.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], tuple[int, int, int]] = {}

    def matches(self, path: Path, size_bytes: int, sha256: str) -> bool:
        """Whether there is such a file with that size and digest."""
        try:
            state = path.stat()
        except OSError:
            return False
        if not path.is_file() or state.st_size != size_bytes:
            return False
        mark, name = (state.st_ino, state.st_size, state.st_ctime_ns), (path, sha256)
        if self._known.get(name) == mark:
            return True
        if file_sha256(path) != sha256:
            return False
        if state.st_ctime_ns < time.time_ns() - _TICK_NS:
            self._known[name] = mark
        return True
