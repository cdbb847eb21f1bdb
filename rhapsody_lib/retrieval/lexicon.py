"""The lexical index of a catalogue: terms and how often each song says them, a segment at a time.

The weights are SMART's `lnc` for songs (logarithm of the count, no idf, unit length; Manning, Raghavan, Schuetze:
Introduction to Information Retrieval, 6.4.3), and for the query logarithm times idf squared. With the idf on the
query's side alone nothing that is written of a song depends on other songs, so a catalogue that grows writes its new
segments only; the idf is that of the whole catalogue, summed over the segments when it is asked. Second halves find
their first halves a little better so than by the textbook's TF-IDF (`docs/retrieval.md`).

A term is a word, or two words side by side in a line (`lexical.terms_of`), and is known by a hash of 64 bits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.processors import available_processors
from rhapsody_lib.retrieval.layout import LEXICON_SCHEMA
from rhapsody_lib.retrieval.lexical import terms_of

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float32]
#: Weight of a term by its count, which is kept in a byte.
_WEIGHTS = np.concatenate([[0.0], 1.0 + np.log(np.arange(1, 256))]).astype(np.float32)
_MOST_COUNTED = 255
#: Terms whose hashes are remembered: most of a text's are said again and again.
_TERMS_REMEMBERED = 1 << 17
#: Songs from which on threads share a search.
_SONGS_FOR_THREADS = 20_000


def text_hash(text: str) -> int:
    """A hash of 64 bits."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")


_term_hash = lru_cache(maxsize=_TERMS_REMEMBERED)(text_hash)


@dataclass(frozen=True)
class Postings:
    """Of a run of songs the terms, sorted: those of term `i` are `rows[starts[i]:starts[i + 1]]`, `counts` alike."""

    terms: Hashes
    starts: NDArray[np.int32]
    rows: NDArray[np.uint16]
    counts: NDArray[np.uint8]

    @classmethod
    def of(cls, terms: Hashes, rows: NDArray[np.uint16], counts: NDArray[np.uint8]) -> Postings:
        """Postings in any order, each of a term [postings] in a song's row [postings]."""
        order = np.argsort(terms, kind="stable")  # postings in order that are joined to others take hardly a pass
        sorted_terms, sorted_rows = terms[order], rows[order]
        new = np.ones(len(terms), bool)
        np.not_equal(sorted_terms[1:], sorted_terms[:-1], out=new[1:])
        starts = np.flatnonzero(new)
        back = np.flatnonzero(~new[1:] & (sorted_rows[1:] < sorted_rows[:-1]))
        if len(back):  # only terms whose rows are not in order yet are sorted by them
            group = np.cumsum(new) - 1
            mixed = np.zeros(len(starts), bool)
            mixed[group[back]] = True
            places = np.flatnonzero(mixed[group])
            order[places] = order[places][np.lexsort((sorted_rows[places], group[places]))]
        bounds = np.append(starts, len(terms)).astype(np.int32)
        return cls(sorted_terms[starts], bounds, rows[order], counts[order])

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> Postings:
        """Postings of texts; row `i` is the i-th text."""
        terms, counts, lengths = list[int](), list[int](), list[int]()
        for text in texts:
            counted = Counter(terms_of(text))
            terms += map(_term_hash, counted)
            counts += [min(count, _MOST_COUNTED) for count in counted.values()]
            lengths.append(len(counted))
        rows = np.repeat(np.arange(len(lengths), dtype=np.uint16), lengths)
        return cls.of(np.array(terms, np.uint64), rows, np.array(counts, np.uint8))

    def norms(self, songs: int) -> Floats:
        """Lengths of the songs' vectors of weights [songs]; 0 without words."""
        squares = np.bincount(self.rows, _WEIGHTS[self.counts].astype(np.float64) ** 2, minlength=songs)
        norms: Floats = np.sqrt(squares).astype(np.float32)
        return norms

    def taken(
        self, old: NDArray[np.int64], new: NDArray[np.int64]
    ) -> tuple[Hashes, NDArray[np.uint16], NDArray[np.uint8]]:
        """Terms, rows and counts of the postings of some songs, which stand in the rows `old` and are to in `new`."""
        terms = np.repeat(self.terms, np.diff(self.starts))
        parts: list[tuple[Hashes, NDArray[np.uint16], NDArray[np.uint8]]] = []
        while len(old):  # two songs of the same words take the same row: each round takes a row once
            _, first = np.unique(old, return_index=True)
            place = np.full(int(max(self.rows.max(initial=0), old.max())) + 1, -1, np.int64)
            place[old[first]] = new[first]
            rows = place[self.rows]
            kept = rows >= 0
            parts.append((terms[kept], rows[kept].astype(np.uint16), self.counts[kept]))
            left = np.ones(len(old), bool)
            left[first] = False
            old, new = old[left], new[left]
        return joined(parts)

    def found(self, terms: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the postings of each term start and end [terms]; the same where there are none."""
        if not len(self.terms):
            return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.int64)
        places = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        starts = self.starts[places].astype(np.int64)
        return starts, np.where(self.terms[places] == terms, self.starts[places + 1], starts)

    def write(self, path: Path) -> None:
        """Write as an uncompressed Arrow file, so that it can be memory-mapped."""
        offsets = pa.array(self.starts, pa.int32())
        columns = [
            pa.array(self.terms),
            pa.ListArray.from_arrays(offsets, pa.array(self.rows)),
            pa.ListArray.from_arrays(offsets, pa.array(self.counts)),
        ]
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, LEXICON_SCHEMA) as writer:
            writer.write_batch(pa.record_batch(columns, schema=LEXICON_SCHEMA))

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch) -> Postings:
        """Postings where they lie in the record batch of a file.

        Raises:
            ValueError: it is none of postings.
        """
        if batch.schema.remove_metadata() != LEXICON_SCHEMA:
            raise ValueError("it is no lexicon")
        songs, counts = batch.column("songs"), batch.column("counts")
        return cls(
            batch.column("term").to_numpy(),
            songs.offsets.to_numpy(),
            songs.values.to_numpy(),
            counts.values.to_numpy(),
        )


def joined(
    parts: Sequence[tuple[Hashes, NDArray[np.uint16], NDArray[np.uint8]]],
) -> tuple[Hashes, NDArray[np.uint16], NDArray[np.uint8]]:
    """Terms, rows and counts of several."""
    terms, rows, counts = (np.concatenate([part[place] for part in parts]) for place in range(3)) if parts else _NONE
    return terms, rows, counts


_NONE = np.empty(0, np.uint64), np.empty(0, np.uint16), np.empty(0, np.uint8)


class Lexicon:
    """Postings of all segments of a catalogue, which are mapped when the first text is looked for.

    Args:
        load: gives the postings of each segment.
        norms: of the songs of each segment, in order.
    """

    def __init__(self, load: Callable[[], Sequence[Postings]], norms: Sequence[Floats]) -> None:
        self._load, self._norms = load, norms
        self._firsts = np.cumsum([0, *map(len, norms)])

    @classmethod
    def build(cls, texts: Iterable[str]) -> Lexicon:
        """A lexicon of texts in one piece; song `i` is the i-th text."""
        texts = list(texts)
        # A row is a number of 16 bits.
        pieces = [Postings.of_texts(texts[start : start + (1 << 16)]) for start in range(0, len(texts), 1 << 16)]
        sizes = [min(1 << 16, len(texts) - start) for start in range(0, len(texts), 1 << 16)]
        return cls(lambda: pieces, [piece.norms(size) for piece, size in zip(pieces, sizes, strict=True)])

    @cached_property
    def postings(self) -> Sequence[Postings]:
        """Of each segment.

        Raises:
            DamagedArtifactError: they are missing or damaged.
        """
        return self._load()

    @cached_property
    def songs_with_words(self) -> int:
        """Songs that say anything."""
        return sum(int(np.count_nonzero(norms)) for norms in self._norms)

    def scores(self, text: str) -> Floats:
        """Cosine of the text's weights to each song's, in [0, 1], float32 [songs]; 0 without a known word."""
        result = np.zeros(int(self._firsts[-1]), np.float32)
        terms, counts = _counted(text)
        places = [part.found(terms) for part in self.postings]
        idf = self._idf(places, len(terms))
        weights = counts * idf**2
        length = float(np.linalg.norm(weights))
        if not length:
            return result
        weights = (weights / length).astype(np.float32)

        def work(number: int) -> None:
            starts, stops = places[number]
            where = np.flatnonzero(stops > starts)
            if not len(where):
                return
            part, slices = self.postings[number], [slice(starts[place], stops[place]) for place in where]
            values = _WEIGHTS[np.concatenate([part.counts[piece] for piece in slices])]
            values *= np.repeat(weights[where], stops[where] - starts[where])
            rows, norms = np.concatenate([part.rows[piece] for piece in slices]), self._norms[number]
            summed = np.bincount(rows, values, minlength=len(norms))
            out = result[self._firsts[number] : self._firsts[number + 1]]
            np.divide(summed, norms, out=out, where=norms > 0, casting="same_kind")

        if len(result) < _SONGS_FOR_THREADS:
            for number in range(len(places)):
                work(number)
        else:
            with ThreadPoolExecutor(available_processors()) as pool:
                list(pool.map(work, range(len(places))))
        return np.minimum(result, 1.0, out=result)

    def cosines(self, text: str, others: Sequence[str]) -> list[float]:
        """Cosine of the TF-IDF vectors of a text and each of some others, in [0, 1], with the catalogue's idf."""
        counted = [_counted(each) for each in (text, *others)]
        terms = np.unique(np.concatenate([part for part, _ in counted]))
        idf = self._idf([part.found(terms) for part in self.postings], len(terms))
        vectors = []
        for part, counts in counted:
            vector = np.zeros(len(terms))
            vector[np.searchsorted(terms, part)] = counts
            vector *= idf
            length = float(np.linalg.norm(vector))
            vectors.append(vector / length if length else vector)
        return [min(1.0, float(vectors[0] @ vector)) for vector in vectors[1:]]

    def _idf(self, places: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], terms: int) -> NDArray[np.float64]:
        """Inverse document frequency of terms [terms], as scikit-learn smooths it; 0 of what no song says."""
        frequency = sum((stops - starts for starts, stops in places), np.zeros(terms, np.int64))
        idf = np.log((1 + self.songs_with_words) / (1 + frequency)) + 1
        return np.where(frequency > 0, idf, 0.0)


def _counted(text: str) -> tuple[Hashes, NDArray[np.float64]]:
    """The different terms of a text by their hashes, sorted, and the weights of their counts."""
    counted = Counter(map(_term_hash, terms_of(text)))
    terms = np.array(sorted(counted), np.uint64)
    return terms, 1.0 + np.log(np.array([counted[term] for term in terms.tolist()], np.float64))
