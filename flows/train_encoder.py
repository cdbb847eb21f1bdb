"""Make the sentence encoder ready to serve.

Inputs: settings.  Output: ref of an encoder artifact (ONNX).
Pool: gpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables; HF_HOME and HF_TOKEN for models from a hub.
"""

from __future__ import annotations

from prefect import flow

import tasks
from rhapsody_lib.artifacts import ArtifactRef, default_root
from rhapsody_lib.settings import Settings


@flow(name="train-encoder")
def train_encoder(settings: Settings | None = None, store: str = "") -> ArtifactRef:
    """Export the sentence encoder."""
    return tasks.train_encoder(store or default_root(), settings or Settings())
