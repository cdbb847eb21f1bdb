"""A catalogue that is opened to be searched: nothing of it is read until it is needed, and nothing is copied."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.calibration import Calibration
from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.inverted import InvertedIndex
from rhapsody_lib.retrieval.layout import (
    CARD_FILE,
    INVERTED_FILE,
    LAYOUT_VERSION,
    LEXICON_FILE,
    SEGMENTS_FOLDER,
    SONG_VECTORS_FILE,
    SONGS_FILE,
    STANZAS_FILE,
    songs_schema,
)
from rhapsody_lib.retrieval.lexicon import Lexicon, Postings
from rhapsody_lib.retrieval.scoring import SongMatrix
from rhapsody_lib.retrieval.segments import Segment, Stanzas, load_postings, map_batch, message_digest, message_stanzas
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.retrieval.shapes import ShapeTable

#: Where the file of a segment is on this machine: number of the segment and name of the file -> path.
Locate = Callable[[int, str], Path]
#: Bytes of the file of a segment: number, name, start and end. What is read so is verified by its own digest.
ReadPart = Callable[[int, str, int, int], bytes]
#: Segments that are located at once: of a remote store, each is fetched.
_LOCATED_AT_ONCE = 8


def in_folder(folder: Path) -> Locate:
    """Where the segments of a catalogue are that has them in its own folder."""
    return lambda number, name: folder / SEGMENTS_FOLDER / f"{number:04d}" / name


def reading(locate: Locate) -> ReadPart:
    """Reads parts of files that are on this machine."""

    def read_part(number: int, name: str, start: int, end: int) -> bytes:
        with locate(number, name).open("rb") as stream:
            stream.seek(start)
            return stream.read(end - start)

    return read_part


def _located(card: dict[str, Any], locate: Locate, name: str) -> list[Path]:
    with ThreadPoolExecutor(_LOCATED_AT_ONCE) as pool:
        return list(pool.map(lambda number: locate(number, name), range(int(card["segments"]))))


def load_segments(card: dict[str, Any], locate: Locate) -> list[Segment]:
    """Map the vectors of all segments of a catalogue.

    Raises:
        DamagedArtifactError: one is missing, damaged, or not of the catalogue's encoder.
    """
    dimension, digest = int(card["dimension"]), str(card["encoder"]["onnx_sha256"])
    paths = _located(card, locate, SONG_VECTORS_FILE)
    return [Segment.load(path, dimension=dimension, encoder_sha256=digest) for path in paths]


def read_stanzas(segment: Segment, number: int, row: int, read_part: ReadPart) -> tuple[Stanzas, Vectors]:
    """(name, text) of the stanzas of the song in a row of a segment, and their vectors [stanzas x dimension].

    Nothing else of the segment's stanzas is read.

    Raises:
        DamagedArtifactError: they cannot be read.
    """
    start, end, digest = segment.message_at(row)
    try:
        data = read_part(number, STANZAS_FILE, start, end)
        if message_digest(data) != digest:
            raise ValueError("the stanzas of a song do not have their digest")
        return message_stanzas(data, segment.vectors.shape[1])
    except (OSError, ValueError) as error:
        raise DamagedArtifactError(
            f"{segment.path.parent / STANZAS_FILE}: is not usable ({type(error).__name__}: {error}). {BUILD_AGAIN}"
        ) from error


@dataclass(frozen=True)
class Catalogue:
    """A catalogue as it is searched.

    Args:
        folder: where it is.
        card: what catalogue.json says.
        songs: a row a song (`layout.songs_schema`), memory-mapped.
        segments: the vectors, memory-mapped.
        matrix: the vectors of all songs, and what centring needs.
        lexicon: the lexical index, which is mapped when it is first asked.
        shapes: of the songs' lines.
        calibration: how a score is weighed, and what it is worth.
        read_part: reads the stanzas of a song when they are asked for.
    """

    folder: Path
    card: dict[str, Any]
    songs: pa.Table
    segments: Sequence[Segment]
    matrix: SongMatrix
    lexicon: Lexicon
    shapes: ShapeTable
    calibration: Calibration
    read_part: ReadPart

    @classmethod
    def load(cls, folder: Path, locate: Locate | None = None, read_part: ReadPart | None = None) -> Catalogue:
        """Memory-map a folder of `embed_catalogue`. Of the vectors, terms and stanzas nothing is read.

        Args:
            folder: the catalogue's.
            locate: where its segments are; none: in its own folder.
            read_part: reads parts of files that need not be on this machine as a whole; none: where `locate` says.

        Raises:
            DamagedArtifactError: a file is missing or not what it should be.
        """
        locate = locate or in_folder(folder)
        try:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            if card.get("layout") != LAYOUT_VERSION:
                raise ValueError(
                    f"it was made by an older Rhapsody: its layout is {card.get('layout')}, not {LAYOUT_VERSION}"
                )
            songs, segments = map_batch(folder / SONGS_FILE), load_segments(card, locate)
            matrix, calibration = _matrix(songs, segments), Calibration.of_card(card["score"])
        except (OSError, ValueError, KeyError, TypeError) as error:  # Arrow's errors are ValueErrors
            raise DamagedArtifactError(
                f"{folder}: is not a usable catalogue ({type(error).__name__}: {error}). {BUILD_AGAIN}"
            ) from error
        shapes = ShapeTable.of([each.shapes for each in segments], [each.shape_sums for each in segments])
        lexicon = Lexicon(_postings(card, locate), [segment.column("norm") for segment in segments])
        table, read_part = pa.Table.from_batches([songs]), read_part or reading(locate)
        return cls(folder, card, table, segments, matrix, lexicon, shapes, calibration, read_part)

    @cached_property
    def index(self) -> ExactIndex:
        """Exact search over the songs' vectors."""
        return ExactIndex(self.matrix.chunks)

    @cached_property
    def quick_index(self) -> ExactIndex | InvertedIndex:
        """Search by the inverted file where the catalogue has one, which may miss songs; else exact search.

        Raises:
            DamagedArtifactError: the inverted file cannot be read.
        """
        facts = self.card.get("inverted")
        if not facts:
            return self.index
        path = self.folder / INVERTED_FILE
        probes, recall = int(facts["probes"]), float(facts["recall_at_10"])
        return InvertedIndex.load(path, self.index, probes=probes, recall=recall) or self.index

    @property
    def has_track(self) -> NDArray[np.bool_]:
        """Whether each song has a track [songs]."""
        valid: NDArray[np.bool_] = self.songs.column("track_id").is_valid().to_numpy()
        return valid

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Row of the first song of each segment, and the number of songs."""
        return np.cumsum([0, *(segment.batch.num_rows for segment in self.segments)])

    def stanzas_of(self, row: int) -> tuple[Stanzas, Vectors]:
        """(name, text) of the stanzas of the song in a row, and their vectors [stanzas x dimension].

        Raises:
            DamagedArtifactError: they cannot be read.
        """
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return read_stanzas(self.segments[number], number, row - int(self._starts[number]), self.read_part)


def _postings(card: dict[str, Any], locate: Locate) -> Callable[[], list[Postings]]:
    return lambda: [load_postings(path) for path in _located(card, locate, LEXICON_FILE)]


def _matrix(songs: pa.RecordBatch, segments: Sequence[Segment]) -> SongMatrix:
    """The matrix of the songs of some segments, with what centring needs from songs.arrow.

    Raises:
        ValueError: they do not belong together.
    """
    if songs.schema.remove_metadata() != songs_schema():
        raise ValueError(f"{SONGS_FILE} has other columns")
    held = sum(segment.batch.num_rows for segment in segments)
    if not songs.num_rows or held != songs.num_rows:
        raise ValueError(f"its segments hold {held} songs, {SONGS_FILE} {songs.num_rows}")
    mean = np.frombuffer(songs.schema.metadata[b"mean"], np.float32)
    products, lengths, hubness = (songs.column(name).to_numpy() for name in ("product", "length", "hubness"))
    if not all(np.isfinite(values).all() for values in (mean, products, lengths, hubness)):
        raise ValueError("its vectors are no numbers")
    wordless = songs.column("wordless").to_numpy(zero_copy_only=False)
    chunks = tuple(segment.vectors for segment in segments if segment.batch.num_rows)
    return SongMatrix(chunks, mean, products, lengths, wordless, hubness)
