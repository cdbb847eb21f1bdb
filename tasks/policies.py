"""Every cache key and result policy of the tasks, in one place. Retries and timeouts belong here too.

The cache key of a training task is the recipe key of its artifact, so that the UI shows Cached when the store holds the
result. Prefect checks only its own record; so where the artifact is gone, that record is refreshed.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from prefect import task

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store

P = ParamSpec("P")

#: Options of the tasks of a song: their results are handed on in memory, within one flow run.
SONG_TASK: dict[str, Any] = {"persist_result": False}


def artifact_task(
    recipe_of: Callable[P, Recipe], tags: list[str]
) -> Callable[[Callable[Concatenate[str, P], ArtifactRef]], Callable[Concatenate[str, P], ArtifactRef]]:
    """Make a task of a step that builds an artifact, cached by its recipe.

    Args:
        recipe_of: the step's recipe, from the step's arguments after the store.
        tags: of the task runs.
    """

    def decorate(step: Callable[Concatenate[str, P], ArtifactRef]) -> Callable[Concatenate[str, P], ArtifactRef]:
        # Plain `json` results corrupt dicts with the keys data, result or metadata.
        as_task = task(
            tags=tags, persist_result=True, result_serializer="compressed/json", cache_result_in_memory=False
        )(step)

        @functools.wraps(step)
        def run(store: str, /, *args: P.args, **kwargs: P.kwargs) -> ArtifactRef:
            recipe = recipe_of(*args, **kwargs)
            missing = Store(store).find(recipe.kind, recipe.key) is None
            # A key is the name of a file in Prefect's result storage, which an address is not.
            place = hashlib.sha256(store.encode()).hexdigest()[:12]
            key = f"{recipe.kind}-{recipe.key}-{place}"
            options: Any = as_task.with_options(cache_key_fn=lambda *_: key, refresh_cache=missing)
            ref: ArtifactRef = options(store, *args, **kwargs)
            return ref

        return run

    return decorate
