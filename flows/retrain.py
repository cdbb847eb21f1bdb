"""Retrain everything and release it.

Inputs: sources, settings.  Output: the release that is live afterwards.  What was made from the same before is Cached.
Pool: cpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from prefect import flow

import tasks
from rhapsody_lib.artifacts import default_root
from rhapsody_lib.operations.pipelines import train_all
from rhapsody_lib.release import Release
from rhapsody_lib.settings import Settings


@flow(name="retrain", persist_result=False)
def retrain(
    sources: list[str] | None = None, settings: Settings | None = None, store: str = "", reason: str = "retrain"
) -> Release:
    """Prepare, train the three stages, embed the catalogue, release."""
    return train_all(tasks, store or default_root(), settings or Settings(), sources or ["songbook"], reason)
