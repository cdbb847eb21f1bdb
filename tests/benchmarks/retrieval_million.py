"""A catalogue of a million songs in a store, made by the product's own code, and processes that open it and add to it.

    python -m tests.benchmarks.retrieval_million open STORE CATALOGUE
    python -m tests.benchmarks.retrieval_million add STORE CORPUS

each print one JSON object (CATALOGUE and CORPUS are keys of artifacts). The lyrics are stanzas of real lines, drawn at
random; their vectors are not the encoder's, for a million songs would take hours: each is a mixture of two real
stanzas' vectors and some noise. Songs that are added are embedded as ever.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.corpus.tables import TableWriter
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval import catalogue, shards
from rhapsody_lib.retrieval.lexicon import text_hash
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.search import find_matches
from rhapsody_lib.retrieval.serving import Encoder, Vectors
from rhapsody_lib.settings import Settings
from rhapsody_lib.words.document import parse_lyrics

ADDED = 100
#: Stanzas of a song, and lines of a stanza.
_STANZAS, _LINES = 2, 4
_BLOCK, _NOISES = 50_000, 4096
_TOO = " too"
_GENRES = ("folk", "rock", "waltz", "country", "blues")
_KEYS = ("C major", "G major", "A minor", "E minor")


@dataclass(frozen=True)
class Mixed:
    """Stands for an encoder: a text's vector is a mixture of two real ones and some noise, chosen by its hash."""

    card: dict[str, Any]
    real: Vectors
    noises: Vectors

    @classmethod
    def of(cls, encoder: Path, real: Vectors) -> Mixed:
        noises = np.random.default_rng(0).standard_normal((_NOISES, real.shape[1]), dtype=np.float32)
        return cls(Encoder.load(encoder).card, real, noises)

    @property
    def dimension(self) -> int:
        return int(self.real.shape[1])

    def fits(self, text: str) -> bool:
        return bool(text)

    def encode(self, texts: Sequence[str], *, progress: Progress = silent) -> Vectors:
        hashes = np.array([text_hash(text) for text in texts], np.uint64)
        one, other = (self.real[(hashes >> np.uint64(shift)) % np.uint64(len(self.real))] for shift in (0, 20))
        mixed = 0.8 * one + 0.3 * other + 0.015 * self.noises[(hashes >> np.uint64(40)) % np.uint64(_NOISES)]
        progress(len(texts), len(texts), "texts embedded")
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        unit: Vectors = np.divide(mixed, lengths, dtype=np.float32).reshape(len(texts), self.dimension)
        return unit


@dataclass(frozen=True)
class Million:
    """The store, what is in it, and the corpora that have a hundred songs more."""

    store: str
    encoder: ArtifactRef
    catalogue: ArtifactRef
    after: ArtifactRef
    between: ArtifactRef


def mixed_catalogue(store: Store, corpus: ArtifactRef, encoder: ArtifactRef, served: Mixed) -> ArtifactRef:
    """The catalogue of a corpus by the ordinary step, with mixed vectors in the place of the encoder's."""
    loaded = mock.Mock(return_value=served)
    with mock.patch.object(shards, "loaded_encoder", loaded), mock.patch.object(catalogue, "loaded_encoder", loaded):
        return operations.embed_catalogue(store.root, Settings(), corpus, encoder)


def make_million(folder: Path, encoder: Path, lines: Sequence[str], real: Vectors, count: int) -> Million:
    """Make the store once; what is there is kept."""
    store = Store(str(folder / f"million-{count}"))
    held, served = put_encoder(store, encoder), Mixed.of(encoder, real)
    corpora = {where: put_corpus(store, lines, count, where) for where in ("", "after", "between")}
    made = mixed_catalogue(store, corpora[""], held, served)
    return Million(store.root, held, made, corpora["after"], corpora["between"])


def put_encoder(store: Store, encoder: Path) -> ArtifactRef:
    """An encoder's folder as an artifact."""
    return store.build(Recipe("encoder", 1, {}, {}), lambda out: shutil.copytree(encoder, out, dirs_exist_ok=True))


def put_corpus(store: Store, lines: Sequence[str], count: int, where: str = "") -> ArtifactRef:
    """A corpus of songs of drawn lines, every tenth with a track; and `ADDED` more `after` them or `between` them."""
    recipe = Recipe("corpus", 1, {"songs": count, "added": where}, {})
    return store.build(recipe, lambda out: _write_corpus(out, lines, count, where))


def _write_corpus(out: Path, lines: Sequence[str], count: int, where: str) -> None:
    random, known = np.random.default_rng(0), np.array(lines, dtype=object)
    extra = _songs(known, np.random.default_rng(1), [_new(number, count, where) for number in range(ADDED)])
    with TableWriter(out / SONGS_FILE, SONGS_SCHEMA) as songs, TableWriter(out / TRACKS_FILE, TRACKS_SCHEMA) as tracks:
        for start in range(0, count, _BLOCK):
            numbers = range(start, min(count, start + _BLOCK))
            ids = [f"drawn/{number:07d}" for number in numbers]
            table = _songs(known, random, ids)
            if where == "between":
                inside = set(ids)
                mask = [name.removesuffix(_TOO) in inside for name in extra.column("song_id").to_pylist()]
                table = pa.concat_tables([table, extra.filter(pa.array(mask))]).sort_by("song_id")
            songs.write_table(table.combine_chunks())
            for number in numbers[::10]:
                facts = {"tempo_bpm": 60.0 + number % 90, "key": _KEYS[number // 10 % len(_KEYS)]}
                name = f"{number:07d}"
                tracks.write({"track_id": f"track/{name}", "song_id": f"drawn/{name}", "sha256": name, **facts})
        if where == "after":
            songs.write_table(extra)


def _new(number: int, count: int, where: str) -> str:
    """Id of a song that is added."""
    return f"drawn/{number * (count // ADDED):07d}{_TOO}" if where == "between" else f"new/{number:03d}"


def _songs(lines: Any, random: np.random.Generator, ids: Sequence[str]) -> pa.Table:
    drawn = lines[random.integers(0, len(lines), (len(ids), _STANZAS, _LINES))]
    values: dict[str, Any] = {field.name: [None] * len(ids) for field in SONGS_SCHEMA}
    values["song_id"] = list(ids)
    values["source"] = ["drawn"] * len(ids)
    values["title"] = [f"Song {name}" for name in ids]
    values["artist"] = [f"Artist {number}" for number in random.integers(0, max(1, len(ids) // 8), len(ids))]
    values["language"] = ["en"] * len(ids)
    values["genres"] = [[_GENRES[number % len(_GENRES)]] for number in range(len(ids))]
    values["licence"] = ["CC0"] * len(ids)
    values["lyrics"] = ["\n\n".join("\n".join(stanza) for stanza in song) for song in drawn]
    values["split"] = ["train"] * len(ids)
    return pa.table(values, schema=SONGS_SCHEMA)


def _memory_mb() -> dict[str, float]:
    """Memory of this process that is its own, and that is mapped from files."""
    told = {}
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "RssFile", "VmHWM"):
            told[name] = int(rest.split()[0]) / 1e3
    return told


@contextmanager
def _timed(into: dict[str, float], name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    into[name] = into.get(name, 0.0) + time.perf_counter() - began


def _of_key(store: Store, kind: str, key: str) -> ArtifactRef:
    return next(ref for ref in store.artifacts(kind) if ref.key == key)


def measure_opening(root: str, key: str) -> dict[str, float]:
    """Seconds of `Catalogue.load`, of opening through the store, and of searches; and memory."""
    store = Store(root)
    ref, encoder = _of_key(store, "catalogue", key), next(store.artifacts("encoder"))
    folders = [Path(store.path_of("artifacts", *part)) for part in store.parts(ref)]
    places = [next(path for path in folder.iterdir() if path.is_dir()) for folder in folders]
    folder = Path(store.path_of("artifacts", ref.kind, ref.key, store.manifest(ref)["data"]))
    told: dict[str, float] = {}
    before = _memory_mb()
    with _timed(told, "load_s"):
        opened = Catalogue.load(folder, lambda number, name: places[number] / name)
    told["heap_mb"] = _memory_mb()["RssAnon"] - before["RssAnon"]
    served = Encoder.load(store.fetch(encoder))
    text = parse_lyrics("I walk alone in the morning light\nand nobody knows my name\n\nthe river is wide and deep")
    served.encode(["warm"])
    with _timed(told, "first_search_s"):
        find_matches(opened, served, text)
    for _ in range(5):
        with _timed(told, "search_s"):
            find_matches(opened, served, text)
    told["search_s"] /= 5
    told |= _parts(opened, served, text.text()) | {"heap_after_mb": _memory_mb()["RssAnon"], "songs": len(opened.songs)}
    with _timed(told, "through_store_s"):
        open_catalogue(Store(root), ref)
    return told


def _parts(opened: Catalogue, served: Encoder, text: str) -> dict[str, float]:
    """Seconds of each feature of the score, medians of five."""
    query = served.encode([text])[0]
    works: dict[str, Callable[[], object]] = {
        "dense_s": lambda: opened.matrix.cosines(query),
        "lexical_s": lambda: opened.lexicon.scores(text),
        "shape_s": lambda: opened.shapes.scores(text),
    }
    told: dict[str, float] = {}
    for name, work in works.items():
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            work()
            taken.append(time.perf_counter() - began)
        told[name] = float(np.median(taken))
    return told


def measure_adding(root: str, corpus_key: str) -> dict[str, float]:
    """Seconds of `embed_catalogue` of a corpus that has a hundred songs more, and of these, of embedding them."""
    store = Store(root)
    corpus, encoder = _of_key(store, "corpus", corpus_key), next(store.artifacts("encoder"))
    told: dict[str, float] = {"embedding_s": 0.0}
    plain, load = Encoder.encode, Encoder.load_bulk

    def encode(self: Encoder, texts: Sequence[str], **rest: Any) -> Vectors:
        with _timed(told, "embedding_s"):
            return plain(self, texts, **rest)

    def load_bulk(*args: Any, **rest: Any) -> Encoder:
        with _timed(told, "embedding_s"):
            return load(*args, **rest)

    before = {ref.key for ref in store.artifacts("vectors-shard")}
    with mock.patch.object(Encoder, "encode", encode), mock.patch.object(Encoder, "load_bulk", load_bulk):
        began = time.perf_counter()
        made = operations.embed_catalogue(root, Settings(), corpus, encoder)
        told["seconds"] = time.perf_counter() - began
    told["peak_mb"] = _memory_mb()["VmHWM"]
    parts = [key for _, key in store.parts(made)]
    told |= {"segments": len(parts), "new_segments": len(set(parts) - before)}
    card = json.loads((store.fetch(made) / "catalogue.json").read_text(encoding="utf-8"))
    return told | {"songs": card["songs"]}


def forget(root: str, corpus: ArtifactRef) -> None:
    """Remove the catalogue that was made of a corpus, and the segments that it alone has."""
    store = Store(root)
    kept: set[str] = set()
    found = [(ref, store.recipe_of(ref)) for ref in store.artifacts("catalogue")]
    gone = [ref for ref, recipe in found if recipe.inputs["corpus"] == corpus.sha256]
    for ref, _ in found:
        if ref not in gone:
            kept |= {part for _, part in store.parts(ref)}
    for ref in gone:
        for kind, part in store.parts(ref):
            if part not in kept:
                store.remove("artifacts", kind, part)
        store.remove("artifacts", ref.kind, ref.key)


def main() -> None:
    """Measure in a process of its own."""
    what, root, key = sys.argv[1:]
    print(json.dumps(measure_opening(root, key) if what == "open" else measure_adding(root, key)))


if __name__ == "__main__":
    main()
