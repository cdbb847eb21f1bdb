from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.decoder import write_lyrics
from rhapsody_lib.lyrics.framework import device_name, load_keras
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.training import METRICS_FILE, train_lyrics
from rhapsody_lib.settings import LyricsSettings
from tests.killed import checkpoint_of, train_until_killed

TINY = LyricsSettings(
    embedding_size=8, hidden_size=12, streams=2, steps=8, max_epochs=3, patience=3, min_count=1, learning_rate=0.02
)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class KilledError(Exception):
    """Stands for the end of a worker."""


def die_after(epoch: int):  # type: ignore[no-untyped-def]
    def progress(done: int, total: int, note: str = "") -> None:
        if done == epoch:
            raise KilledError

    return progress


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_lyrics(corpus, folder / "model", Checkpoint.local(folder / "checkpoint"), TINY, seed=1)
    return folder


def epochs_of(heard: list[tuple[int, dict[str, float]]]) -> list[int]:
    return [step for step, _ in heard]


def test_a_failed_run_goes_on_and_ends_with_the_same_bytes(corpus: Path, trained: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.local(tmp_path / "checkpoint")
    with pytest.raises(KilledError):
        train_lyrics(corpus, tmp_path / "model", checkpoint, TINY, seed=1, progress=die_after(2))
    assert not (tmp_path / "model").exists()
    epochs: list[int] = []
    heard: list[tuple[int, dict[str, float]]] = []
    train_lyrics(
        corpus,
        tmp_path / "model",
        checkpoint,
        TINY,
        seed=1,
        progress=lambda done, total, note="": epochs.append(done),
        record=lambda step, figures: heard.append((step, dict(figures))),
    )
    assert epochs == [3]
    assert contents(tmp_path / "model") == contents(trained / "model")
    # Who draws the curve is told of the epochs before the failure too.
    assert epochs_of(heard) == [1, 2, 3]
    history = json.loads((trained / "model" / METRICS_FILE).read_text())["history"]
    assert [figures["heldout perplexity"] for _, figures in heard] == [one["heldout_perplexity"] for one in history]


def test_a_worker_that_is_killed_is_taken_over_by_another(corpus: Path, trained: Path, tmp_path: Path) -> None:
    """SIGKILL after the first epoch; another worker, with a scratch folder of its own, goes on from the store."""
    store = str(tmp_path / "store")
    train_until_killed("lyrics", corpus, store, tmp_path / "killed", TINY, seed=1)
    epochs: list[int] = []
    checkpoint = checkpoint_of("lyrics", store, tmp_path / "other")
    train_lyrics(corpus, tmp_path / "model", checkpoint, TINY, seed=1, progress=lambda done, *_: epochs.append(done))
    assert epochs == [2, 3]
    assert contents(tmp_path / "model") == contents(trained / "model")


def test_keras_computes_the_same_on_machines_of_any_size() -> None:
    tensorflow = pytest.importorskip("tensorflow")
    load_keras()
    assert tensorflow.config.threading.get_intra_op_parallelism_threads() == 4
    assert device_name(load_keras())


def test_a_state_of_another_training_is_not_gone_on_from(corpus: Path, tmp_path: Path) -> None:
    short, checkpoint = TINY.model_copy(update={"max_epochs": 1}), Checkpoint.local(tmp_path / "checkpoint")
    epochs: list[int] = []
    for seed in (1, 2):
        train_lyrics(corpus, tmp_path / str(seed), checkpoint, short, seed=seed, progress=lambda *_: epochs.append(1))
    assert epochs == [1, 1]
    weights = "weights.safetensors"
    assert contents(tmp_path / "1")[weights] != contents(tmp_path / "2")[weights]


def test_training_learns_and_says_how_well(trained: Path) -> None:
    metrics = json.loads((trained / "model" / METRICS_FILE).read_text())
    first, last = metrics["history"][0], metrics["history"][-1]
    assert last["train_perplexity"] < 0.8 * first["train_perplexity"]
    assert metrics["heldout_songs"] == 1
    assert metrics["epochs"] == 3
    for name in ("heldout_perplexity", "heldout_perplexity_with_cache", "heldout_perplexity_5gram"):
        assert 1 < metrics[name] < metrics["vocabulary"]
    assert 0 < metrics["heldout_unknown_share"] < 0.6


def test_the_exported_weights_are_the_network_s(trained: Path, corpus: Path) -> None:
    """NumPy and Keras agree on the perplexity of a held-out song, which both read from its beginning."""
    model = LyricsModel.load(trained / "model")
    metrics = json.loads((trained / "model" / METRICS_FILE).read_text())
    best = min(epoch["heldout_perplexity"] for epoch in metrics["history"])
    # Keras reads the song in two streams, the second of which begins in its middle without a state.
    assert metrics["heldout_perplexity"] == pytest.approx(best, rel=0.1)
    assert model.hidden_size == TINY.hidden_size


def test_the_trained_model_writes_a_song(trained: Path) -> None:
    model = LyricsModel.load(trained / "model")
    lyrics = write_lyrics(model, "the sky is blue", candidates=2).best.lyrics
    assert lyrics.lines[0] == "the sky is blue"
    assert len(lyrics.lines) > 8


def test_songs_without_heldout_ones_are_measured_on_themselves(tmp_path: Path) -> None:
    row = {
        **dict.fromkeys(SONGS_SCHEMA.names),
        "title": "One",
        "lyrics": "a red kite\nup in the light\n",
        "split": "train",
    }
    pq.write_table(pa.Table.from_pylist([row], schema=SONGS_SCHEMA), tmp_path / SONGS_FILE)
    metrics = train_lyrics(tmp_path, tmp_path / "model", Checkpoint.local(tmp_path / "checkpoint"), TINY, seed=0)
    assert metrics["heldout_songs"] == 0
    assert np.isfinite(metrics["heldout_perplexity"])


def test_a_corpus_without_lyrics_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"songs\.parquet"):
        train_lyrics(tmp_path, tmp_path / "model", Checkpoint.local(tmp_path / "checkpoint"), TINY, seed=0)
    pq.write_table(pa.Table.from_pylist([], schema=SONGS_SCHEMA), tmp_path / SONGS_FILE)
    with pytest.raises(SourceError, match="no training song"):
        train_lyrics(tmp_path, tmp_path / "model", Checkpoint.local(tmp_path / "checkpoint"), TINY, seed=0)


def test_a_training_that_diverges_at_once_ends_with_its_first_weights(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are refused by the gate later; the training itself must end."""
    monkeypatch.setattr("rhapsody_lib.lyrics.training._epoch", lambda *_: float("nan"))
    metrics = train_lyrics(corpus, tmp_path / "model", Checkpoint.local(tmp_path / "checkpoint"), TINY, seed=1)
    assert metrics["epochs"] == TINY.max_epochs
    assert LyricsModel.load(tmp_path / "model").hidden_size == TINY.hidden_size
