"""What the groups of the retrieval benchmark share: the songs, a scratch store, encoders, vectors that are kept."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.settings import Settings, load_settings
from tests.benchmarks.lyrics_bench import ROOT, factor

__all__ = ["ROOT", "Bench", "factor"]

#: Rows of the table in `--quick`.
QUICK_ROWS = 600


class KeptEmbedder(StanzaEmbedder):
    """Embeds texts, and keeps their vectors in a file for the next run."""

    def __init__(self, encoder: Encoder, file: Path) -> None:
        super().__init__(encoder)
        self._file = file
        self._kept: dict[str, Vectors] = {}
        if file.is_file():
            with pa.memory_map(str(file)) as source:
                table = pa.ipc.open_file(source).read_all()
            texts = table.column("text").to_pylist()
            vectors = table.column("vector").combine_chunks().flatten().to_numpy().reshape(len(texts), -1)
            self._kept = dict(zip(texts, vectors.copy(), strict=True))

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """Unit vectors [texts x dimension]; those not kept are embedded and kept."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._kept]
        if missing:
            self._kept |= dict(zip(missing, self.encoder.encode(missing, progress=progress), strict=True))
            if len(missing) >= 200:
                self._write()
        return np.array([self._kept[text] for text in texts], np.float32).reshape(len(texts), self.encoder.dimension)

    def _write(self) -> None:
        vectors = np.array(list(self._kept.values()), np.float32)
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        table = pa.table({"text": pa.array(list(self._kept), pa.string()), "vector": column})
        with pa.OSFile(str(self._file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)


@dataclass
class Bench:
    """One run of the benchmark.

    Args:
        folder: scratch folder; the store is in it, and what it holds is not made again.
        datasets: folder of real songs; what needs an absent one is left out, by name.
        quick: few songs: to see that all works, not for figures to be stated.
        encoder: folder of a tuned encoder; none: the packaged one alone is measured.
        left_out: what was not measured, and why.
        notes: what is to be known of the figures.
    """

    folder: Path
    datasets: Path
    quick: bool
    encoder: Path | None = None
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def store(self) -> str:
        """Address of the scratch store."""
        return str(self.folder / "store")

    def settings(self, *changes: str) -> Settings:
        """Settings of the profile `fast`."""
        return load_settings("fast", list(changes))

    @cached_property
    def songs(self) -> ArtifactRef | None:
        """The large Kaggle-shaped table as a corpus, prepared by the ordinary step; none where it is absent."""
        archive = self.datasets / "lyrics" / "kaggle_shape.zip"
        if not archive.is_file():
            self.left_out.append("kaggle_shape large: the dataset is absent")
            return None
        folder = self.folder / ("kaggle_quick" if self.quick else "kaggle_large")
        if not folder.is_dir():
            # Beside and renamed: what was cut off half way is not taken for the table.
            beside = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            with zipfile.ZipFile(archive) as opened:
                for name in ("lyrics-data", "artists-data"):
                    source = opened.open(f"kaggle_shape/{name}.large.csv")
                    with source, (beside / f"{name}.csv").open("wb") as to:
                        shutil.copyfileobj(source, to)
            if self.quick:
                _spread(beside / "lyrics-data.csv", QUICK_ROWS)
            beside.rename(folder)
        return operations.prepare_corpus(self.store, self.settings(), [str(folder)])

    def corpus(self) -> Path | None:
        """The folder of the songs."""
        return Store(self.store).fetch(self.songs) if self.songs else None

    @cached_property
    def base_encoder(self) -> Path:
        """Folder of the packaged encoder, not tuned."""
        from rhapsody_lib.retrieval.encoder import build_encoder
        from rhapsody_lib.settings import EncoderSettings

        folder = self.folder / "base-encoder"
        if not (folder / "encoder.json").is_file():
            build_encoder(folder, EncoderSettings())
        return folder

    def embedder(self, encoder: Path) -> KeptEmbedder:
        """An embedder of an encoder, whose vectors are kept."""
        loaded = Encoder.load_bulk(encoder)
        return KeptEmbedder(loaded, self.folder / f"vectors-{loaded.card['onnx_sha256'][:16]}.arrow")


def _spread(table: Path, rows: int) -> None:
    """Keep rows of a table at even distances, so that there are many artists."""
    import csv

    with table.open(encoding="utf-8", newline="") as source:
        head, *held = csv.reader(source)
    with table.open("w", encoding="utf-8", newline="") as to:
        csv.writer(to).writerows([head, *held[:: max(1, len(held) // rows)]])
