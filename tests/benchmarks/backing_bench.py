"""What the groups of the backing benchmark share: corpora of music, a scratch store, trained models, children."""

from __future__ import annotations

import csv
import json
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.corpus.found import track_of
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.corpus.split import split_position
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.settings import Settings, load_settings
from tests.benchmarks.lyrics_bench import ROOT, factor
from tests.benchmarks.table import Measured, run

__all__ = ["CORPORA", "ROOT", "Bench", "factor"]

SONGBOOK, OPENEWLD, POP909, MINI_LPD = "songbook", "openewld", "pop909", "mini_lpd"
CORPORA = (SONGBOOK, OPENEWLD, POP909, MINI_LPD)
#: Songs of a corpus in `--quick`, and epochs of a training.
QUICK_SONGS, QUICK_EPOCHS = 40, 1
#: Pieces that are written to be judged, unless another number is asked for.
WRITTEN = 100
#: Raised when `_write_tables` gives other tables from the same files.
_TABLES_VERSION = 4


@dataclass
class Bench:
    """One run of the benchmark.

    Args:
        folder: scratch folder; the store is in it, and what it holds is not made again.
        datasets: folder of real music; what needs an absent one is left out, by name.
        quick: few songs and one epoch: to see that all works, not for figures to be stated.
        profile: settings of the trainings.
        written: pieces that are written to be judged.
        left_out: what was not measured, and why.
    """

    folder: Path
    datasets: Path
    quick: bool
    profile: str
    written: int = WRITTEN
    left_out: list[str] = field(default_factory=list)

    @property
    def store(self) -> str:
        """Address of the scratch store."""
        return str(self.folder / "store")

    def settings(self, *changes: str) -> Settings:
        """Settings of the profile."""
        short = [f"backing.max_epochs={QUICK_EPOCHS}", "backing.epoch_tokens=20000"] if self.quick else []
        return load_settings(self.profile, [*short, *changes])

    @cached_property
    def corpora(self) -> tuple[str, ...]:
        """Names of the corpora that are there."""
        there = [name for name in CORPORA if name == SONGBOOK or self._source(name).exists()]
        self.left_out += [f"{name}: the dataset is absent" for name in CORPORA if name not in there]
        return tuple(there)

    def _source(self, name: str) -> Path:
        return self.datasets / ("pop909.zip" if name == POP909 else name)

    def corpus(self, name: str) -> ArtifactRef:
        """A corpus as an artifact of the store; made once.

        The songbook and lead sheets are prepared by the ordinary step. POP909 and the Lakh-like tree have no words, and
        so would be refused as songs: their MIDI files are read here into the same tables.
        """
        if name == SONGBOOK:
            return operations.prepare_corpus(self.store, self.settings(), ["songbook"])
        if name == OPENEWLD:
            return operations.prepare_corpus(self.store, self.settings(), [str(self._source(name) / "songs")])
        values = {"tables": _TABLES_VERSION, "songs": QUICK_SONGS if self.quick else 0, "name": name}
        recipe = Recipe("corpus", _TABLES_VERSION, values, {"source": _digest(self._source(name))})
        return Store(self.store).build(recipe, lambda folder: self._write_tables(name, folder))

    def corpus_folder(self, name: str) -> Path:
        """The folder of a corpus, with `songs.parquet` and `tracks.parquet`."""
        return Store(self.store).fetch(self.corpus(name))

    def backing_model(self, name: str, *changes: str) -> Path:
        """The folder of a backing model trained on a corpus by the ordinary step; once for each set of changes."""
        trained = operations.train_backing(self.store, self.settings(*changes), self.corpus(name))
        return Store(self.store).fetch(trained)

    def midi_files(self, name: str) -> Iterator[tuple[str, str, bytes]]:
        """(id, title, MIDI) of each song of `pop909` or `mini_lpd`, in order; of `--quick` the first."""
        found = self._pop909() if name == POP909 else self._mini_lpd()
        for number, song in enumerate(found):
            if self.quick and number >= QUICK_SONGS:
                break
            yield song

    def _pop909(self) -> Iterator[tuple[str, str, bytes]]:
        with zipfile.ZipFile(self._source(POP909)) as archive:
            for member in sorted(archive.namelist()):
                place = Path(member)
                if place.suffix == ".mid" and place.parent.name == place.stem:
                    yield place.stem, place.stem, archive.read(member)

    def _mini_lpd(self) -> Iterator[tuple[str, str, bytes]]:
        folder, seen = self._source(MINI_LPD), set[str]()
        with (folder / "fixture_sources.csv").open(encoding="utf-8", newline="") as table:
            titles = {row["md5"]: f"{row['title']} {row['artist']}" for row in csv.DictReader(table)}
        for path in sorted((folder / "lmd_matched").rglob("*.mid"), key=lambda path: path.stem):
            if path.stem not in seen:
                seen.add(path.stem)
                yield path.stem, titles.get(path.stem, path.stem), path.read_bytes()

    def _write_tables(self, name: str, folder: Path) -> None:
        """Songs without words and their tracks; the split is by title, as in a prepared corpus."""
        share = self.settings().corpus.heldout_share
        with (
            TableWriter(folder / SONGS_FILE, SONGS_SCHEMA) as songs,
            TableWriter(folder / TRACKS_FILE, TRACKS_SCHEMA) as tracks,
        ):
            for number, title, data in self.midi_files(name):
                try:
                    track = track_of(midi_to_score(data, number))
                except UnreadableFileError:
                    continue
                words = {"artist": "", "language": "", "genres": [], "year": 0, "lyrics": "", "licence": ""}
                split = "heldout" if split_position(title, 0) < share else "train"
                songs.write({"song_id": number, "source": name, "title": title, **words, "split": split})
                tracks.write({"track_id": number, "song_id": number, "sha256": "", **vars(track)})

    def child(self, module: str, what: str, **arguments: Any) -> dict[str, Any]:
        """What a module of the benchmarks prints, as JSON on its last line, of a piece of work in a process of its own.

        Args:
            module: such as `backing_training_child`; it is called as `python -m tests.benchmarks.MODULE WHAT JSON`.
            what: the piece of work.
            arguments: of the work, as JSON.

        Returns:
            The JSON, and `process`: how the process did.
        """
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", what, json.dumps(arguments, default=str)]
        measured: Measured = run(command, cwd=ROOT)
        return {**json.loads(measured.stdout.splitlines()[-1]), "process": measured}


def _digest(source: Path) -> str:
    """Of a file its contents; of a folder its table of files."""
    return known_sha256(source if source.is_file() else source / "fixture_sources.csv")
