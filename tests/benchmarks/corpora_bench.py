"""What the groups of the corpora benchmark share: sizes, stand-ins kept in a folder, preparations in processes."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.standins import ROOT
from tests.benchmarks.standins_kaggle import write_kaggle
from tests.benchmarks.standins_lakh import write_lakh
from tests.benchmarks.table import Measured, run

#: One preparation by the ordinary steps, as `rhapsody prepare` makes it, in a process of its own. Arguments: address of
#: the store, changes of settings as JSON, sources. Prints the address of the corpus and its summary.
_PREPARE = """
import json, resource, sys, time
from pathlib import Path
from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.settings import load_settings
store, changes, sources = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
def processor_s():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
before, started = processor_s(), time.perf_counter()
ref = operations.prepare_corpus(store, load_settings("fast", changes), sources)
seconds, processor = time.perf_counter() - started, processor_s() - before
folder = Store(store).fetch(ref)
summary = json.loads((folder / "summary.json").read_text())
print(json.dumps({"folder": str(folder), "seconds": seconds, "processor_s": processor, "summary": summary}))
"""


@dataclass
class Bench:
    """One run of the benchmark.

    Args:
        folder: scratch folder; stand-ins in it are not made again.
        datasets: folder of the real files.
        quick: few songs: to see that all works, not for figures to be stated.
        full: the published sizes; otherwise a part of them, with times for the whole computed from it.
        left_out: what was not measured, and why.
    """

    folder: Path
    datasets: Path
    quick: bool
    full: bool
    left_out: list[str] = field(default_factory=list)

    def size(self, quick: int, usual: int, full: int) -> int:
        """The one of three sizes that this run is to take."""
        return quick if self.quick else full if self.full else usual

    def kaggle(self, rows: int, *, older: bool = False) -> Path:
        """A stand-in for `lyrics-data.csv` with its artists beside it; made once."""
        folder = self.folder / f"kaggle-{rows}{'-older' if older else ''}"
        return self._made(folder, lambda: write_kaggle(folder, self.datasets, rows, older=older)) / "lyrics-data.csv"

    def lakh(self, songs: int, tracks: int) -> Path:
        """A stand-in for a Lakh tree; made once."""
        folder = self.folder / f"lakh-{songs}-{tracks}"
        return self._made(folder, lambda: write_lakh(folder, self.datasets, songs, tracks=tracks))

    def _made(self, folder: Path, make: Any) -> Path:
        done = folder.with_suffix(".done")
        if not done.exists():
            make()
            done.touch()
        return folder

    def prepare(
        self, store: str, sources: list[Path], *changes: str, environment: dict[str, str] | None = None
    ) -> tuple[Measured, dict[str, Any]]:
        """Prepare sources in a new process; how it did, and `folder`, `seconds`, `processor_s` and `summary`."""
        command = [sys.executable, "-c", _PREPARE, store, json.dumps(changes), *map(str, sources)]
        measured = run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), **(environment or {})})
        return measured, json.loads(measured.stdout.splitlines()[-1])

    def store(self, name: str) -> str:
        """Address of an empty store."""
        number = 0
        while (place := self.folder / f"store-{name}-{os.getpid()}-{number}").exists():
            number += 1
        place.mkdir(parents=True)
        return str(place)


def write_songs(bench: Bench, folder: Path, count: int) -> Path:
    """MIDI files of a Lakh tree in one folder, under names of their own, with words beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    files = sorted((bench.lakh(bench.size(20, 250, 1_000), 5_000) / "lmd_matched").rglob("*.mid"))
    said = "the river runs under a bridge and away to sea while nobody knows where little boats go at night in winter"
    for number in range(count):
        shutil.copyfile(files[number % len(files)], folder / f"{number:06d}.mid")
        # Words of their own, in an order drawn by the number: none is nearly another's.
        random = Random(number)
        lines = [" ".join(random.sample(said.split(), 8)) for _ in range(4)]
        (folder / f"{number:06d}.txt").write_text("\n".join([*lines, f"song number {number} of them all", ""]))
    return folder
