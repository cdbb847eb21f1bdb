"""Rows of a benchmark, printed as a table or as JSON, and how a command is measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure: ours, and the peer's in the same run where there is one; `ratio` is ours / peer."""

    what: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


def at_most(what: str, ours: float, limit: float) -> Row:
    """A row whose target is an upper limit."""
    return Row(what, round(ours, 3), target=f"<= {limit:g}", met=ours <= limit)


def beside(what: str, ours: float, peer: float, *, better: str) -> Row:
    """A row beside a peer's figure; `better` is 'lower' or 'higher'."""
    ratio = ours / peer if peer else float("inf")
    met = ours < peer if better == "lower" else ours > peer
    return Row(what, round(ours, 4), round(peer, 4), round(ratio, 3), f"{better} than the peer's", met)


def machine() -> str:
    """What the figures were measured on."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Print the rows."""
    if as_json:
        json.dump({"rows": [asdict(row) for row in rows], "machine": machine()}, sys.stdout, indent=2)
        print()
        return
    table = Table("what", "ours", "peer", "ratio", "target", "met", title=machine())
    for row in rows:
        cells = ["" if value is None else str(value) for value in (row.ours, row.peer, row.ratio, row.target)]
        table.add_row(row.what, *cells, "" if row.met is None else "yes" if row.met else "NO")
    Console(width=140).print(table)


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float
    peak_mb: float
    stdout: str


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Measured:
    """Run a command to its end; its peak memory is that of the whole process tree, sampled every 20 ms."""
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        root = psutil.Process(process.pid)
        while not done.wait(0.02):
            total = 0
            try:
                for member in [root, *root.children(recursive=True)]:
                    total += member.memory_info().rss
            except psutil.NoSuchProcess:
                pass
            peak = max(peak, total / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    stdout, stderr = process.communicate()
    seconds = time.monotonic() - started
    done.set()
    watcher.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} exited with {process.returncode}:\n{stderr[-4000:]}")
    return Measured(seconds, peak, stdout)
