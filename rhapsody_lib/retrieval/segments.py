"""Segments: vectors of a run of songs in two Arrow files that are written once, then mapped and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.layout import (
    LAYOUT_VERSION,
    SONG_VECTORS_FILE,
    STANZA_VECTORS_FILE,
    song_vectors_schema,
    stanzas_schema,
)
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.stanzas import mean_vector

#: Stanzas of a song as (section name, text).
Stanzas = list[tuple[str, str]]


def vector_column(vectors: Vectors) -> pa.FixedSizeListArray:
    """Vectors [rows x dimension] as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])


def column_vectors(batch: pa.RecordBatch) -> Vectors:
    """The vectors [rows x dimension] of a record batch where they lie in the file."""
    column = batch.column("vector")
    values: Vectors = column.flatten().to_numpy(zero_copy_only=True)
    return values.reshape(len(column), column.type.list_size)


def write_batch(path: Path, columns: Sequence[pa.Array], schema: pa.Schema) -> None:
    """Write columns as an uncompressed Arrow file of one record batch, so that each lies in one piece."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(columns), schema=schema))


def map_batch(path: Path) -> pa.RecordBatch:
    """The one record batch of a file, memory-mapped.

    Raises:
        OSError: the file is missing.
        ValueError: it is no Arrow file, is cut short, or has another number of batches.
    """
    with pa.memory_map(str(path)) as source:
        file = pa.ipc.open_file(source)
        if file.num_record_batches != 1:
            raise ValueError(f"{path.name} has {file.num_record_batches} record batches, not 1")
        return file.get_batch(0).replace_schema_metadata(file.schema.metadata)


def write_segment(
    out: Path,
    songs: Sequence[tuple[str, bytes, Stanzas]],
    vectors: Sequence[Vectors],
    encoder_sha256: str,
    dimension: int,
) -> None:
    """Write a segment into a folder.

    Args:
        out: the folder; it exists.
        songs: id, digest of the words, and stanzas of each song.
        vectors: those of its stanzas [stanzas x dimension], song by song.
        encoder_sha256: digest of the encoder they are of.
        dimension: of the vectors.
    """
    counts = np.array([len(stanzas) for _, _, stanzas in songs], dtype=np.int32)
    means = np.array([mean_vector(part) for part in vectors], np.float32).reshape(len(songs), dimension)
    stanzas = [stanza for _, _, found in songs for stanza in found]
    stanza_vectors = np.concatenate([np.empty((0, dimension), np.float32), *vectors])
    metadata = {"layout": str(LAYOUT_VERSION), "encoder": encoder_sha256, "stanzas": str(len(stanzas))}
    write_batch(
        out / STANZA_VECTORS_FILE,
        [
            pa.array([name for name, _ in stanzas], pa.string()),
            pa.array([text for _, text in stanzas], pa.string()),
            vector_column(stanza_vectors),
        ],
        stanzas_schema(dimension),
    )
    write_batch(
        out / SONG_VECTORS_FILE,
        [
            pa.array([song_id for song_id, _, _ in songs], pa.string()),
            pa.array([words for _, words, _ in songs], pa.binary(16)),
            pa.array(np.cumsum(counts, dtype=np.int64) - counts),
            pa.array(counts),
            vector_column(means),
        ],
        song_vectors_schema(dimension).with_metadata(metadata),
    )


@dataclass(frozen=True)
class Segment:
    """The mapped songs of a segment."""

    path: Path
    batch: pa.RecordBatch

    @classmethod
    def load(cls, path: Path, *, dimension: int, encoder_sha256: str) -> Segment:
        """Map a segment's vectors.arrow.

        Raises:
            DamagedArtifactError: it is missing, damaged, cut short, or of another encoder or dimension.
        """
        try:
            segment = cls(path, map_batch(path))
            facts = {key.decode(): value.decode() for key, value in (segment.batch.schema.metadata or {}).items()}
            if facts["layout"] != str(LAYOUT_VERSION):
                raise ValueError(
                    f"it was made by an older Rhapsody: its layout is {facts['layout']}, not {LAYOUT_VERSION}"
                )
            if facts["encoder"] != encoder_sha256:
                raise ValueError("its vectors are of another encoder")
            if segment.vectors.shape[1] != dimension:
                raise ValueError(f"its vectors have {segment.vectors.shape[1]} numbers, not {dimension}")
        except (OSError, ValueError, KeyError, TypeError) as error:  # Arrow's errors are ValueErrors
            raise DamagedArtifactError(
                f"{path}: is not a usable segment of a catalogue ({type(error).__name__}: {error}). {BUILD_AGAIN}"
            ) from error
        return segment

    @property
    def vectors(self) -> Vectors:
        """Unit vectors of the songs [songs x dimension], where they lie in the file; zero without words."""
        return column_vectors(self.batch)

    def column(self, name: str) -> NDArray[np.int64]:
        """A column of numbers."""
        values: NDArray[np.int64] = self.batch.column(name).to_numpy()
        return values


def map_stanzas(path: Path) -> pa.RecordBatch:
    """Map a segment's stanzas.arrow.

    Raises:
        DamagedArtifactError: it is missing, damaged or cut short.
    """
    try:
        return map_batch(path)
    except (OSError, ValueError) as error:
        raise DamagedArtifactError(
            f"{path}: is not a usable segment of a catalogue ({type(error).__name__}: {error}). {BUILD_AGAIN}"
        ) from error


def stanzas_between(batch: pa.RecordBatch, first: int, count: int) -> tuple[Stanzas, Vectors]:
    """(name, text) of `count` stanzas from `first` on, and their vectors [count x dimension]."""
    names, texts = (batch.column(name).slice(first, count).to_pylist() for name in ("name", "text"))
    return list(zip(names, texts, strict=True)), column_vectors(batch)[first : first + count]
