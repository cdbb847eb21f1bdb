"""The training steps as Prefect tasks: same names, same arguments; a step whose artifact is stored is Cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from prefect import task

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.drift import CorpusVerdict
from rhapsody_lib.gate import Verdict
from rhapsody_lib.operations import recipes
from rhapsody_lib.operations.data_card import PAGE_FILE, card_recipe, read_card
from rhapsody_lib.release import Release
from rhapsody_lib.settings import Settings
from tasks.names import release_step_name
from tasks.policies import IN_MEMORY, artifact_task
from tasks.report import report_corpus, report_release, report_training, report_verdict, run_page
from tasks.report_data import report_card, report_drift
from tasks.runners import configured_runner, spread_over

T = TypeVar("T")


def at_once(*branches: Callable[[], T]) -> list[T]:
    """Run branches one after another: in one process they would only slow one another down."""
    return operations.at_once(*branches)


def _figures(store: str, ref: ArtifactRef) -> Mapping[str, Any]:
    found: Mapping[str, Any] = operations.figures_of(store, {ref.kind: ref}).get(ref.kind, {})
    return found


@artifact_task(recipes.corpus_recipe, tags=["cpu"])
def prepare_corpus(store: str, settings: Settings, sources: Sequence[str]) -> ArtifactRef:
    """Read, clean and split the sources."""
    with run_page("prepare-corpus"):
        ref = operations.prepare_corpus(store, settings, sources, spread=spread_over(configured_runner()))
    report_corpus(operations.corpus_summary(store, ref))
    return ref


@artifact_task(card_recipe, tags=["cpu"])
def make_card(store: str, corpus: ArtifactRef) -> ArtifactRef:
    """Count and check a prepared corpus, and write its data card."""
    with run_page("data-card"):
        ref = operations.make_card(store, corpus)
    report_card(read_card(store, ref), str(Store(store).fetch(ref) / PAGE_FILE))
    return ref


@task(task_run_name="check corpus {corpus.key:.8}", tags=["cpu"], **IN_MEMORY)
def check_corpus(store: str, settings: Settings, corpus: ArtifactRef, compare: bool = True) -> CorpusVerdict:
    """Hold a corpus against the live release's before anything is trained on it, and show every figure."""
    verdict = operations.check_corpus(store, settings, corpus, compare)
    report_drift(verdict)
    return verdict


@artifact_task(recipes.lyrics_recipe, tags=["gpu"])
def train_lyrics(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the lyrics LSTM."""
    with run_page("train-lyrics"):
        ref = operations.train_lyrics(store, settings, corpus)
    report_training("lyrics", _figures(store, ref))
    return ref


@artifact_task(recipes.encoder_recipe, tags=["gpu"])
def train_encoder(store: str, settings: Settings, corpus: ArtifactRef | None = None) -> ArtifactRef:
    """Make the sentence encoder ready to serve, tuned on a corpus if the settings say so."""
    with run_page("train-encoder"):
        ref = operations.train_encoder(store, settings, corpus)
    if settings.encoder.tunes:
        report_training("encoder", _figures(store, ref))
    return ref


@artifact_task(recipes.catalogue_recipe, tags=["gpu"])
def embed_catalogue(store: str, settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> ArtifactRef:
    """Embed the catalogue."""
    with run_page("embed-catalogue"):
        ref = operations.embed_catalogue(store, settings, corpus, encoder, spread=spread_over(configured_runner()))
    report_training("catalogue", _figures(store, ref))
    return ref


@artifact_task(recipes.backing_recipe, tags=["cpu"])
def train_backing(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the backing GRU."""
    with run_page("train-backing"):
        ref = operations.train_backing(store, settings, corpus)
    report_training("backing", _figures(store, ref))
    return ref


@task(
    task_run_name="evaluate lyrics {candidate[lyrics].key:.8}, backing {candidate[backing].key:.8}",
    tags=["cpu"],
    **IN_MEMORY,
)
def evaluate_models(
    store: str, candidate: Mapping[str, ArtifactRef], live: Mapping[str, ArtifactRef] | None
) -> ArtifactRef:
    """Measure candidate and live release on the same held-out songs."""
    with run_page("evaluate"):
        return operations.evaluate_models(store, candidate, live)


@task(task_run_name="gate {evaluation.key:.8}", tags=["cpu"], **IN_MEMORY)
def check_gate(store: str, evaluation: ArtifactRef, settings: Settings) -> Verdict:
    """Compare the candidate with the live release and show every figure."""
    verdict = operations.check_gate(store, evaluation, settings)
    report_verdict(verdict)
    return verdict


@task(task_run_name=release_step_name, tags=["cpu"], **IN_MEMORY)
def release_models(
    store: str,
    refs: Mapping[str, ArtifactRef],
    reason: str,
    evaluation: ArtifactRef | None = None,
    after: int | None = None,
) -> Release:
    """Publish the release and show its figures on the run's page."""
    release = operations.release_models(store, refs, reason, evaluation, after)
    report_release(release)
    return release
