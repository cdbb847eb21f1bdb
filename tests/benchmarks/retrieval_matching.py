"""What generated lyrics match: how many different songs, and how seldom the song that their prompt is a line of."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.lyrics.decoder import write_lyrics
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.progress import reporter
from rhapsody_lib.retrieval.calibration import USUAL, calibrate, reliability
from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.retrieval.metrics import Search
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.retrieval.yardsticks import KnownItems
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.words.document import Lyrics, LyricSection, parse_lyrics
from tests.benchmarks.retrieval_bench import Bench
from tests.benchmarks.retrieval_finding import SEARCHED, fitted, songs_by_artist
from tests.benchmarks.table import Row

WRITTEN, QUICK_WRITTEN = 1000, 40
#: Enough for a text of a few stanzas, at little cost.
_CANDIDATES, _MOST_LINES = 2, 12
#: Lines of a song that are prompts; and every so manieth of all is the next one.
_PROMPT_LINES, _STEP = 8, 7


@dataclass(frozen=True)
class Written:
    """Lyrics that a model wrote, and the prompt of each."""

    prompts: list[str]
    lyrics: list[Lyrics]

    @classmethod
    def read(cls, file: Path) -> Written:
        """Those that a file keeps."""
        rows = json.loads(file.read_text(encoding="utf-8"))
        return cls([row["prompt"] for row in rows], [parse_lyrics(row["text"]) for row in rows])


def written_lyrics(bench: Bench) -> Written:
    """Different lyrics by a model of the songbook, profile `fast`: prompts are the first lines of its songs in turn.

    They are kept for the next run that has the same model.
    """
    settings, store = bench.settings(), Store(bench.store)
    corpus = operations.prepare_corpus(bench.store, settings, ["songbook"])
    ref = operations.train_lyrics(bench.store, settings, corpus)
    file = bench.folder / f"written-{'quick' if bench.quick else 'all'}-{ref.key[:12]}.json"
    if not file.is_file():
        model = LyricsModel.load(store.fetch(ref))
        prompts = _prompts(_songbook(bench))
        told, rows = reporter("Writing lyrics"), []
        count = QUICK_WRITTEN if bench.quick else WRITTEN
        for number in range(count):
            seed = split_seed(number, "lyrics")
            prompt = prompts[number * _STEP % len(prompts)]
            found = write_lyrics(model, prompt, seed=seed, candidates=_CANDIDATES, max_lines=_MOST_LINES)
            rows.append({"prompt": prompt, "text": found.best.lyrics.text()})
            told(number + 1, count, "lyrics")
        file.write_text(json.dumps(rows), encoding="utf-8")
    return Written.read(file)


def matching(bench: Bench) -> list[Row]:
    """How many different songs the lyrics match first, and the share of the most frequent."""
    corpus = bench.corpus()
    if corpus is None:
        return []
    written = written_lyrics(bench)
    texts = written.lyrics
    heldout, between = songs_by_artist(corpus)
    embedder = bench.embedder(bench.encoder or bench.base_encoder)
    items = KnownItems.of(heldout[:SEARCHED], between[: max(0, SEARCHED - len(heldout))])
    calibration = fitted(between[-len(between) // 2 :], embedder)
    songbook = _songbook(bench)
    return [
        *_spread(f"of {len(items.songs):,} songs, other authors", items.songs, texts, embedder, calibration.weights),
        *_spread("of the songbook that the lyrics were learnt from", songbook, texts, embedder, USUAL.weights),
        *_origins(bench, songbook, written, embedder),
    ]


def _prompts(songs: Sequence[Lyrics]) -> list[str]:
    return list(dict.fromkeys(line for song in songs for line in song.lines[:_PROMPT_LINES]))


def _without(lyrics: Lyrics, line: str) -> Lyrics:
    """Lyrics without a line, which their hook may repeat."""
    told = words_of(line)
    sections = (
        LyricSection(section.name, tuple(other for other in section.lines if words_of(other) != told))
        for section in lyrics.sections
    )
    return Lyrics(lyrics.title, tuple(section for section in sections if section.lines))


def _origins(bench: Bench, songs: Sequence[Lyrics], written: Written, embedder: StanzaEmbedder) -> list[Row]:
    """Whether the first match is a song that the prompt is a line of, and how sure is told.

    The prompt is found by its words wherever it stands; without it the lyric says what the model made of it.
    """
    items, texts = KnownItems.of(songs, []), written.lyrics
    known = range(len(items.queries))
    calibration = calibrate(Search.of(items.songs, items.queries, known, embedder).features(), known)
    lines = [{tuple(words_of(line)) for line in song.lines} for song in songs]
    held = [{row for row, of in enumerate(lines) if tuple(words_of(prompt)) in of} for prompt in written.prompts]
    without = [_without(text, prompt) for text, prompt in zip(texts, written.prompts, strict=True)]
    chance = float(np.mean([len(rows) / len(songs) for rows in held]))
    found = []
    for where, queries in (("", texts), (", the prompt taken out", without)):
        search, told, right = Search.of(songs, queries, range(len(queries)), embedder), list[float](), list[bool]()
        for values, rows in zip(search.features(), held, strict=True):
            scores = (values @ np.asarray(calibration.weights)).astype(np.float32)
            told.append(float(calibration.confidences(scores).max()))
            right.append(int(scores.argmax()) in rows)
        what = f"first match is a song of the songbook that the prompt is a line of{where}, share; beside chance"
        found.append(Row(what, round(float(np.mean(right)), 4), round(chance, 4)))
        found.append(Row(f"mean confidence told of it{where}", round(float(np.mean(told)), 4)))
        bench.notes.append(
            f"Confidence told: such matches of so many{where}: {_bins(np.array(told), np.array(right))}."
        )
    return found


def _bins(told: NDArray[np.float64], right: NDArray[np.bool_]) -> str:
    return "; ".join(f"{mean:.2f}: {seen:.2f} of {count}" for mean, seen, count in reliability(told, right).bins)


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
