"""Reading a source while the processes that parse it are watched."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from rhapsody_lib.corpus import sandbox
from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.settings import CorpusSettings


@dataclass
class Watched:
    """What reading gave and took: songs and rejects by path, and of the files that are parsed in a process of their own
    the time of each, the most memory that such a process ever had until then, and the ids of these processes.
    """

    items: dict[str, Found | Reject] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)
    processes: set[int] = field(default_factory=set)

    def rejected(self, *codes: str) -> dict[str, str]:
        """Details of the rejects with one of these codes, by path."""
        items = self.items.items()
        return {path: item.detail for path, item in items if isinstance(item, Reject) and item.code.value in codes}


def peak_mb(process: int) -> float:
    """The most memory that a process ever held; what it holds now where there is no /proc; 0 if it has ended."""
    status = Path(f"/proc/{process}/status")
    with suppress(OSError):
        told = [
            line.split()[1] for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")
        ]
        return int(told[0]) / 1024 if told else 0.0
    with suppress(psutil.NoSuchProcess):
        return float(psutil.Process(process).memory_info().rss / 2**20)
    return 0.0


def read_watched(folder: Path, settings: CorpusSettings, *, workers: int = 1) -> Watched:
    """Read all files of a folder, and watch.

    Raises:
        AssertionError: a path is given twice.
    """
    watched, real = Watched(), sandbox._Child.ask

    def ask(self: Any, message: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            return real(self, message, timeout_s)
        finally:
            watched.seconds[message["name"]] = time.perf_counter() - started
            watched.processes.add(self._process.pid)
            if peak := peak_mb(self._process.pid):
                watched.peak_mb[message["name"]] = peak

    with mock.patch.object(sandbox._Child, "ask", ask):
        for _, item in read_source(open_source(str(folder)), settings, workers=workers):
            assert item.path not in watched.items, item.path
            watched.items[item.path] = item
    return watched
