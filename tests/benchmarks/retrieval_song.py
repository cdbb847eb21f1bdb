"""A whole `rhapsody song`, from the shell to its files with audio: seconds, memory of all its processes, modules.

Called by `python -m tests.benchmarks.retrieval --only song`, or by itself on the store there is:

    python -m tests.benchmarks.retrieval_song [--json] [--runs N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.retrieval_bench import Bench
from tests.benchmarks.song import COMMAND, PROMPT, tensorflow_loaded, training
from tests.benchmarks.table import Row, at_most, run, show

RUNS = 5
#: A song of the most lines there may be, so that memory is measured where it is most.
LONG = ("--form", "verse chorus " * 12, "--lines-per-section", "5")
MAX_SECONDS, MAX_MB = 5, 600
MAX_PAGE_MB, MAX_LONG_PAGE_MB = 5, 15
#: Prints processor seconds of each step of a song, with those of its threads and without those of its child.
_PHASES = """
import json, sys, time
begun = time.process_time()
from flows import cli
from rhapsody_lib.operations import generation
told = {"start": time.process_time()}
def timed(name):
    step = getattr(generation, name)
    def call(*arguments, **named):
        before, at = time.process_time(), time.perf_counter()
        result = step(*arguments, **named)
        told[name] = time.process_time() - before
        told[name + ", wall"] = time.perf_counter() - at
        return result
    setattr(generation, name, call)
for name in ("write_lyrics", "compose_backing", "write_song"):
    timed(name)
sys.argv = ["rhapsody", "song", *json.loads(sys.argv[1])]
try:
    cli.main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("PHASES" + json.dumps(told))
"""


def phase_rows(folder: Path, environment: dict[str, str]) -> list[Row]:
    """Processor seconds of each step; the match is found by another process meanwhile."""
    arguments = json.dumps([PROMPT, "--out", str(folder / "phases")])
    printed = run([sys.executable, "-c", _PHASES, arguments], env=environment).stdout
    told: dict[str, Any] = json.loads(printed.rsplit("PHASES", 1)[1])
    return [Row(f"of it {name}, processor s", round(told[name], 2)) for name in told if not name.endswith("wall")]


def compiled(folder: Path) -> dict[str, str]:
    """What keeps Python's compiled modules, as on any machine that has made a song before, wherever this runs."""
    return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def song_rows(folder: Path, environment: dict[str, str], *, runs: int = RUNS) -> list[Row]:
    """The rows of a song.

    Args:
        folder: scratch, where the songs are written.
        environment: with RHAPSODY_STORE, a store that has a release.
        runs: of which the median is told; one more before them compiles Python's modules.
    """
    environment = environment | compiled(folder)
    run([COMMAND, "song", PROMPT, "--out", str(folder / "first")], env=environment)
    found = [
        run([COMMAND, "song", PROMPT, "--out", str(folder / f"song-{number}")], env=environment)
        for number in range(runs)
    ]
    long = run([COMMAND, "song", PROMPT, *LONG, "--out", str(folder / "long")], env=environment)
    info = json.loads((folder / "long" / "song.json").read_text(encoding="utf-8"))
    page, long_page = (folder / name / "index.html" for name in ("song-0", "long"))
    return [
        at_most("rhapsody song with audio, s", statistics.median(each.seconds for each in found), MAX_SECONDS),
        at_most("its memory, all processes, MB", max(each.peak_mb for each in found), MAX_MB),
        tensorflow_loaded(folder, environment),
        *phase_rows(folder, environment),
        at_most("its page, MB", page.stat().st_size / 1e6, MAX_PAGE_MB),
        Row("a song of 120 lines lasts, s", round(info["music"]["duration_s"], 1)),
        Row("a song of 120 lines is made in, s", round(long.seconds, 2)),
        at_most("its memory, all processes, MB", long.peak_mb, MAX_MB),
        at_most("its page, MB", long_page.stat().st_size / 1e6, MAX_LONG_PAGE_MB),
    ]


def song(bench: Bench) -> list[Row]:
    """The group of the retrieval benchmark: a song from models that the default profile trains on the songbook."""
    environment, _ = training(bench.folder)
    return song_rows(bench.folder, environment, runs=1 if bench.quick else RUNS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    environment = {name: os.environ[name] for name in ("RHAPSODY_STORE",) if name in os.environ}
    with tempfile.TemporaryDirectory() as name:
        show(song_rows(Path(name), environment, runs=options.runs), as_json=options.json)


if __name__ == "__main__":
    main()
