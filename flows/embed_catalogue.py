"""Embed the catalogue.

Inputs: sources, settings.  Output: ref of a catalogue artifact.  Makes corpus and encoder first unless they are stored.
Pool: gpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from prefect import flow

import tasks
from rhapsody_lib.artifacts import ArtifactRef, default_root
from rhapsody_lib.settings import Settings


@flow(name="embed-catalogue")
def embed_catalogue(sources: list[str] | None = None, settings: Settings | None = None, store: str = "") -> ArtifactRef:
    """Embed the lyrics of every song."""
    store, settings = store or default_root(), settings or Settings()
    corpus = tasks.prepare_corpus(store, settings, tuple(sources or ["songbook"]))
    encoder = tasks.train_encoder(store, settings)
    return tasks.embed_catalogue(store, settings, corpus, encoder)
