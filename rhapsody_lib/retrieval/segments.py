"""Segments: what follows from the words of a run of songs, in files that are written once and then mapped."""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.layout import (
    LAYOUT_VERSION,
    LEXICON_FILE,
    SHAPE_FIGURES,
    SONG_VECTORS_FILE,
    STANZAS_FILE,
    song_vectors_schema,
    stanzas_schema,
)
from rhapsody_lib.retrieval.lexicon import Postings
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.shapes import Shapes, shape_sums

#: Stanzas of a song as (section name, text).
Stanzas = list[tuple[str, str]]
T = TypeVar("T")
#: Ends an Arrow stream (format's IPC specification).
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def vector_column(vectors: NDArray[Any]) -> pa.FixedSizeListArray:
    """Vectors [rows x dimension] as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])


def column_vectors(batch: pa.RecordBatch, name: str = "vector") -> NDArray[Any]:
    """The vectors [rows x dimension] of a whole record batch where they lie in the file."""
    column = batch.column(name)
    values: NDArray[Any] = column.values.to_numpy(zero_copy_only=True)
    return values.reshape(len(column), column.type.list_size)


def write_batch(path: Path, columns: Sequence[pa.Array], schema: pa.Schema) -> None:
    """Write columns as an uncompressed Arrow file of one record batch, so that each lies in one piece."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(list(columns), schema=schema))


def mapped(path: Path) -> mmap.mmap:
    """A file, memory-mapped.

    By Python, not by `pyarrow.memory_map`: that asks the system for all pages of what it reads, and so takes ten times
    as long to open a file of which nothing is wanted yet.

    Raises:
        OSError: it is missing.
        ValueError: it is empty.
    """
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def map_batch(path: Path) -> pa.RecordBatch:
    """The one record batch of a file, memory-mapped.

    Raises:
        OSError: the file is missing.
        ValueError: it is no Arrow file, is cut short, or has another number of batches.
    """
    file = pa.ipc.open_file(pa.py_buffer(mapped(path)))
    if file.num_record_batches != 1:
        raise ValueError(f"{path.name} has {file.num_record_batches} record batches, not 1")
    return file.get_batch(0)


def stanzas_message(stanzas: Stanzas, vectors: Vectors) -> bytes:
    """The stanzas of a song and their vectors [stanzas x dimension] as they lie in stanzas.arrow: a record batch."""
    columns = [
        pa.array([name for name, _ in stanzas], pa.string()),
        pa.array([text for _, text in stanzas], pa.string()),
        vector_column(vectors),
    ]
    data: bytes = pa.record_batch(columns, schema=stanzas_schema(vectors.shape[1])).serialize().to_pybytes()
    return data


def message_stanzas(data: bytes, dimension: int) -> tuple[Stanzas, Vectors]:
    """(name, text) of the stanzas of a message, and their vectors [stanzas x dimension].

    Raises:
        ValueError: it is no such message.
    """
    batch = pa.ipc.read_record_batch(pa.py_buffer(data), stanzas_schema(dimension))
    names, texts = (batch.column(name).to_pylist() for name in ("name", "text"))
    return list(zip(names, texts, strict=True)), column_vectors(batch)


def message_digest(data: bytes) -> bytes:
    """Digest [16 bytes] of a message: a part of a file that is read alone is verified by it."""
    return hashlib.blake2b(data, digest_size=16).digest()


def lots(song_ids: Iterable[str]) -> NDArray[np.uint64]:
    """The beginnings of the digests of songs' ids [songs]: an order that has nothing to do with what they are."""
    return np.array(
        [struct.unpack(">Q", hashlib.sha256(song_id.encode()).digest()[:8])[0] for song_id in song_ids], np.uint64
    )


def write_segment(
    out: Path, songs: pa.RecordBatch, messages: Iterable[bytes], postings: Postings, encoder_sha256: str
) -> None:
    """Write a segment into a folder.

    Args:
        out: the folder; it exists.
        songs: `song_vectors_schema` but for `stanzas_start`, which is set here.
        messages: the stanzas of the songs, in pieces of one song or more.
        postings: of the songs' terms.
        encoder_sha256: digest of the encoder that the vectors are of.
    """
    vectors, shapes = column_vectors(songs), column_vectors(songs, "shape")
    schema = song_vectors_schema(vectors.shape[1])
    head = stanzas_schema(vectors.shape[1]).serialize().to_pybytes()
    with (out / STANZAS_FILE).open("wb") as stream:
        stream.write(head)
        for message in messages:
            stream.write(message)
        stream.write(_END_OF_STREAM)
    sizes = songs.column("stanzas_bytes").to_numpy()
    starts = pa.array(len(head) + np.cumsum(sizes) - sizes, pa.int64())
    metadata = {
        "layout": str(LAYOUT_VERSION),
        "encoder": encoder_sha256,
        "vector_sum": vectors.sum(axis=0, dtype=np.float64).tobytes(),
        "shape_sums": shape_sums(shapes).tobytes(),
    }
    columns = [starts if field.name == "stanzas_start" else songs.column(field.name) for field in schema]
    write_batch(out / SONG_VECTORS_FILE, columns, schema.with_metadata(metadata))
    postings.write(out / LEXICON_FILE)


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

        def load() -> Segment:
            segment = cls(path, map_batch(path))
            facts = segment.batch.schema.metadata or {}
            if (layout := facts[b"layout"].decode()) != str(LAYOUT_VERSION):
                raise ValueError(f"it was made by an older Rhapsody: its layout is {layout}, not {LAYOUT_VERSION}")
            if facts[b"encoder"].decode() != encoder_sha256:
                raise ValueError("its vectors are of another encoder")
            if segment.vectors.shape[1] != dimension:
                raise ValueError(f"its vectors have {segment.vectors.shape[1]} numbers, not {dimension}")
            if len(segment.vector_sum) != dimension or segment.shape_sums.shape != (3, SHAPE_FIGURES):
                raise ValueError("its sums are damaged")
            return segment

        return refusing(path, load)

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    @property
    def vectors(self) -> Vectors:
        """Unit vectors of the songs [songs x dimension], where they lie in the file; zero without words."""
        return column_vectors(self.batch)

    @property
    def vector_sum(self) -> NDArray[np.float64]:
        """Sum of the vectors [dimension]."""
        return np.frombuffer(self.batch.schema.metadata[b"vector_sum"], np.float64)

    @property
    def shapes(self) -> Shapes:
        """Shapes of the songs' lines [songs x figures], where they lie in the file."""
        return column_vectors(self.batch, "shape")

    @property
    def shape_sums(self) -> NDArray[np.int64]:
        """Of `shapes.shape_sums` [3 x figures]."""
        return np.frombuffer(self.batch.schema.metadata[b"shape_sums"], np.int64).reshape(3, -1)

    def column(self, name: str) -> NDArray[Any]:
        """A column of numbers."""
        values: NDArray[Any] = self.batch.column(name).to_numpy()
        return values

    def message_at(self, row: int) -> tuple[int, int, bytes]:
        """Where in stanzas.arrow the stanzas of a song start and end, and their digest."""
        start, size = (int(self.batch.column(name)[row].as_py()) for name in ("stanzas_start", "stanzas_bytes"))
        return start, start + size, self.batch.column("stanzas_digest")[row].as_py()


def load_postings(path: Path) -> Postings:
    """Map a segment's lexicon.arrow.

    Raises:
        DamagedArtifactError: it is missing, damaged or cut short.
    """
    return refusing(path, lambda: Postings.of_batch(map_batch(path)))


def refusing(path: Path, load: Callable[[], T]) -> T:
    """What `load` makes of a segment's file.

    Raises:
        DamagedArtifactError: it makes nothing of it.
    """
    try:
        return load()
    except (OSError, ValueError, KeyError, TypeError) as error:  # Arrow's errors are ValueErrors
        raise DamagedArtifactError(
            f"{path}: is not a usable segment of a catalogue ({type(error).__name__}: {error}). {BUILD_AGAIN}"
        ) from error
