"""Finding the catalogue songs whose lyrics are most similar to new ones, with the lines that are closest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.retrieval.layout import CARD_FILE, LEXICON_FILE, SONG_VECTORS_FILE, STANZA_VECTORS_FILE
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.scoring import Scores, SongMatrix, hybrid
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, song_stanzas
from rhapsody_lib.words.document import Lyrics

#: Scores that differ by less are ties: more digits are the processor's, not the songs'.
_DECIMALS = 5


@dataclass(frozen=True)
class Closest:
    """The closest stanzas of two songs by cosine, and of these the closest lines."""

    generated_section: str
    catalogue_section: str
    stanza_similarity: float
    generated_line: str
    catalogue_line: str
    line_similarity: float


@dataclass(frozen=True)
class Match:
    """A catalogue song found, `rank` 1 the best.

    `similarity` is the cosine of the two songs' SBERT vectors, in [-1, 1]; `lexical` that of their TF-IDF vectors, in
    [0, 1]; `score`, which ranks, is their weighted sum in standard deviations over this catalogue. Only a song with a
    `track_id` can prime the music. `closest` is none where the catalogue song has no words.
    """

    rank: int
    song_id: str
    title: str
    track_id: str | None
    similarity: float
    lexical: float
    score: float
    closest: Closest | None

    @property
    def has_track(self) -> bool:
        """Whether the song has a track."""
        return self.track_id is not None


def _open(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _matrices(table: pa.Table, dimension: int) -> list[Vectors]:
    """Vectors of each record batch [rows x dimension], where they lie in the file."""
    return [
        chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, dimension)
        for chunk in table.column("vector").chunks
        if len(chunk)
    ]


@dataclass(frozen=True)
class Catalogue:
    """A loaded catalogue: tables memory-mapped, `matrix` over the songs, `card` what catalogue.json says."""

    card: dict[str, Any]
    songs: pa.Table
    stanzas: pa.Table
    matrix: SongMatrix
    lexicon: LexicalIndex

    @classmethod
    def load(cls, folder: Path) -> Catalogue:
        """Memory-map a folder of `embed_catalogue`.

        Raises:
            DamagedArtifactError: a file is missing or not what it should be.
        """
        try:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            songs, stanzas = _open(folder / SONG_VECTORS_FILE), _open(folder / STANZA_VECTORS_FILE)
            lexicon = LexicalIndex.load(folder / LEXICON_FILE, songs.num_rows)
            matrix = SongMatrix.of(_matrices(songs, int(card["dimension"])))
        except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:  # Arrow's errors are ValueErrors
            raise DamagedArtifactError(
                f"{folder}: is not a usable catalogue ({type(error).__name__}: {error}). Embed the catalogue again."
            ) from error
        return cls(card, songs, stanzas, matrix, lexicon)

    @property
    def has_track(self) -> NDArray[np.bool_]:
        """Whether each song has a track [songs]."""
        valid: NDArray[np.bool_] = self.songs.column("track_id").is_valid().to_numpy()
        return valid

    def stanzas_of(self, row: int) -> tuple[list[tuple[str, str]], Vectors]:
        """(name, text) of the stanzas of the song in a row, and their vectors [stanzas x dimension]."""
        first, count = (self.songs.column(name)[row].as_py() for name in ("first_stanza", "stanza_count"))
        part = self.stanzas.slice(first, count)
        dimension = int(self.card["dimension"])
        vectors = np.concatenate([np.empty((0, dimension), np.float32), *_matrices(part, dimension)])
        return list(zip(part.column("name").to_pylist(), part.column("text").to_pylist(), strict=True)), vectors


def best_rows(scores: Scores, song_ids: pa.ChunkedArray, k: int) -> list[int]:
    """Rows of the k highest scores, exactly; of equal ones that with the smaller song_id first.

    A row whose score is minus infinity is never among them.
    """
    allowed = int(np.count_nonzero(np.isfinite(scores)))
    k = min(k, allowed)
    if k < 1:
        return []
    threshold = np.partition(scores, len(scores) - k)[len(scores) - k]
    rows = np.flatnonzero(scores >= threshold).tolist()
    return sorted(rows, key=lambda row: (-float(scores[row]), song_ids[row].as_py()))[:k]


def _check_encoder(catalogue: Catalogue, encoder: Encoder) -> None:
    if catalogue.card["encoder"]["onnx_sha256"] != encoder.card["onnx_sha256"]:
        raise InputError(
            f"The catalogue was embedded with another encoder ({catalogue.card['encoder']['model']}) than the one "
            f"loaded ({encoder.card['model']}). Embed the catalogue again."
        )


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS)


def _closest(
    stanzas: list[tuple[str, str]],
    vectors: Vectors,
    others: tuple[list[tuple[str, str]], Vectors],
    lines: StanzaEmbedder,
) -> Closest | None:
    if not len(vectors) or not len(others[1]):
        return None
    products = vectors @ others[1].T
    mine, theirs = np.unravel_index(int(np.argmax(products)), products.shape)
    (name, text), (other_name, other_text) = stanzas[mine], others[0][theirs]
    texts, other_texts = text.split("\n"), other_text.split("\n")
    line_products = lines.encode(texts) @ lines.encode(other_texts).T
    line, other_line = np.unravel_index(int(np.argmax(line_products)), line_products.shape)
    return Closest(
        name,
        other_name,
        _rounded(products[mine, theirs]),
        texts[line],
        other_texts[other_line],
        _rounded(line_products[line, other_line]),
    )


def find_matches(
    catalogue: Catalogue, encoder: Encoder, lyrics: Lyrics, k: int = 5, *, require_track: bool = False
) -> list[Match]:
    """The k most similar songs of the catalogue, best first; fewer if it has fewer.

    Args:
        catalogue: the loaded catalogue.
        encoder: the encoder it was embedded with.
        lyrics: the new song; lyrics without words match nothing better than anything else.
        k: number of matches.
        require_track: leave out songs without a track. The scores of the others do not change.

    Raises:
        InputError: the catalogue was embedded with another encoder.
    """
    _check_encoder(catalogue, encoder)
    stanzas = song_stanzas(lyrics, encoder)
    embedder = StanzaEmbedder(encoder)
    (query, *_), vectors = embedder.songs([stanzas])
    cosines, lexical = catalogue.matrix.cosines(query), catalogue.lexicon.scores(lexical_text(lyrics))
    scores = hybrid(catalogue.matrix.centred(query, cosines), lexical, float(catalogue.card["lexical_weight"]))
    scores = np.round(scores, _DECIMALS)
    ranked = np.where(catalogue.has_track, scores, -np.inf) if require_track else scores
    rows = best_rows(ranked, catalogue.songs.column("song_id"), k)
    return [
        Match(
            rank=rank,
            **{name: catalogue.songs.column(name)[row].as_py() for name in ("song_id", "title", "track_id")},
            similarity=_rounded(np.clip(cosines[row], -1, 1)),
            lexical=_rounded(np.clip(lexical[row], 0, 1)),
            score=_rounded(scores[row]),
            closest=_closest(stanzas, vectors, catalogue.stanzas_of(row), embedder),
        )
        for rank, row in enumerate(rows, start=1)
    ]
