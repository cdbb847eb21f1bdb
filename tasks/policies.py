"""Every cache and retry policy of the tasks, in one place.

A training task asks the store for the artifact of its recipe. Where it is there and intact, the task run ends as Cached
and nothing is made. The store is the only truth: Prefect keeps no results, so there is none to go stale
(docs/decisions/0020).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, cast

from prefect import task
from prefect.client.schemas.objects import State
from prefect.states import Completed

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from tasks.report import report_cached

P = ParamSpec("P")
Step = Callable[Concatenate[str, P], ArtifactRef]

#: Options of tasks whose results are handed on in memory, within one flow run.
IN_MEMORY: dict[str, Any] = {"persist_result": False}


def artifact_task(
    recipe_of: Callable[P, Recipe], tags: list[str], **options: Any
) -> Callable[[Callable[Concatenate[str, P], ArtifactRef]], Callable[Concatenate[str, P], ArtifactRef]]:
    """Make a task of a step that builds an artifact; a task run whose artifact is stored is Cached.

    Args:
        recipe_of: the step's recipe, from the step's arguments after the store.
        tags: of the task runs.
        options: further options of the task.
    """

    def decorate(step: Callable[Concatenate[str, P], ArtifactRef]) -> Callable[Concatenate[str, P], ArtifactRef]:
        @functools.wraps(step)
        def found_or_made(store: str, /, *args: P.args, **kwargs: P.kwargs) -> ArtifactRef | State[ArtifactRef]:
            recipe, opened = recipe_of(*args, **kwargs), Store(store)
            found = opened.find(recipe.kind, recipe.key)
            if found is not None and opened.is_intact(found):
                report_cached(recipe.kind, recipe.key)
                return Completed(name="Cached", message=f"{recipe.kind} {recipe.key[:12]} is in the store", data=found)
            return step(store, *args, **kwargs)

        as_task: Any = task(tags=tags, **IN_MEMORY, **options)(found_or_made)

        @functools.wraps(step)
        def run(store: str, /, *args: P.args, **kwargs: P.kwargs) -> ArtifactRef:
            outcome = as_task(store, *args, **kwargs)
            return cast(ArtifactRef, outcome.result() if isinstance(outcome, State) else outcome)

        return run

    return decorate
