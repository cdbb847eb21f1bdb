"""The training steps where workers do the training: each step starts a run of its stage's deployment and waits for it.

Same names, same arguments as `tasks`, so that `pipelines.train_all` composes either. What the store holds already is
Cached here, without a run. A run that crashed with its worker is started again and goes on from its last epoch.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import tasks
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError, StageFailedError
from rhapsody_lib.operations.orders import StageOrder, versions
from rhapsody_lib.operations.recipes import (
    backing_recipe,
    catalogue_recipe,
    corpus_recipe,
    encoder_recipe,
    lyrics_recipe,
)
from rhapsody_lib.optional import is_installed
from rhapsody_lib.settings import Settings
from tasks.names import step_name
from tasks.policies import artifact_task
from tasks.runs import follow, start_run

__all__ = [
    "at_once",
    "check_corpus",
    "check_gate",
    "embed_catalogue",
    "evaluate_models",
    "prepare_corpus",
    "release_models",
    "train_backing",
    "train_encoder",
    "train_lyrics",
]

T = TypeVar("T")
#: A stage whose run crashed with its worker is started again so many times, after so many seconds.
RETRIES, RETRY_DELAYS_S = 3, [5, 30, 120]
check_corpus, check_gate = tasks.check_corpus, tasks.check_gate
evaluate_models, release_models = tasks.evaluate_models, tasks.release_models


class CrashedRunError(StageFailedError):
    """The run of a stage ended with its process or worker, not by an error of its own."""


def _crashed(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a step is worth another try: only where its run crashed."""
    return isinstance(state.result(raise_on_failure=False), CrashedRunError)


_RETRIES: dict[str, Any] = {
    "retries": RETRIES,
    "retry_delay_seconds": RETRY_DELAYS_S,
    "retry_condition_fn": _crashed,
}


def at_once(*branches: Callable[[], T]) -> list[T]:
    """Run branches at the same time, each in a thread of its own; all end before the first error is raised."""
    with ThreadPoolExecutor(len(branches)) as pool:
        futures = [pool.submit(contextvars.copy_context().run, branch) for branch in branches]
    return [future.result() for future in futures]


def _made_by(deployment: str, store: str, recipe: Recipe, settings: Settings, **inputs: Any) -> ArtifactRef:
    """The artifact of a recipe, made by a run of a deployment.

    Raises:
        CrashedRunError: the run's process or worker died.
        DamagedArtifactError: an input turned out damaged and was set aside.
        StageFailedError: the run ended in any other way, or did not make what was asked for.
    """
    order = StageOrder(settings=settings.model_dump(mode="json"), key=recipe.key, versions=versions(), **inputs)
    name = step_name(deployment.partition("/")[0], recipe.key)
    run = start_run(deployment, {"store": store, "order": order.model_dump(mode="json")}, name, recipe.key)
    state = follow(UUID(str(run.id)), f"{deployment} ({name})")
    opened = Store(store)
    if state.is_completed():
        found = opened.find(recipe.kind, recipe.key)
        if found is not None:
            return found
        raise StageFailedError(f"{deployment} ({name}) completed, but {store} does not hold what it made.")
    gone = [ref.kind for ref in order.inputs() if opened.find(ref.kind, ref.key) != ref]
    if gone:
        raise DamagedArtifactError(f"{deployment} ({name}): its input was damaged ({', '.join(gone)}).")
    message = f"{deployment} ({name}) ended {state.name}: {state.message or 'no message'}"
    raise CrashedRunError(message) if state.is_crashed() else StageFailedError(message)


def prepare_corpus(store: str, settings: Settings, sources: Sequence[str]) -> ArtifactRef:
    """Read, clean and split the sources: here if this worker can, otherwise on the CPU pool."""
    if is_installed("lingua") and is_installed("symusic"):
        return tasks.prepare_corpus(store, settings, sources)
    return _prepare_elsewhere(store, settings, sources)


@artifact_task(corpus_recipe, tags=["cpu"], **_RETRIES)
def _prepare_elsewhere(store: str, settings: Settings, sources: Sequence[str]) -> ArtifactRef:
    """Read, clean and split the sources on the CPU pool."""
    recipe = corpus_recipe(settings, sources)
    return _made_by("prepare-corpus/adhoc", store, recipe, settings, sources=list(sources))


@artifact_task(lyrics_recipe, tags=["gpu"], **_RETRIES)
def train_lyrics(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the lyrics LSTM on the GPU pool."""
    return _made_by("train-lyrics/adhoc", store, lyrics_recipe(settings, corpus), settings, corpus=corpus)


@artifact_task(encoder_recipe, tags=["gpu"], **_RETRIES)
def train_encoder(store: str, settings: Settings, corpus: ArtifactRef | None = None) -> ArtifactRef:
    """Tune and export the sentence encoder on the GPU pool; the corpus is handed on only to one that is tuned."""
    inputs = {"corpus": corpus} if settings.encoder.tunes else {}
    return _made_by("train-encoder/adhoc", store, encoder_recipe(settings, corpus), settings, **inputs)


@artifact_task(catalogue_recipe, tags=["gpu"], **_RETRIES)
def embed_catalogue(store: str, settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> ArtifactRef:
    """Embed the catalogue on the GPU pool."""
    recipe = catalogue_recipe(settings, corpus, encoder)
    return _made_by("embed-catalogue/adhoc", store, recipe, settings, corpus=corpus, encoder=encoder)


@artifact_task(backing_recipe, tags=["cpu"], **_RETRIES)
def train_backing(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the backing GRU on the CPU pool."""
    return _made_by("train-backing/adhoc", store, backing_recipe(settings, corpus), settings, corpus=corpus)
