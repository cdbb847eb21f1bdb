"""What the store costs beside plain s3fs on the same server: publishing, fetching with verification, memory.

    python -m tests.benchmarks.store_rows [--quick]

OpenStack Swift runs on the same machine, so all take turns and the best of each is compared. Each runs in a process of
its own; memory is that of the process above what it had before.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.table import Row, at_most, run, show
from tests.servers.swift import Swift

BYTES, QUICK_BYTES = 1_000_000_000, 200_000_000
ROUNDS = 3

#: Run with: what to do, address, local file, scratch folder, number of the round. Prints seconds and megabytes.
_PROCESS = """
import json, os, sys, threading, time
from pathlib import Path
import psutil
what, address, source, scratch, turn = sys.argv[1:]
process = psutil.Process()
peak, over = 0, threading.Event()

def watch():
    global peak
    while not over.wait(0.005):
        peak = max(peak, process.memory_info().rss)

if what.startswith("plain"):
    import s3fs
    fs = s3fs.S3FileSystem()
    fs.ls(address)
else:
    from rhapsody_lib.artifacts import Recipe, Store
    store = Store(address + "/store", scratch=Path(scratch))
    recipe = Recipe("big", int(turn), {}, {})
watcher = threading.Thread(target=watch)
idle = process.memory_info().rss
watcher.start()
started = time.perf_counter()
if what == "plain upload":
    fs.put_file(source, address + "/plain")
elif what == "plain download":
    fs.get_file(address + "/plain", scratch + "/plain")
elif what == "publish":
    store.build(recipe, lambda folder: os.link(source, folder / "weights"))
else:
    store.fetch(store.find("big", recipe.key))
seconds = time.perf_counter() - started
over.set()
watcher.join()
print(json.dumps({"seconds": seconds, "memory_mb": (peak - idle) / 1e6}))
"""
_ORDER = ("publish", "plain upload", "fetch", "plain download")


def rows(quick: bool) -> list[Row]:
    """The figures, of one file of 1 GB, or of 200 MB if `quick`."""
    size_bytes = QUICK_BYTES if quick else BYTES
    size = f"{size_bytes / 1e9:g} GB"
    with tempfile.TemporaryDirectory() as name:
        folder, swift = Path(name), Swift(Path(name) / "swift")
        swift.start()
        try:
            measured = _measure(folder, swift, size_bytes)
        finally:
            swift.kill()
    best = {what: min(turn["seconds"] for turn in turns) for what, turns in measured.items()}
    memory = {what: max(turn["memory_mb"] for turn in turns) for what, turns in measured.items()}
    publishing = best["plain upload"] / best["publish"]
    fetching = best["fetch"] / best["plain download"]
    return [
        Row(
            f"publish {size} to S3, share of a plain s3fs upload's speed (seconds beside)",
            round(best["publish"], 2),
            round(best["plain upload"], 2),
            round(publishing, 3),
            ">= 0.7",
            publishing >= 0.7,
        ),
        Row(
            f"fetch and verify {size}, time by a plain s3fs download's (seconds beside)",
            round(best["fetch"], 2),
            round(best["plain download"], 2),
            round(fetching, 3),
            "<= 1.15",
            fetching <= 1.15,
        ),
        at_most(f"memory above idle of a process that fetches {size}, MB", memory["fetch"], 300),
        at_most(f"memory above idle of a process that publishes {size}, MB", memory["publish"], 300),
    ]


def _measure(folder: Path, swift: Swift, size_bytes: int) -> Mapping[str, list[dict[str, float]]]:
    source = folder / "source"
    with source.open("wb") as stream:
        for _ in range(size_bytes // 10_000_000):
            stream.write(os.urandom(10_000_000))
    address = swift.make_bucket("benchmark")
    measured: dict[str, list[dict[str, float]]] = {what: [] for what in _ORDER}
    for turn in range(ROUNDS):
        for what in _ORDER if turn % 2 else (*_ORDER[1::-1], *_ORDER[:1:-1]):  # neither always comes first
            scratch = folder / f"scratch-{turn}"
            scratch.mkdir(exist_ok=True)
            command = [sys.executable, "-c", _PROCESS, what, address, str(source), str(scratch), str(turn)]
            measured[what].append(json.loads(run(command, env=swift.environment).stdout))
    return measured


if __name__ == "__main__":
    show(rows("--quick" in sys.argv), as_json="--json" in sys.argv)
