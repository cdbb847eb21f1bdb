"""The training steps as Prefect tasks: same names, same arguments, cached by recipe key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prefect import task

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations import recipes
from rhapsody_lib.release import Release
from rhapsody_lib.settings import Settings
from tasks.policies import SONG_TASK, artifact_task
from tasks.report import logged_progress, report_release


@artifact_task(recipes.corpus_recipe, tags=["cpu"])
def prepare_corpus(store: str, settings: Settings, sources: Sequence[str]) -> ArtifactRef:
    """Read, clean and split the sources."""
    with logged_progress():
        return operations.prepare_corpus(store, settings, sources)


@artifact_task(recipes.lyrics_recipe, tags=["gpu"])
def train_lyrics(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the lyrics LSTM."""
    with logged_progress():
        return operations.train_lyrics(store, settings, corpus)


@artifact_task(recipes.encoder_recipe, tags=["gpu"])
def train_encoder(store: str, settings: Settings) -> ArtifactRef:
    """Export the sentence encoder."""
    with logged_progress():
        return operations.train_encoder(store, settings)


@artifact_task(recipes.catalogue_recipe, tags=["gpu"])
def embed_catalogue(store: str, settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> ArtifactRef:
    """Embed the catalogue."""
    with logged_progress():
        return operations.embed_catalogue(store, settings, corpus, encoder)


@artifact_task(recipes.backing_recipe, tags=["cpu"])
def train_backing(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the backing GRU."""
    with logged_progress():
        return operations.train_backing(store, settings, corpus)


@task(**SONG_TASK)
def release_models(store: str, refs: Mapping[str, ArtifactRef], reason: str) -> Release:
    """Publish the release and show its figures on the run's page."""
    release = operations.release_models(store, refs, reason)
    report_release(release)
    return release
