"""What runs are called on the dashboard: what they do, and to what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from prefect.runtime import flow_run, task_run

MAX_NAME_CHARACTERS, KEY_CHARACTERS = 60, 8


def shortened(text: str, characters: int = MAX_NAME_CHARACTERS) -> str:
    """The text on one line, cut at the end."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"


def step_name(kind: str, key: str) -> str:
    """Name of a run that makes an artifact, such as `lyrics 1a2b3c4d`."""
    return f"{kind} {key[:KEY_CHARACTERS]}"


def song_run_name() -> str:
    """Name of a run of `generate-song`, such as `song: the sky is blue (seed 0)`."""
    parameters = flow_run.get_parameters()
    return f"song: {shortened(str(parameters.get('prompt', '')))} (seed {parameters.get('seed', 0)})"


def song_step_name() -> str:
    """Name of the run of a step of a song, such as `write_lyrics: the sky is blue (seed 0)`."""
    parameters = task_run.get_parameters()
    request, name = parameters.get("request"), task_run.get_task_name()
    return f"{name}: {shortened(request.prompt)} (seed {request.seed})" if request else str(name)


def release_step_name() -> str:
    """Name of the run that publishes a release, such as `release: weekly`."""
    return f"release: {shortened(str(task_run.get_parameters().get('reason', '')))}"


def training_run_name() -> str:
    """Name of a run that trains, such as `retrain: fast, songbook`, or `train-lyrics 1a2b3c4d` where it was ordered."""
    parameters, name = flow_run.get_parameters(), flow_run.get_flow_name()
    order = parameters.get("order")
    if order:
        return step_name(str(name), str(order.get("key", "")))
    return f"{name}: {shortened(', '.join(_asked_for(parameters)))}"


def _asked_for(parameters: Mapping[str, Any]) -> list[str]:
    sources: Sequence[str] = parameters.get("sources") or []
    # The last part of a folder's address tells more than its beginning.
    found = [PurePosixPath(source).name or source for source in sources]
    changes: Sequence[str] = parameters.get("changes") or []
    return [str(parameters.get("profile", "")), *found, *changes]
