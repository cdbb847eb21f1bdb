"""The steps that go through every song: reading the sources into tables, embedding the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.operations.recipes import catalogue_recipe, corpus_recipe
from rhapsody_lib.progress import reporter
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings


def prepare_corpus(store: str, settings: Settings, sources: Sequence[str]) -> ArtifactRef:
    """Read, clean and split the sources into `songs`, `tracks` and `rejects` tables."""
    from rhapsody_lib.corpus import prepare

    def make(folder: Path) -> None:
        seed = split_seed(settings.seed, "corpus")
        prepare.prepare_corpus(sources, folder, settings.corpus, seed=seed, progress=reporter("Preparing songs"))

    return Store(store).build(corpus_recipe(settings, sources), make)


def embed_catalogue(store: str, settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> ArtifactRef:
    """Embed the lyrics of every song of the corpus."""
    opened = Store(store)

    def make(folder: Path) -> None:
        from rhapsody_lib.retrieval import catalogue

        songs, served = opened.fetch(corpus), opened.fetch(encoder)
        catalogue.embed_catalogue(songs, served, folder, settings.catalogue, progress=reporter("Embedding catalogue"))

    return opened.build(catalogue_recipe(settings, corpus, encoder), make)
