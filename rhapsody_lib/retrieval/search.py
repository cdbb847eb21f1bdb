"""Finding the catalogue songs whose lyrics are most similar to new ones, with the lines that are closest."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from rhapsody_lib.errors import InputError
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.calibration import FEWEST_QUERIES
from rhapsody_lib.retrieval.filters import MatchFilters
from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.scoring import Scores, features_of
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text, song_stanzas
from rhapsody_lib.words.document import Lyrics

#: Scores that differ by less are ties: more digits are the processor's, not the songs'.
_DECIMALS = 5
#: Songs of which one holds so large a share of the other's runs of three words are one song.
_SAME_SONG = 0.6
_RUN_WORDS = 3
#: Rows that are ranked at first, and how many times more each time that these do not suffice.
_FIRST_ROWS, _MORE_ROWS = 50, 8
#: Songs whose stanzas are read at once.
_READ_AT_ONCE = 5
Stanzas = list[tuple[str, str]]
#: Whether a song with this track may be found.
Accept = Callable[[str | None], bool]
_Numbers = tuple[NDArray[Any] | None, Scores, Scores]


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

    `confidence`, in [0, 1], is the one number that tells how good the match is: of halves of this catalogue's songs
    that got it, that share had found the song they were cut from. It was fitted among at most 1,000 first halves: in
    a larger catalogue it tends to be too high or too low. None where too few songs could be halved to tell, or may be
    found at all (`calibration.FEWEST_QUERIES`). `score` ranks: the weighted sum of the encoder's
    cosine, of the TF-IDF cosine and of the nearness of the lines' lengths, each in standard deviations over the
    catalogue. `similarity` is the plain cosine of the two songs' vectors, in [-1, 1]; `lexical` that of their TF-IDF
    vectors, in [0, 1]. Only a song with a `track_id` can prime the music. `closest` is none where the new song has no
    words, `licence` where the song's is not known.
    """

    rank: int
    song_id: str
    title: str
    artist: str | None
    track_id: str | None
    confidence: float | None
    similarity: float
    lexical: float
    score: float
    closest: Closest | None
    licence: str | None = None

    @property
    def has_track(self) -> bool:
        """Whether the song has a track."""
        return self.track_id is not None


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


def check_encoder(catalogue: Catalogue, encoder: Encoder) -> None:
    """Do nothing if a catalogue was embedded with an encoder.

    Raises:
        InputError: it was embedded with another.
    """
    if catalogue.card["encoder"]["onnx_sha256"] != encoder.card["onnx_sha256"]:
        raise InputError(
            f"The catalogue was embedded with another encoder ({catalogue.card['encoder']['model']}) than the one "
            f"loaded ({encoder.card['model']}). {BUILD_AGAIN}"
        )


def _fact(catalogue: Catalogue, row: int, name: str) -> str | None:
    value: str | None = catalogue.songs.column(name)[row].as_py()
    return value


def _rounded(value: float) -> float:
    return round(float(value), _DECIMALS)


def _closest(
    stanzas: Stanzas, vectors: Vectors, others: tuple[Stanzas, Vectors], lines: StanzaEmbedder
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


def runs_of(stanzas: Stanzas) -> set[tuple[str, ...]]:
    """Runs of three words of a song, by which its copies are known."""
    words = [word for _, text in stanzas for word in words_of(text)]
    return set(zip(*(words[start:] for start in range(_RUN_WORDS)), strict=False))


def is_same_song(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> bool:
    """Whether two songs, by their runs, are one song and its copy."""
    fewer = min(len(one), len(other))
    return fewer > 0 and len(one & other) >= _SAME_SONG * fewer


def _different_songs(
    catalogue: Catalogue, ranked: Scores, k: int, accept: Accept | None
) -> Iterator[tuple[int, tuple[Stanzas, Vectors]]]:
    """Accepted rows from the best on with their stanzas; of songs that are nearly the same, only the best of these."""
    seen: list[set[tuple[str, ...]]] = []
    done, wanted = 0, _FIRST_ROWS
    while True:
        rows = best_rows(ranked, catalogue.songs.column("song_id"), wanted)
        read = _prefetched(catalogue, rows[:k]) if not done and accept is None else {}
        for row in rows[done:]:
            # Asked first: a song that is not accepted must not hide its copies.
            if accept is not None and not accept(_fact(catalogue, row, "track_id")):
                continue
            stanzas = read.pop(row, None) or catalogue.stanzas_of(row)
            runs = runs_of(stanzas[0])
            if not any(is_same_song(runs, other) for other in seen):
                seen.append(runs)
                yield row, stanzas
        if len(rows) < wanted:
            return
        done, wanted = wanted, wanted * _MORE_ROWS


def _prefetched(catalogue: Catalogue, rows: Sequence[int]) -> dict[int, tuple[Stanzas, Vectors]]:
    """The stanzas of the songs in some rows, read side by side: in a remote store each is a request."""
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        return dict(zip(rows, pool.map(catalogue.stanzas_of, rows), strict=True))


def find_matches(
    catalogue: Catalogue,
    encoder: Encoder,
    lyrics: Lyrics,
    k: int = 5,
    *,
    require_track: bool = False,
    filters: MatchFilters | None = None,
    accept: Accept | None = None,
    on_ranked: Callable[[list[Match]], None] | None = None,
) -> list[Match]:
    """The k most similar songs of the catalogue, best first; fewer if it has fewer. A song and its copy count once.

    A song without words is never among them.

    Args:
        catalogue: the loaded catalogue.
        encoder: the encoder it was embedded with.
        lyrics: the new song; lyrics without words match nothing better than anything else.
        k: number of matches.
        require_track: leave out songs without a track. Scores and confidences of the others do not change, but where
            fewer than `calibration.FEWEST_QUERIES` songs are left none has a confidence.
        filters: what else is left out; the same holds.
        accept: whether a song with this track may be found, asked from the best song on until there are k.
        on_ranked: given the matches before their closest lines are looked for, which is most of the time.

    Raises:
        InputError: the catalogue was embedded with another encoder, or no song passes the filters.
    """
    check_encoder(catalogue, encoder)
    allowed = (filters or MatchFilters()).passing(catalogue.songs)
    stanzas, embedder, text = song_stanzas(lyrics, encoder), StanzaEmbedder(encoder), lexical_text(lyrics)
    (query, *_), vectors = embedder.songs([stanzas])
    cosines, features = features_of(catalogue.matrix, catalogue.lexicon, catalogue.shapes, query, text)
    scores = np.round(catalogue.calibration.scores(features), _DECIMALS)
    confidences = catalogue.calibration.confidences(scores)
    allowed &= ~catalogue.matrix.wordless
    if require_track:
        allowed &= catalogue.has_track
    tells = catalogue.calibration.tells and int(allowed.sum()) >= FEWEST_QUERIES
    ranked = np.where(allowed, scores, np.float32(-np.inf))
    found = list(itertools.islice(_different_songs(catalogue, ranked, k, accept), max(0, k)))
    said = catalogue.lexicon.cosines(text, ["\n".join(piece for _, piece in others) for _, (others, _) in found])
    numbers = (confidences if tells else None, np.clip(cosines, -1, 1), scores)
    matches = [
        _match(catalogue, rank, row, numbers, lexical)
        for rank, ((row, _), lexical) in enumerate(zip(found, said, strict=True), start=1)
    ]
    if on_ranked:
        on_ranked(matches)
    return [
        replace(match, closest=_closest(stanzas, vectors, other, embedder))
        for match, (_, other) in zip(matches, found, strict=True)
    ]


def _match(catalogue: Catalogue, rank: int, row: int, numbers: _Numbers, lexical: float) -> Match:
    """The song in a row, from its confidence (or none), similarity and score: [songs] each. No lines yet."""
    confidences, *others = numbers
    similarity, score = (_rounded(values[row]) for values in others)
    return Match(
        rank=rank,
        song_id=_fact(catalogue, row, "song_id") or "",
        title=_fact(catalogue, row, "title") or "",
        artist=_fact(catalogue, row, "artist"),
        track_id=_fact(catalogue, row, "track_id"),
        confidence=None if confidences is None else _rounded(confidences[row]),
        similarity=similarity,
        lexical=_rounded(lexical),
        score=score,
        closest=None,
        licence=_fact(catalogue, row, "licence"),
    )
