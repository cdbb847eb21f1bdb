"""What the groups of the lyrics benchmark share: corpora, a scratch store, child processes, rows with a factor."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import rhapsody_lib
from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.settings import Settings, load_settings
from tests.benchmarks.table import Measured, Row, run

ROOT = Path(rhapsody_lib.__file__).parent.parent
KAGGLE = "kaggle_shape large"
#: Songs of `--quick`, taken from the front of the Kaggle-shaped table.
QUICK_SONGS = 400


@dataclass
class Bench:
    """One run of the benchmark.

    Args:
        folder: scratch folder; the store is in it.
        datasets: folder of real songs; what needs an absent one is left out, by name.
        quick: a few epochs on small corpora: to see that all works, not for figures to be stated.
        profile: settings of the trainings.
        corpora: perplexity is measured of these alone; of all where there are none.
        changes: settings other than the profile's.
        left_out: what was not measured, and why.
    """

    folder: Path
    datasets: Path
    quick: bool
    profile: str
    corpora: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    left_out: list[str] = field(default_factory=list)

    @property
    def store(self) -> str:
        """Address of the scratch store."""
        return str(self.folder / "store")

    def settings(self, *changes: str) -> Settings:
        """Settings of the profile without a base model: its verse is in some of the corpora, held-out songs too."""
        short = ["lyrics.max_epochs=2"] if self.quick else []
        return load_settings(self.profile, ["lyrics.base=none", *short, *self.changes, *changes])

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """Sources by the name of their corpus, of those that are there."""
        lyrics = self.datasets / "lyrics"
        found = {
            "songbook": ["songbook"],
            "openewld": [self.datasets / "openewld"],
            "open_hymnal": [lyrics / "open_hymnal"],
            "openscore_lieder_en": [lyrics / "openscore_lieder_en"],
            KAGGLE: [self._kaggle(lyrics / "kaggle_shape.zip")],
        }
        there = {
            name: [str(source) for source in sources]
            for name, sources in found.items()
            if all(source == "songbook" or (source and source.exists()) for source in sources)
        }
        self.left_out += [f"{name}: the dataset is absent" for name in found if name not in there]
        if KAGGLE in there:
            there["all together"] = [source for sources in there.values() for source in sources]
        return there

    def _kaggle(self, archive: Path) -> Path | None:
        """The large table under the names that the real one has; some of its songs where `quick`."""
        if not archive.is_file():
            return None
        folder = self.folder / "kaggle_large"
        if folder.is_dir():
            return folder
        folder.mkdir(parents=True)
        with zipfile.ZipFile(archive) as opened:
            for name in ("lyrics-data", "artists-data"):
                with opened.open(f"kaggle_shape/{name}.large.csv") as source, (folder / f"{name}.csv").open("wb") as to:
                    shutil.copyfileobj(source, to)
        if self.quick:
            _keep_front(folder / "lyrics-data.csv", QUICK_SONGS)
        return folder

    def prepared(self, name: str) -> ArtifactRef:
        """A corpus, made by the ordinary step; once."""
        return operations.prepare_corpus(self.store, self.settings(), self.sources[name])

    def corpus_folder(self, name: str) -> Path:
        """The folder of a prepared corpus."""
        return Store(self.store).fetch(self.prepared(name))

    def largest(self) -> str:
        """The corpus that speed and memory are measured on."""
        return KAGGLE if KAGGLE in self.sources else "songbook"

    def child(self, what: str, **arguments: Any) -> dict[str, Any]:
        """What `lyrics_child` prints of a piece of work in a process of its own, and how the process did."""
        measured = self.process(what, **arguments)
        return {**json.loads(measured.stdout.splitlines()[-1]), "process": measured}

    def process(self, what: str, **arguments: Any) -> Measured:
        """The process alone: from its start to its end."""
        command = [sys.executable, "-m", "tests.benchmarks.lyrics_child", what, json.dumps(arguments, default=str)]
        return run(command, cwd=ROOT)


def factor(what: str, ours: float, peer: float, *, at_least: float = 0.0, at_most: float = 0.0, shown: int = 1) -> Row:
    """A row whose target is a factor on the peer's figure, from below or from above; none of both: no target."""
    ratio = ours / peer if peer else float("inf")
    target = f">= {at_least:g} x" if at_least else f"<= {at_most:g} x" if at_most else ""
    met = ratio >= at_least if at_least else ratio <= at_most if at_most else None
    return Row(what, round(ours, shown), round(peer, shown), round(ratio, 3), target, met)


def _keep_front(table: Path, rows: int) -> None:
    import csv

    with table.open(encoding="utf-8", newline="") as source:
        kept = [row for row, _ in zip(csv.reader(source), range(rows + 1), strict=False)]
    with table.open("w", encoding="utf-8", newline="") as to:
        csv.writer(to).writerows(kept)
