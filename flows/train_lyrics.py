"""Train the lyrics model.

Inputs: sources, settings.  Output: ref of a lyrics artifact.  Prepares the corpus first unless it is in the store.
Pool: gpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from prefect import flow

import tasks
from rhapsody_lib.artifacts import ArtifactRef, default_root
from rhapsody_lib.settings import Settings


@flow(name="train-lyrics")
def train_lyrics(sources: list[str] | None = None, settings: Settings | None = None, store: str = "") -> ArtifactRef:
    """Train the lyrics LSTM on a corpus."""
    store, settings = store or default_root(), settings or Settings()
    corpus = tasks.prepare_corpus(store, settings, tuple(sources or ["songbook"]))
    return tasks.train_lyrics(store, settings, corpus)
