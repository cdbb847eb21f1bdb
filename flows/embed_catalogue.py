"""Embed the catalogue.

Inputs: sources, profile, changes; or an order of a retraining.  Output: ref of a catalogue artifact.
Pool: gpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.  RHAPSODY_RUNNER spreads the embedding.
"""

from __future__ import annotations

from prefect import flow

import tasks
import tasks.pools
from flows.forms import NO_CHANGES, SONGBOOK, Order, Profile
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations.orders import ordered
from rhapsody_lib.operations.recipes import catalogue_recipe
from tasks.names import training_run_name


@flow(name="embed-catalogue", flow_run_name=training_run_name, persist_result=False)
def embed_catalogue(
    sources: list[str] = SONGBOOK,
    profile: Profile = "fast",
    changes: list[str] = NO_CHANGES,
    store: str = "",
    order: Order = None,
) -> ArtifactRef:
    """Embed the lyrics of every song. Corpus and encoder are made first unless they are stored.

    Args:
        sources: Folders or files of songs that the CPU workers can read; `songbook` is the one in the package.
        profile: `fast` trains in minutes, `full` until it gets no better.
        changes: Settings that differ from the profile, one a row, such as `lyrics.max_epochs=30`.
        store: Address of the store. Empty: the worker's own (RHAPSODY_STORE).
        order: Filled in by a retraining, and overrules the rest. Leave it empty.
    """
    work = ordered(order, store, profile, changes, sources)
    corpus = work.corpus or tasks.pools.prepare_corpus(work.store, work.settings, work.sources)
    encoder = work.encoder or tasks.train_encoder(work.store, work.settings, corpus)
    work.check(catalogue_recipe, work.settings, corpus, encoder)
    return tasks.embed_catalogue(work.store, work.settings, corpus, encoder)
