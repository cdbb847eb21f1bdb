"""Fetched copies of a remote store's artifacts on this machine, up to a size.

A copy is a folder, whole or absent. The least recently used copies make room for new ones, but never one that a live
process of this machine reads: a reader holds a shared lock on the copy's `.lease` file until it ends, and the system
releases it however the process ends. One process at a time downloads a copy (`.download`); the others wait for it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rhapsody_lib.errors import FullDiskError, InputError

logger = logging.getLogger(__name__)

LIMIT_VARIABLE = "RHAPSODY_CACHE_GB"
LIMIT_GB = 20.0
#: Left free on the disk after a download: others need some of it too.
_MARGIN_BYTES = 64 << 20

#: Leases of this process, held until it ends, and a lock a copy, so that its threads take turns.
_leases: dict[Path, int] = {}
_turns: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)
os.register_at_fork(after_in_child=_turns.clear)  # a thread that held one is not in the child


def limit_bytes() -> int:
    """Size that the fetched copies may take on this machine.

    Raises:
        InputError: the variable is no number of gigabytes.
    """
    text = os.environ.get(LIMIT_VARIABLE, "")
    try:
        gigabytes = float(text) if text else LIMIT_GB
    except ValueError:
        gigabytes = -1
    if not 0 <= gigabytes < float("inf"):
        raise InputError(f"{LIMIT_VARIABLE}={text}: is not a number of gigabytes, such as {LIMIT_GB:.0f}.")
    return int(gigabytes * 1e9)


class FetchedCopies:
    """The copies in one folder.

    Args:
        folder: where they are; made when the first is fetched.
        limit: what they may take together, in bytes; None: `limit_bytes()`.
    """

    def __init__(self, folder: Path, limit: int | None = None) -> None:
        self.folder, self._limit = folder, limit

    def get(self, name: str, size_bytes: int, download: Callable[[Path], None]) -> Path:
        """The copy called `name`, leased to this process; `download(folder)` fetches it if it is not here.

        Raises:
            FullDiskError: there is no room for it on the disk.
        """
        copy = self.folder / name
        with _turns[copy]:
            self._lease(copy)
            if not copy.is_dir():
                self.folder.mkdir(parents=True, exist_ok=True)
                with _locked(self._beside(copy, "download"), fcntl.LOCK_EX):
                    if not copy.is_dir():
                        self._download(copy, size_bytes, download)
        return copy

    def drop(self, name: str) -> None:
        """Remove a damaged copy. Readers keep the files they have open."""
        copy = self.folder / name
        with _locked(self._beside(copy, "download"), fcntl.LOCK_EX):
            shutil.rmtree(copy, ignore_errors=True)

    @staticmethod
    def _beside(copy: Path, what: str) -> Path:
        return copy.with_name(f"{copy.name}.{what}")

    def _download(self, copy: Path, size_bytes: int, download: Callable[[Path], None]) -> None:
        partial = self._beside(copy, "part")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed: the lock is ours now
        self._make_room(size_bytes)
        try:
            partial.mkdir(parents=True)
            download(partial)
            partial.rename(copy)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _lease(self, copy: Path) -> None:
        path = self._beside(copy, "lease")
        if path in _leases and not _is_open(path, _leases[path]):  # somebody emptied the folder
            os.close(_leases.pop(path))
        if path not in _leases:
            self.folder.mkdir(parents=True, exist_ok=True)
            _leases[path] = _lock(path, fcntl.LOCK_SH)
        os.utime(_leases[path])

    def _make_room(self, needed_bytes: int) -> None:
        limit = limit_bytes() if self._limit is None else self._limit
        copies = [path for path in self.folder.iterdir() if path.is_dir()]
        sizes = {path: _size_bytes(path) for path in copies}

        def missing_bytes() -> int:
            over = sum(sizes.values()) + needed_bytes - limit
            return max(over, needed_bytes + _MARGIN_BYTES - shutil.disk_usage(self.folder).free)

        for copy in sorted(copies, key=self._last_used):
            if missing_bytes() <= 0:
                return
            if self._evict(copy):
                del sizes[copy]
        free = shutil.disk_usage(self.folder).free
        if free < needed_bytes + _MARGIN_BYTES:
            raise FullDiskError(
                f"{self.folder}: the disk is full: {needed_bytes / 1e6:.0f} MB are to be fetched, {free / 1e6:.0f} MB "
                "are free. Free some space, or set RHAPSODY_CACHE to a folder on another disk."
            )
        if missing_bytes() > 0:
            logger.warning("%s: over %s: all other copies are in use", self.folder, LIMIT_VARIABLE)

    def _last_used(self, copy: Path) -> float:
        lease = self._beside(copy, "lease")
        return lease.stat().st_mtime if lease.exists() else 0.0

    def _evict(self, copy: Path) -> bool:
        """Remove a copy, or what a killed download left, unless a process holds it."""
        whole = copy.suffix != ".part"
        path = self._beside(copy, "lease") if whole else copy.with_suffix(".download")
        try:
            descriptor = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            shutil.rmtree(copy, ignore_errors=True)
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
        logger.info("%s: removed to make room", copy)
        return True


def _size_bytes(folder: Path) -> int:
    """Size of a copy or of what is being downloaded; what goes while we look counts for nothing."""
    total = 0
    for here, _, names in os.walk(folder):  # unlike a glob it does not mind a folder that is gone
        for name in names:
            with suppress(OSError):
                total += Path(here, name).stat().st_size
    return total


def _is_open(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _lock(path: Path, how: int) -> int:
    """Open a file and lock it; whoever unlinked it in between made it another file, so that one is tried instead."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, how)
            if _is_open(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    descriptor = _lock(path, how)
    try:
        yield
    finally:
        os.close(descriptor)
