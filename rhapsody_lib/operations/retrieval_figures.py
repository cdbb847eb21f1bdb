"""How well a release finds songs, beside yardsticks, and whether what it finds matters for the music."""

from __future__ import annotations

import bisect
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError, RhapsodyError
from rhapsody_lib.operations.agreement import Agreement, Texts, measure_agreement
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.progress import reporter
from rhapsody_lib.retrieval.calibration import FEWEST_QUERIES, Reliability
from rhapsody_lib.retrieval.corpus_songs import read_songs, take_songs
from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.pairs import heldout_artist, unread_artists
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder, lexical_text
from rhapsody_lib.retrieval.yardsticks import Compared, KnownItems, by_digest, compare_methods
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.words.document import Lyrics, parse_lyrics

#: Songs that are looked for, and searched, at most.
MOST_QUERIES, MOST_SONGS = 500, 2000
_FEWEST = 2
#: What an encoder's recipe says of a model that was given as a folder.
_A_FOLDER = "a folder"


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
        notes: what could not be measured, and why, as sentences.
    """

    corpus: Mapping[str, Any]
    finding: Mapping[str, Mapping[str, Any]]
    shared: Mapping[str, Mapping[str, Any]]
    ratio: tuple[float, tuple[float, float]]
    reliability: Reliability
    agreement: Mapping[str, Agreement]
    notes: tuple[str, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether so many songs are looked for that the figures mean anything; else no confidences are told."""
        return int(self.corpus["queries"]) >= FEWEST_QUERIES

    def to_json(self) -> dict[str, Any]:
        """The same as plain values; `reliability` is none where too few songs are looked for to tell."""
        return asdict(self) | ({} if self.tells else {"reliability": None})


def measure_retrieval(store: str, refs: Mapping[str, ArtifactRef]) -> RetrievalFigures:
    """Measure the encoder and the catalogue of a release.

    Of a tuned encoder only songs of artists of whom it has read nothing are looked for; the others are searched.

    Args:
        store: address of the store.
        refs: of `corpus`, `encoder` and `catalogue`.

    Raises:
        InputError: fewer than two songs can be looked for.
        DamagedArtifactError: an artifact cannot be read.
    """
    opened = Store(store)
    catalogue = open_catalogue(opened, refs["catalogue"])  # before the long work: one of an older layout fails here
    corpus, folder = opened.fetch(refs["corpus"]), opened.fetch(refs["encoder"])
    unread = unread_artists(folder)
    queries, others = _chosen(corpus, unread)
    if len(queries) < _FEWEST:
        raise InputError(
            "Fewer than two songs of this corpus can be looked for: they are too short to be cut in two, or the "
            "encoder has learnt from all of them. Train on more songs."
        )
    embedder = StanzaEmbedder(Encoder.load_bulk(folder))
    with _before_tuning(opened, refs["encoder"], embedder, tuned=unread is not None) as (base, notes):
        found, shared = (
            compare_methods(
                KnownItems.of(queries, others, shared_lines=lines),
                embedder,
                None,
                base=base,
                progress=reporter("Finding"),
            )
            for lines in (False, True)
        )
    return RetrievalFigures(
        corpus={"songs": found.songs, "queries": len(queries), "tuned": unread is not None},
        finding=found.table(),
        shared=shared.table(),
        ratio=_ratio(found),
        reliability=found.reliability,
        agreement=measure_agreement(catalogue, _texts_in(corpus, catalogue)),
        notes=notes,
    )


def _ratio(found: Compared) -> tuple[float, tuple[float, float]]:
    ratio, told = found.ratio()
    return round(ratio, 4), told


def _chosen(corpus: Path, unread: float | None) -> tuple[list[Lyrics], list[Lyrics]]:
    """Songs that are looked for, and others among which; chosen by the digests of their ids."""
    wanted: list[tuple[str, Lyrics]] = []
    rest: list[tuple[str, Lyrics]] = []
    for batch in read_songs(corpus):
        for song in batch:
            kept = wanted if unread is None or heldout_artist(song.artist, unread) else rest
            digest = by_digest(song.song_id)
            if (len(kept) < MOST_SONGS or digest < kept[-1][0]) and song_halves(song.lyrics):
                bisect.insort(kept, (digest, song.lyrics), key=lambda item: item[0])
                del kept[MOST_SONGS:]
    queries, others = wanted[:MOST_QUERIES], [*wanted[MOST_QUERIES:], *rest][: MOST_SONGS - len(wanted[:MOST_QUERIES])]
    return [lyrics for _, lyrics in queries], [lyrics for _, lyrics in others]


def _texts_in(corpus: Path, catalogue: Catalogue) -> Texts:
    """Reads the words of a few songs of a catalogue: of all of a large corpus they would fill the memory."""
    ids = catalogue.songs.column("song_id")

    def read(rows: Sequence[int]) -> dict[int, str]:
        if not rows:
            return {}
        songs = take_songs(corpus, ids.take(pa.array(rows, pa.int64())), ("title", "lyrics")).to_pylist()
        texts = (lexical_text(parse_lyrics(song["lyrics"] or "", song["title"] or "")) for song in songs)
        return dict(zip(rows, texts, strict=True))

    return read


@contextmanager
def _before_tuning(
    store: Store, ref: ArtifactRef, embedder: StanzaEmbedder, *, tuned: bool
) -> Iterator[tuple[StanzaEmbedder | None, tuple[str, ...]]]:
    """The encoder as it was before it was tuned, in a folder that is then removed; or none, and why, as a note.

    One that is not tuned is itself.
    """
    if not tuned:
        yield embedder, ()
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            base, notes = _untuned(store, ref, embedder, Path(folder)), tuple[str, ...]()
        except (RhapsodyError, OSError) as error:
            base, notes = None, (f"The encoder before tuning, and the ancestor's way, are not measured: {error}",)
        yield base, notes


def _untuned(store: Store, ref: ArtifactRef, embedder: StanzaEmbedder, out: Path) -> StanzaEmbedder:
    from rhapsody_lib.retrieval.encoder import build_encoder

    chosen = store.recipe_of(ref).settings.get("encoder") or {}
    model = str(chosen.get("model", ""))
    if model in ("", _A_FOLDER):
        raise InputError("it was a folder, and where that is was not written down.")
    card = build_encoder(out, EncoderSettings(model=model, max_tokens=chosen["max_tokens"]))
    if card["weights_sha256"] != embedder.encoder.card.get("weights_sha256"):
        raise InputError(f"'{model}' has other weights now than when it was tuned.")
    return StanzaEmbedder(Encoder.load_bulk(out))
