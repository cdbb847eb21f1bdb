"""Make the sentence encoder ready to serve: tuned on songs if the settings say so, exported to ONNX.

Inputs: sources, profile, changes; or an order of a retraining.  Output: ref of an encoder artifact (ONNX).
Pool: gpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables; HF_HOME and HF_TOKEN for models from a hub.
"""

from __future__ import annotations

from prefect import flow

import tasks
import tasks.pools
from flows.forms import NO_CHANGES, SONGBOOK, Order, Profile
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations.orders import ordered
from rhapsody_lib.operations.recipes import encoder_recipe
from tasks.names import training_run_name


@flow(name="train-encoder", flow_run_name=training_run_name, persist_result=False)
def train_encoder(
    sources: list[str] = SONGBOOK,
    profile: Profile = "fast",
    changes: list[str] = NO_CHANGES,
    store: str = "",
    order: Order = None,
) -> ArtifactRef:
    """Make the sentence encoder ready to serve. To tune it, a corpus is prepared first unless it is stored.

    Args:
        sources: Folders or files of songs that the CPU workers can read; `songbook` is the one in the package.
        profile: `fast` trains in minutes, `full` until it gets no better.
        changes: Settings that differ from the profile, one a row, such as `encoder.tuning=pairs`.
        store: Address of the store. Empty: the worker's own (RHAPSODY_STORE).
        order: Filled in by a retraining, and overrules the rest. Leave it empty.
    """
    work = ordered(order, store, profile, changes, sources)
    corpus = work.corpus
    if corpus is None and work.settings.encoder.tunes:
        corpus = tasks.pools.prepare_corpus(work.store, work.settings, work.sources)
    work.check(encoder_recipe, work.settings, corpus)
    return tasks.train_encoder(work.store, work.settings, corpus)
