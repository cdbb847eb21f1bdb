"""A worker that trains over a shared store until it is killed: SIGKILL to itself, at a known moment.

The lyrics worker dies once its first epoch is saved, the backing worker in the middle of its second.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from pydantic import BaseModel

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.settings import BackingSettings, LyricsSettings

REPOSITORY = Path(__file__).parent.parent


def checkpoint_of(kind: str, store: str, scratch: Path) -> Checkpoint:
    """The checkpoint of the one training of a kind, as a worker with this scratch folder sees it."""
    return Checkpoint.of(Store(store, scratch=scratch), Recipe(kind, 1, {}, {}))


def train_until_killed(kind: str, corpus: Path, store: str, scratch: Path, settings: BaseModel, *, seed: int) -> None:
    """Train in another process, which does not survive it."""
    arguments = [kind, str(corpus), store, str(scratch), settings.model_dump_json(), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    worker = subprocess.run(
        [sys.executable, "-m", "tests.killed", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _main(kind: str, corpus: str, store: str, scratch: str, settings: str, seed: str) -> None:
    checkpoint, out = checkpoint_of(kind, store, Path(scratch)), Path(scratch) / "model"
    if kind == "lyrics":
        from rhapsody_lib.lyrics.training import train_lyrics

        lyrics = LyricsSettings.model_validate_json(settings)
        train_lyrics(Path(corpus), out, checkpoint, lyrics, seed=int(seed), record=lambda *_: _die())
    else:
        from rhapsody_lib.backing.training import train_backing

        backing = BackingSettings.model_validate_json(settings)

        def die_midway(done: int, total: int, note: str = "") -> None:
            if done > 1.5 * total / backing.max_epochs:
                _die()

        train_backing(Path(corpus), out, checkpoint, backing, seed=int(seed), progress=die_midway)


if __name__ == "__main__":
    _main(*sys.argv[1:])
