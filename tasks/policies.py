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
from prefect.runtime import flow_run
from prefect.states import Completed

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.lineage import built_by
from tasks.names import step_name
from tasks.report import report_cached

P = ParamSpec("P")
Step = Callable[Concatenate[str, P], ArtifactRef]

#: Options of tasks whose results are handed on in memory, within one flow run.
IN_MEMORY: dict[str, Any] = {"persist_result": False}


def _this_run() -> dict[str, str]:
    """The flow run that builds an artifact, for its provenance."""
    return {"flow_run": flow_run.get_name() or "", "flow_run_address": flow_run.get_flow_run_ui_url() or ""}


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
            recipe = recipe_of(*args, **kwargs)
            found = Store(store).intact(recipe)
            if found is not None:
                report_cached(recipe.kind, recipe.key)
                return Completed(name="Cached", message=f"{recipe.kind} {recipe.key[:12]} is in the store", data=found)
            with built_by(**_this_run()):
                return step(store, *args, **kwargs)

        as_task: Any = task(tags=tags, **IN_MEMORY, **options)(found_or_made)

        @functools.wraps(step)
        def run(store: str, /, *args: P.args, **kwargs: P.kwargs) -> ArtifactRef:
            recipe = recipe_of(*args, **kwargs)
            named = as_task.with_options(task_run_name=step_name(recipe.kind, recipe.key))
            outcome = named(store, *args, **kwargs)
            return cast(ArtifactRef, outcome.result() if isinstance(outcome, State) else outcome)

        return run

    return decorate
