"""A model is measured on songs that it cannot know, beside a yardstick on the same songs, or the reason is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rhapsody_lib.artifacts import Store
from rhapsody_lib.backing.base import BASE_READ_FILE, save_marks
from rhapsody_lib.backing.dataset import score_mark
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations import backing_figures
from rhapsody_lib.operations.backing_figures import measure_model, read_scores
from rhapsody_lib.release import live_release
from tests.trained import Trained


@pytest.fixture
def corpus(trained: Trained) -> Path:
    store = Store(trained.store)
    return store.fetch(live_release(store).refs["corpus"])


@pytest.fixture
def model(trained: Trained, tmp_path: Path) -> Path:
    store = Store(trained.store)
    return Path(shutil.copytree(store.fetch(live_release(store).refs["backing"]), tmp_path / "model"))


def test_network_and_5gram_are_told_of_the_same_songs(
    model: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_figures, "_MOST_SCORES", 2)  # fewer than the training measured on
    learnt = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    assert learnt["heldout_songs"] > 2
    told = measure_model(model, corpus, 0).heldout
    assert told["nats_per_token"] == learnt["heldout_nll"] != told["nats_per_token_served"]
    assert told["nats_per_token_5gram"] == learnt["ngram_nll"]


def test_songs_that_the_base_has_read_are_not_measured_on(
    model: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_figures, "_MOST_SCORES", 3)
    scores = list(read_scores(corpus, {row["song_id"] for row in read_songs(corpus, "heldout")}, 3))
    assert len(scores) == 3
    marks = [score_mark(score) for _, score in scores]
    save_marks(model / BASE_READ_FILE, marks[:1])
    assert measure_model(model, corpus, 0).corpus["heldout_songs"] == len(scores) - 1
    save_marks(model / BASE_READ_FILE, marks)
    with pytest.raises(
        InputError, match=rf"^0 songs .* has not read \({len(scores)} it has read\).*backing\.base=none"
    ):
        measure_model(model, corpus, 0)


def _diverged(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = load_file(model / "weights.safetensors")
    save_file({name: array * np.float32(np.nan) for name, array in weights.items()}, model / "weights.safetensors")


def _too_long(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhapsody_lib.backing.evaluate.MOST_TOKENS", 10)


@pytest.mark.parametrize(("spoil", "reason"), [(_diverged, "its training diverged"), (_too_long, "is too long")])
def test_what_cannot_be_measured_is_told_before_music_is_written(
    model: Path,
    corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
) -> None:
    spoil(model, monkeypatch)
    with pytest.raises(InputError, match=reason):
        measure_model(model, corpus, 1)
