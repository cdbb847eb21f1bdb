"""The songs that a catalogue is measured with: chosen by lot, so that songs added elsewhere change nothing.

Measuring takes as long among ten songs as among a million, for it is done with a sample (`metrics.evaluate_retrieval`).
Where an earlier catalogue was measured with the same songs, its figures are these; else the vectors of its texts are
taken over, and new texts alone are embedded.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.corpus_songs import take_songs
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.layout import CARD_FILE, METRICS_FILE, SAMPLE_FILE
from rhapsody_lib.retrieval.metrics import evaluate_retrieval
from rhapsody_lib.retrieval.pairs import heldout_artist
from rhapsody_lib.retrieval.segments import Segment, message_stanzas, stanzas_message
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.words.document import parse_lyrics

#: Songs that are measured with at most, and songs that are looked at together for such as can be halved.
MOST_SONGS, _AT_ONCE = 1000, 1200
_COLUMNS = ("song_id", "title", "artist", "lyrics")
#: Files of an earlier catalogue that are worth a look.
REUSED_FILES = (CARD_FILE, METRICS_FILE, SAMPLE_FILE)


class NotingEmbedder(StanzaEmbedder):
    """An embedder that notes which texts were asked of it, and their vectors."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.asked: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        """As `StanzaEmbedder.encode`."""
        vectors = super().encode(texts, progress=progress)
        self.asked |= zip(texts, vectors, strict=True)
        return vectors


@dataclass(frozen=True)
class Lots:
    """The songs of a catalogue in the order of their lots.

    Args:
        song_ids: of all.
        artists: of all; a song without one is of one of its own.
        words: digests of their words.
        order: their rows by lot.
        unread: share of the artists whose songs alone are measured with (`pairs.heldout_artist`); none: all are.
    """

    song_ids: pa.ChunkedArray
    artists: pa.ChunkedArray
    words: pa.ChunkedArray
    order: NDArray[np.int64]
    unread: float | None

    @classmethod
    def of(cls, facts: pa.Table, segments: Sequence[Segment], unread: float | None) -> Lots:
        """Draw the lots of songs: of `corpus_songs.song_facts`, and in the same order of segments."""
        order = np.argsort(np.concatenate([segment.column("lot") for segment in segments]), kind="stable")
        ids, named = facts.column("song_id"), facts.column("artist")
        artists = pc.if_else(pc.fill_null(pc.not_equal(named, ""), False), named, ids)
        words = pa.chunked_array([segment.batch.column("words") for segment in segments])
        return cls(ids, artists, words, order, unread)

    def rows(self) -> Iterator[int]:
        """The rows of songs that may be measured with, by lot."""
        for row in self.order.tolist():
            if self.unread is None or heldout_artist(self.artists[row].as_py(), self.unread):
                yield row

    def digest(self, count: int, *, all_of_them: bool) -> str:
        """SHA-256 in hex of what the first `count` songs are; empty if these are not all, and all are meant."""
        digest, rows = hashlib.sha256(), self.rows()
        for row in itertools.islice(rows, count):
            name, artist = self.song_ids[row].as_py(), self.artists[row].as_py()
            digest.update(f"{name}\0{artist}\0".encode("utf-8", "replace") + self.words[row].as_py())
        return "" if all_of_them and next(rows, None) is not None else digest.hexdigest()

    def halved(self, corpus: Path) -> tuple[pa.Table, int, bool]:
        """The first songs that can be halved, `MOST_SONGS` at most, as rows of the corpus.

        Returns:
            The songs; how many were looked at; whether these were all.
        """
        nothing = pa.schema([SONGS_SCHEMA.field(name) for name in _COLUMNS]).empty_table()
        found, held, looked_at, rows = [nothing], 0, 0, self.rows()
        while held < MOST_SONGS and (some := list(itertools.islice(rows, _AT_ONCE))):
            songs, kept = take_songs(corpus, self.song_ids.take(some), _COLUMNS), list[int]()
            for place, song in enumerate(songs.to_pylist()):
                if held == MOST_SONGS:
                    return pa.concat_tables([*found, songs.take(pa.array(kept, pa.int64()))]), looked_at, False
                looked_at += 1
                if song_halves(parse_lyrics(song["lyrics"], song["title"] or "")):
                    kept.append(place)
                    held += 1
            found.append(songs.take(pa.array(kept, pa.int64())))
        return pa.concat_tables(found), looked_at, next(rows, None) is None


def measure_sample(
    corpus: Path,
    out: Path,
    served: Encoder,
    lots: Lots,
    *,
    lexical_weight: float | None,
    earlier: Sequence[Path] = (),
    progress: Progress = silent,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure a catalogue with its sample, and write the vectors of the sample's texts.

    Args:
        corpus: folder of the songs.
        out: folder of the catalogue.
        served: the encoder.
        lots: of the catalogue's songs.
        lexical_weight: as in `evaluate_retrieval`.
        earlier: folders of earlier catalogues of the same encoder and settings, with `REUSED_FILES`.
        progress: told of the texts embedded.

    Returns:
        The figures of `evaluate_retrieval`, and of the sample `songs` (how many were looked at), `all` (whether there
        are no more) and `digest`.
    """
    for folder in earlier:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        sample = card["sample"]
        if sample["digest"] == lots.digest(sample["songs"], all_of_them=sample["all"]):
            (out / SAMPLE_FILE).write_bytes((folder / SAMPLE_FILE).read_bytes())
            return json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")), sample
    embedder = NotingEmbedder(served)
    for folder in earlier[:1]:
        found, vectors = message_stanzas((folder / SAMPLE_FILE).read_bytes(), served.dimension)
        embedder.remember([text for _, text in found], vectors)
    songs, looked_at, all_of_them = lots.halved(corpus)
    with tempfile.TemporaryDirectory() as beside:
        pq.write_table(songs, Path(beside) / SONGS_FILE)
        metrics = evaluate_retrieval(
            Path(beside),
            served,
            lexical_weight=lexical_weight,
            # Of songs that the encoder was tuned on it knows more than of new words, and would weigh too much.
            unread=lots.unread,
            max_songs=MOST_SONGS,
            embedder=embedder,
            progress=progress,
        )
    _write_sample(out / SAMPLE_FILE, sorted(embedder.asked.items()), served.dimension)
    digest = lots.digest(looked_at, all_of_them=False)
    return metrics, {"songs": looked_at, "all": all_of_them, "digest": digest}


def _write_sample(path: Path, texts: Sequence[tuple[str, Vectors]], dimension: int) -> None:
    vectors = np.array([vector for _, vector in texts], np.float32).reshape(-1, dimension)
    path.write_bytes(stanzas_message([("", text) for text, _ in texts], vectors))
