"""Make a song.

Inputs: a request (prompt, seed, title, key, tempo ...), the number of a release (the live one by default), a folder.
Output: the words, the matches, and where the files are.
Pool: cpu-pool.  Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow

import tasks
from rhapsody_lib.artifacts import Store, default_root
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.operations.pipelines import make_song
from rhapsody_lib.operations.requests import check_out, default_folder
from rhapsody_lib.release import live_release, read_release
from rhapsody_lib.settings import SongSettings


@flow(name="generate-song", persist_result=False)
def generate_song(request: SongSettings, store: str = "", release: int | None = None, out: str = "") -> SongResult:
    """Write the words, find the matched song, write the music, write the files."""
    store = store or default_root()
    opened = Store(store)
    chosen = live_release(opened) if release is None else read_release(opened, release)
    folder = check_out(Path(out) if out else default_folder(request), audio=request.audio)
    return make_song(tasks, store, chosen, request, folder)
