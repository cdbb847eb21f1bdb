"""How well a release finds songs, beside yardsticks, and whether what it finds matters for the music."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.agreement import Agreement, measure_agreement
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.progress import reporter
from rhapsody_lib.retrieval.calibration import Reliability
from rhapsody_lib.retrieval.corpus_songs import read_songs
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text
from rhapsody_lib.retrieval.yardsticks import Compared, KnownItems, by_digest, compare_methods
from rhapsody_lib.words.document import Lyrics

#: Songs that are looked for, and searched, at most.
MOST_QUERIES, MOST_SONGS = 500, 2000
_FEWEST = 2


@dataclass(frozen=True)
class RetrievalFigures:
    """What was measured.

    Args:
        corpus: songs searched, and songs looked for; `tuned` whether the encoder has learnt from the corpus's others.
        finding: figures of each method, its interval too, without lines that both halves share.
        shared: the same where lines that return stand in both halves.
        ratio: MRR of ours by the better of TF-IDF and BM25, and its interval.
        reliability: how true the confidences are.
        agreement: of matched music with the words.
    """

    corpus: Mapping[str, Any]
    finding: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, Mapping[str, Any]]
    ratio: tuple[float, tuple[float, float]]
    reliability: Reliability
    agreement: Mapping[str, Agreement]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def measure_retrieval(store: str, refs: Mapping[str, ArtifactRef]) -> RetrievalFigures:
    """Measure the encoder and the catalogue of a release.

    Songs that the encoder was tuned on are searched, and not looked for.

    Args:
        store: address of the store.
        refs: of `corpus`, `encoder` and `catalogue`.

    Raises:
        InputError: fewer than two songs can be looked for.
        DamagedArtifactError: an artifact cannot be read.
    """
    opened = Store(store)
    corpus, folder = opened.fetch(refs["corpus"]), opened.fetch(refs["encoder"])
    tuned = _is_tuned(folder)
    queries, others = _chosen(corpus, tuned)
    if len(queries) < _FEWEST:
        raise InputError(
            "Fewer than two songs of this corpus can be looked for: they are too short to be cut in two, or the "
            "encoder has learnt from all of them. Train on more songs."
        )
    embedder, base = StanzaEmbedder(Encoder.load_bulk(folder)), _base(opened, tuned)
    found, shared = (
        compare_methods(
            KnownItems.of(queries, others, shared_lines=lines), embedder, None, base=base, progress=reporter("Finding")
        )
        for lines in (False, True)
    )
    catalogue = open_catalogue(opened, refs["catalogue"])
    texts = [lexical_text(song.lyrics) for batch in read_songs(corpus) for song in batch]
    return RetrievalFigures(
        corpus={"songs": found.songs, "queries": len(queries), "tuned": tuned},
        finding=found.table(),
        shared=shared.table(),
        ratio=_ratio(found),
        reliability=found.reliability,
        agreement=measure_agreement(catalogue, texts),
    )


def _ratio(found: Compared) -> tuple[float, tuple[float, float]]:
    ratio, told = found.ratio()
    return round(ratio, 4), told


def _is_tuned(encoder: Path) -> bool:
    """Whether an encoder has learnt from its corpus, by its metrics."""
    try:
        found = json.loads((encoder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found.get("best_epoch"))


def _chosen(corpus: Path, tuned: bool) -> tuple[list[Lyrics], list[Lyrics]]:
    """Songs that are looked for, and others among which; chosen by the digests of their ids."""
    songs = [song for batch in read_songs(corpus) for song in batch if song_halves(song.lyrics)]
    songs.sort(key=lambda song: by_digest(song.song_id))
    unread = [song.lyrics for song in songs if not tuned or song.split == "heldout"]
    rest: Sequence[Lyrics] = [song.lyrics for song in songs if tuned and song.split != "heldout"]
    others = [*unread[MOST_QUERIES:], *rest]
    return unread[:MOST_QUERIES], others[: MOST_SONGS - min(len(unread), MOST_QUERIES)]


def _base(store: Store, tuned: bool) -> StanzaEmbedder | None:
    """The packaged encoder beside a tuned one; none where it is the same or is not installed."""
    if not tuned:
        return None
    from rhapsody_lib.errors import MissingExtraError
    from rhapsody_lib.operations.training import train_encoder
    from rhapsody_lib.settings import Settings

    try:
        ref = train_encoder(store.root, Settings())
    except MissingExtraError:
        return None
    return StanzaEmbedder(Encoder.load_bulk(store.fetch(ref)))
