"""Prepare a corpus.

Inputs: sources (folders or files of songs, or `songbook`), settings.  Output: ref of a corpus artifact.
Pool: cpu-pool.  Environment: RHAPSODY_STORE; for s3:// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL.
"""

from __future__ import annotations

from prefect import flow

import tasks
from rhapsody_lib.artifacts import ArtifactRef, default_root
from rhapsody_lib.settings import Settings


@flow(name="prepare-corpus")
def prepare_corpus(sources: list[str] | None = None, settings: Settings | None = None, store: str = "") -> ArtifactRef:
    """Read, clean and split songs into tables."""
    return tasks.prepare_corpus(store or default_root(), settings or Settings(), tuple(sources or ["songbook"]))
