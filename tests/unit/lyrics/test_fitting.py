"""The loop of training on songs of a few tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.lyrics import fitting
from rhapsody_lib.lyrics.alternatives import ALTERNATIVES
from rhapsody_lib.lyrics.checkpoint import load_state
from rhapsody_lib.lyrics.fitting import Fitted, Task, fit
from rhapsody_lib.lyrics.song_tokens import SongTokens
from rhapsody_lib.progress import Progress, silent, unrecorded
from rhapsody_lib.settings import LyricsSettings

TINY = LyricsSettings(
    embedding_size=8, hidden_size=12, dropout=0.5, streams=2, steps=8, max_epochs=2, patience=2, learning_rate=0.02
)


class KilledError(Exception):
    """Stands for the end of a worker."""


def task_of(songs: Sequence[Sequence[int]], folder: Path, size: int, settings: LyricsSettings = TINY) -> Task:
    train, heldout = (
        SongTokens.write((np.array(song, np.int32) for song in split), folder / name)
        for name, split in (("train", songs), ("heldout", ()))
    )
    return Task(train, heldout, size, settings, seed=1)


def fitted(task: Task, folder: Path, progress: Progress = silent) -> Fitted:
    return fit(task, Checkpoint.local(folder), "recipe", progress, unrecorded)


def test_epochs_of_two_batches_are_averaged_too(tmp_path: Path) -> None:
    task = task_of([np.arange(33) % 10], tmp_path, 10, TINY.model_copy(update={"weight_average": 0.9}))
    checkpoint = tmp_path / "whole"
    whole = fitted(task, checkpoint)
    state = load_state(Checkpoint.local(checkpoint), "recipe")
    assert state is not None
    assert state.progressed.averaged == 2
    assert [one.tobytes() for one in whole.best] == [one.tobytes() for one in state.average]
    assert state.average[0].tobytes() != state.weights[0].tobytes()

    def die(*_: object) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        fitted(task, tmp_path / "killed", die)
    again = fitted(task, tmp_path / "killed")
    assert again.progressed == whole.progressed
    assert [one.tobytes() for one in again.best] == [one.tobytes() for one in whole.best]


def test_a_corpus_s_own_words_are_alternatives_as_often_as_they_occur(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the last of a vocabulary that a base begins."""
    size = 4 * ALTERNATIVES
    settings = TINY.model_copy(update={"softmax": "sampled", "max_epochs": 1})
    task = task_of([[size - 1] * 9 + [size - 2] * 7, [5, 4, 4, size - 2]], tmp_path, size, settings)
    assert task.by_count[:5].tolist() == [size - 1, size - 2, 4, 5, 0]
    drawn: list[set[int]] = []

    def choose(network: Any, *args: Any) -> None:
        choose_alternatives(network, *args)
        drawn.append(set(np.asarray(network.get_layer("scores").alternatives).tolist()))

    choose_alternatives = fitting.choose_alternatives
    monkeypatch.setattr(fitting, "choose_alternatives", choose)
    fitted(task, tmp_path / "state")
    assert drawn
    assert all({size - 1, size - 2, 4} <= words for words in drawn)
