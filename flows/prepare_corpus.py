"""Prepare a corpus.

Inputs: sources (folders, files of songs, source files, or `songbook`), profile, changes.  Output: ref of a corpus
artifact; its data card is an artifact too.
Pool: cpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.  RHAPSODY_RUNNER spreads the reading.
"""

from __future__ import annotations

import logging

from prefect import flow

import tasks
from flows.forms import NO_CHANGES, SONGBOOK, Order, Profile
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.operations.orders import ordered
from rhapsody_lib.operations.recipes import corpus_recipe
from tasks.names import training_run_name

logger = logging.getLogger(__name__)


@flow(name="prepare-corpus", flow_run_name=training_run_name, persist_result=False)
def prepare_corpus(
    sources: list[str] = SONGBOOK,
    profile: Profile = "fast",
    changes: list[str] = NO_CHANGES,
    store: str = "",
    order: Order = None,
) -> ArtifactRef:
    """Read, clean and split songs into tables, and write their data card.

    Args:
        sources: Folders, files or source files (.toml) that the CPU workers can read; `songbook` is in the package.
        profile: `fast` trains in minutes, `full` until it gets no better.
        changes: Settings that differ from the profile, one a row, such as `lyrics.max_epochs=30`.
        store: Address of the store. Empty: the worker's own (RHAPSODY_STORE).
        order: Filled in by a retraining, and overrules the rest. Leave it empty.
    """
    work = ordered(order, store, profile, changes, sources)
    work.check(corpus_recipe, work.settings, work.sources)
    corpus = tasks.prepare_corpus(work.store, work.settings, work.sources)
    try:
        tasks.make_card(work.store, corpus)
    except MissingExtraError as missing:  # the corpus is there all the same
        logger.warning("No data card was written: %s", missing)
    return corpus
