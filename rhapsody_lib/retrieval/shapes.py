"""The shape of a song's lines: how long they are and how they alternate, which is what its tune has to hold.

A text of the same metre can be sung to the same music, whatever it is about; and songs keep their metre, so the shape
finds the other half of a song too (`docs/retrieval.md`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.retrieval.lexical import words_of

#: Of the logarithms of the lines' lengths: mean, least, most, and the mean differences to the next line and to the one
#: after it. A ballad's long and short lines in turn differ from the next line, not from the one after it.
FIGURES = ("length", "shortest", "longest", "next", "next_but_one")
#: How much each tells, by songs that are in no figure of ours.
_IMPORTANCE = np.array([3.0, 0.5, 1.0, 0.5, 0.5], np.float32)
SHAPES_SCHEMA = pa.schema([(name, pa.float32()) for name in FIGURES])
_SMALL = 1e-3


def shape_of(text: str) -> NDArray[np.float32]:
    """The shape [figures] of a text; NaN without a word, for no words have no shape."""
    lengths = np.array([sum(map(len, words)) for words in map(words_of, text.splitlines()) if words], np.float64)
    if not len(lengths):
        return np.full(len(FIGURES), np.nan, np.float32)
    logs = np.log1p(lengths)
    steps = (np.abs(logs[apart:] - logs[:-apart]).mean() if len(logs) > apart else 0.0 for apart in (1, 2))
    return np.array([logs.mean(), logs.min(), logs.max(), *steps], np.float32)


@dataclass(frozen=True)
class ShapeTable:
    """Shapes of all songs [songs x figures], and the spread of each figure over them [figures]."""

    shapes: NDArray[np.float32]
    spreads: NDArray[np.float32]

    @classmethod
    def build(cls, texts: Iterable[str]) -> ShapeTable:
        """Table of texts; song `i` is the i-th text."""
        shapes = np.array([shape_of(text) for text in texts], np.float32).reshape(-1, len(FIGURES))
        return cls.of(shapes)

    @classmethod
    def of(cls, shapes: NDArray[np.float32]) -> ShapeTable:
        """Table of shapes [songs x figures]."""
        told = shapes[~np.isnan(shapes).any(axis=1)].astype(np.float64)
        spreads = np.maximum(told.std(axis=0), _SMALL) if len(told) else np.ones(len(FIGURES))
        return cls(shapes, spreads.astype(np.float32))

    def scores(self, text: str) -> NDArray[np.float32]:
        """How near each song's shape is to the text's, float32 [songs]: the higher the nearer, 0 the same.

        The weighted sum of the differences in spreads, with its sign turned. A song without words is as far as the
        farthest; to a text without words all are alike.
        """
        wanted = shape_of(text)
        if np.isnan(wanted).any():
            return np.zeros(len(self.shapes), np.float32)
        near: NDArray[np.float32] = -np.abs((self.shapes - wanted) / self.spreads) @ _IMPORTANCE
        told = near[~np.isnan(near)]
        near[np.isnan(near)] = told.min(initial=0.0)
        return near

    def write(self, path: Path) -> None:
        """Write as an uncompressed Arrow file."""
        columns = [pa.array(self.shapes[:, place]) for place in range(len(FIGURES))]
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SHAPES_SCHEMA) as writer:
            writer.write_batch(pa.record_batch(columns, schema=SHAPES_SCHEMA))

    @classmethod
    def load(cls, path: Path, song_count: int) -> ShapeTable:
        """Read the table of `song_count` songs.

        Raises:
            OSError: the file is missing.
            ValueError: it is no such table.
        """
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        if batch.schema != SHAPES_SCHEMA or batch.num_rows != song_count:
            raise ValueError(f"{path.name} is no table of the shapes of {song_count} songs")
        return cls.of(np.stack([batch.column(name).to_numpy() for name in FIGURES], axis=1))
