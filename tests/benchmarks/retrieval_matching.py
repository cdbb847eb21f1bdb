"""What generated lyrics match: how many different songs, and whether the matched music suits the words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.lyrics.decoder import write_lyrics
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.progress import reporter
from rhapsody_lib.retrieval.calibration import USUAL
from rhapsody_lib.retrieval.metrics import Search
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.retrieval.yardsticks import KnownItems
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.words.document import Lyrics, parse_lyrics
from tests.benchmarks.retrieval_bench import Bench
from tests.benchmarks.retrieval_finding import SEARCHED, fitted, songs_by_artist
from tests.benchmarks.table import Row

WRITTEN, QUICK_WRITTEN = 1000, 40
#: Enough for a text of a few stanzas, at little cost.
_CANDIDATES, _MOST_LINES = 2, 12


def written_lyrics(bench: Bench) -> list[Lyrics]:
    """Different lyrics by a model of the songbook, profile `fast`: prompts are the first lines of its songs in turn."""
    file = bench.folder / f"written-{'quick' if bench.quick else 'all'}.json"
    if not file.is_file():
        settings = bench.settings()
        corpus = operations.prepare_corpus(bench.store, settings, ["songbook"])
        store = Store(bench.store)
        model = LyricsModel.load(store.fetch(operations.train_lyrics(bench.store, settings, corpus)))
        rows = list(read_songs(store.fetch(corpus)))
        prompts = list(dict.fromkeys(line for row in rows for line in parse_lyrics(row["lyrics"]).lines[:8]))
        told, texts = reporter("Writing lyrics"), []
        count = QUICK_WRITTEN if bench.quick else WRITTEN
        for number in range(count):
            seed = split_seed(number, "lyrics")
            prompt = prompts[number * 7 % len(prompts)]
            found = write_lyrics(model, prompt, seed=seed, candidates=_CANDIDATES, max_lines=_MOST_LINES)
            texts.append(found.best.lyrics.text())
            told(number + 1, count, "lyrics")
        file.write_text(json.dumps(texts), encoding="utf-8")
    return [parse_lyrics(text) for text in json.loads(file.read_text(encoding="utf-8"))]


def matching(bench: Bench) -> list[Row]:
    """How many different songs the lyrics match first, and the share of the most frequent."""
    corpus = bench.corpus()
    if corpus is None:
        return []
    texts = written_lyrics(bench)
    heldout, between = songs_by_artist(corpus)
    embedder = bench.embedder(bench.encoder or bench.base_encoder)
    items = KnownItems.of(heldout[:SEARCHED], between[: max(0, SEARCHED - len(heldout))])
    calibration = fitted(between[-len(between) // 2 :], embedder)
    return [
        *_spread(f"of {len(items.songs):,} songs, other authors", items.songs, texts, embedder, calibration.weights),
        *_spread("of the songbook that the lyrics were learnt from", _songbook(bench), texts, embedder, USUAL.weights),
    ]


def _songbook(bench: Bench) -> list[Lyrics]:
    corpus = operations.prepare_corpus(bench.store, bench.settings(), ["songbook"])
    return [parse_lyrics(row["lyrics"], row["title"]) for row in read_songs(Store(bench.store).fetch(corpus))]


def _spread(
    where: str, songs: Sequence[Lyrics], texts: Sequence[Lyrics], embedder: StanzaEmbedder, weights: Sequence[float]
) -> list[Row]:
    search = Search.of(songs, texts, range(len(texts)), embedder, reporter("Matching"))
    scores = np.array([values @ np.asarray(weights) for values in search.features()])
    plain = np.array([search.matrix.cosines(query) for query in search.queries])
    return [*_rows(where, _count(scores), _count(plain), len(texts))]


def _count(scores: NDArray[np.float64]) -> tuple[int, float]:
    """Different songs that are first, and the share of lyrics whose first is the most frequent."""
    counts = Counter(scores.argmax(axis=1).tolist())
    return len(counts), max(counts.values()) / len(scores)


def _rows(where: str, ours: tuple[int, float], plain: tuple[int, float], texts: int) -> list[Row]:
    return [
        Row(f"different songs that {texts:,} lyrics match, {where}; beside plain cosine", ours[0], plain[0]),
        Row(f"share of the most frequent, {where}; beside plain cosine", round(ours[1], 4), round(plain[1], 4)),
    ]
