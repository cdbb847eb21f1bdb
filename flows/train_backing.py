"""Train the backing model.

Inputs: sources, settings.  Output: ref of a backing artifact.  Prepares the corpus first unless it is in the store.
Pool: cpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from prefect import flow

import tasks
from rhapsody_lib.artifacts import ArtifactRef, default_root
from rhapsody_lib.settings import Settings


@flow(name="train-backing")
def train_backing(sources: list[str] | None = None, settings: Settings | None = None, store: str = "") -> ArtifactRef:
    """Train the backing GRU on a corpus."""
    store, settings = store or default_root(), settings or Settings()
    corpus = tasks.prepare_corpus(store, settings, tuple(sources or ["songbook"]))
    return tasks.train_backing(store, settings, corpus)
