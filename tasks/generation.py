"""The steps of a song as Prefect tasks: same names, same arguments. Results are handed on in memory, within one run.

None has a tag: before a tagged task begins, Prefect asks the server for a slot of the tag's concurrency limit, whether
there is a limit or not, and a server that is writing answers seconds later.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task

from rhapsody_lib import operations
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.release import Release
from rhapsody_lib.settings import SongSettings
from tasks.names import song_step_name
from tasks.policies import IN_MEMORY
from tasks.report import logged_progress


@task(task_run_name=song_step_name, **IN_MEMORY)
def write_lyrics(store: str, release: Release, request: SongSettings) -> Any:
    """Write lyrics that open with the prompt."""
    with logged_progress():
        return operations.write_lyrics(store, release, request)


@task(task_run_name=song_step_name, **IN_MEMORY)
def find_match(store: str, release: Release, draft: Any, request: SongSettings | None = None) -> Any:
    """Find the catalogue songs with the most similar lyrics."""
    with logged_progress():
        return operations.find_match(store, release, draft, request)


@task(task_run_name=song_step_name, **IN_MEMORY)
def compose_backing(store: str, release: Release, request: SongSettings, draft: Any, matches: Any) -> Any:
    """Write new music, primed with the match."""
    with logged_progress():
        return operations.compose_backing(store, release, request, draft, matches)


@task(task_run_name=song_step_name, **IN_MEMORY)
def write_song(
    release: Release, request: SongSettings, draft: Any, matches: Any, composition: Any, out: Path
) -> SongResult:
    """Fit the words to the melody and write the files."""
    with logged_progress():
        return operations.write_song(release, request, draft, matches, composition, out)
