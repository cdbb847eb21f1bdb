"""The training steps: what each artifact is made from (its recipe) and how it is made.

Each step takes the address of the store, the settings and the refs of its inputs, and returns a ref. Nothing is made
twice.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store, canonical_json
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.progress import reporter
from rhapsody_lib.release import Release, publish_release, readable_releases, release_numbers
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings

logger = logging.getLogger(__name__)

#: Raised whenever a stage gives other results from the same settings and inputs.
STAGE_VERSIONS = {"corpus": 1, "lyrics": 1, "encoder": 1, "catalogue": 1, "backing": 1}
METRICS_FILE = "metrics.json"


def corpus_recipe(settings: Settings, sources: Sequence[str]) -> Recipe:
    """Recipe of the prepared corpus: its settings and the contents of its sources, in order."""
    from rhapsody_lib.corpus.language import check_language
    from rhapsody_lib.corpus.prepare import source_fingerprint

    check_language(settings.corpus.language)  # before the sources are read for their fingerprints
    inputs = {f"source-{index}": source_fingerprint(source) for index, source in enumerate(sources)}
    values = {"corpus": settings.corpus.model_dump(mode="json"), "seed": settings.seed}
    return Recipe("corpus", STAGE_VERSIONS["corpus"], values, inputs)


def lyrics_recipe(settings: Settings, corpus: ArtifactRef) -> Recipe:
    """Recipe of the lyrics model."""
    values = {"lyrics": settings.lyrics.model_dump(mode="json"), "seed": settings.seed}
    return Recipe("lyrics", STAGE_VERSIONS["lyrics"], values, {"corpus": corpus.sha256})


def encoder_recipe(settings: Settings) -> Recipe:
    """Recipe of the exported sentence encoder: its settings, and the contents of a model given as a folder."""
    values = {"encoder": settings.encoder.model_dump(mode="json")}
    folder = Path(settings.encoder.model).expanduser()
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    inputs = {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}
    return Recipe("encoder", STAGE_VERSIONS["encoder"], values, inputs)


def catalogue_recipe(settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> Recipe:
    """Recipe of the embedded catalogue."""
    values = {"catalogue": settings.catalogue.model_dump(mode="json")}
    inputs = {"corpus": corpus.sha256, "encoder": encoder.sha256}
    return Recipe("catalogue", STAGE_VERSIONS["catalogue"], values, inputs)


def backing_recipe(settings: Settings, corpus: ArtifactRef) -> Recipe:
    """Recipe of the backing model."""
    values = {"backing": settings.backing.model_dump(mode="json"), "seed": settings.seed}
    return Recipe("backing", STAGE_VERSIONS["backing"], values, {"corpus": corpus.sha256})


def prepare_corpus(store: str, settings: Settings, sources: Sequence[str]) -> ArtifactRef:
    """Read, clean and split the sources into `songs`, `tracks` and `rejects` tables."""
    from rhapsody_lib.corpus import prepare

    def make(folder: Path) -> None:
        seed = split_seed(settings.seed, "corpus")
        prepare.prepare_corpus(sources, folder, settings.corpus, seed=seed, progress=reporter("Preparing songs"))

    return Store(store).build(corpus_recipe(settings, sources), make)


def train_lyrics(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the lyrics LSTM (Keras) and export its weights."""
    opened, recipe = Store(store), lyrics_recipe(settings, corpus)

    def make(folder: Path) -> None:
        from rhapsody_lib.lyrics.training import train_lyrics as train

        checkpoint, seed = opened.checkpoint(recipe), split_seed(settings.seed, "lyrics")
        songs, progress = opened.fetch(corpus), reporter("Training lyrics")
        train(songs, folder, checkpoint, settings.lyrics, seed=seed, progress=progress)

    return opened.build(recipe, make)


def train_encoder(store: str, settings: Settings) -> ArtifactRef:
    """Take the sentence encoder by its name and export it for serving."""

    def make(folder: Path) -> None:
        from rhapsody_lib.retrieval.encoder import build_encoder

        build_encoder(folder, settings.encoder, progress=reporter("Exporting encoder"))

    return Store(store).build(encoder_recipe(settings), make)


def embed_catalogue(store: str, settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> ArtifactRef:
    """Embed the lyrics of every song of the corpus."""
    opened = Store(store)

    def make(folder: Path) -> None:
        from rhapsody_lib.retrieval import catalogue

        songs, served = opened.fetch(corpus), opened.fetch(encoder)
        catalogue.embed_catalogue(songs, served, folder, settings.catalogue, progress=reporter("Embedding catalogue"))

    return opened.build(catalogue_recipe(settings, corpus, encoder), make)


def train_backing(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the backing GRU (PyTorch) and export its weights."""
    opened, recipe = Store(store), backing_recipe(settings, corpus)

    def make(folder: Path) -> None:
        from rhapsody_lib.backing.training import train_backing as train

        checkpoint, seed = opened.checkpoint(recipe), split_seed(settings.seed, "backing")
        tracks, progress = opened.fetch(corpus), reporter("Training backing")
        train(tracks, folder, checkpoint, settings.backing, seed=seed, progress=progress)

    return opened.build(recipe, make)


def figures_of(store: str, refs: Mapping[str, ArtifactRef]) -> dict[str, Any]:
    """The held-out figures that each artifact was stored with, by kind."""
    opened = Store(store)
    figures: dict[str, Any] = {}
    for kind, ref in refs.items():
        path = opened.fetch(ref) / METRICS_FILE
        if path.is_file():
            figures[kind] = json.loads(path.read_text(encoding="utf-8"))
    return figures


def release_models(store: str, refs: Mapping[str, ArtifactRef], reason: str) -> Release:
    """Publish the artifacts as the live release, unless the live release is these very artifacts."""
    opened = Store(store)
    digest = hashlib.sha256(canonical_json({kind: ref.sha256 for kind, ref in refs.items()}).encode()).hexdigest()
    numbers, (readable, _) = release_numbers(opened), readable_releases(opened)
    if readable and readable[-1].number == numbers[-1] and readable[-1].recipe_sha256 == digest:
        logger.info("Release %d is these very models: nothing to publish.", numbers[-1])
        return readable[-1]
    return publish_release(opened, refs, figures_of(store, refs), reason=reason, recipe_sha256=digest)


def release_made_from(store: Store, settings: Settings, sources: Sequence[str]) -> Release | None:
    """The newest release whose every artifact has the recipe of these settings and sources; None if there is none."""
    corpus_key = corpus_recipe(settings, sources).key
    releases, _ = readable_releases(store)
    for release in reversed(releases):
        refs = release.refs
        if refs["corpus"].key != corpus_key:
            continue
        recipes = (
            lyrics_recipe(settings, refs["corpus"]),
            encoder_recipe(settings),
            catalogue_recipe(settings, refs["corpus"], refs["encoder"]),
            backing_recipe(settings, refs["corpus"]),
        )
        if all(refs[recipe.kind].key == recipe.key for recipe in recipes):
            return release
    return None
