from __future__ import annotations

import json
import logging
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.errors import InputError, SourceError
from rhapsody_lib.lyrics.base import save_base
from rhapsody_lib.lyrics.copying import BASE_COPIES_FILE
from rhapsody_lib.lyrics.decoder import write_lyrics
from rhapsody_lib.lyrics.framework import device_name, load_keras, seeded
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.training import METRICS_FILE, train_lyrics
from rhapsody_lib.operations.recipes import lyrics_recipe
from rhapsody_lib.settings import LyricsSettings, Settings
from tests.killed import checkpoint_of, train_until_killed
from tests.unit.lyrics.conftest import SONGS

TINY = LyricsSettings(
    embedding_size=8,
    hidden_size=12,
    dropout=0.5,
    streams=2,
    steps=8,
    max_epochs=3,
    patience=3,
    min_count=1,
    learning_rate=0.02,
    weight_average=0.5,
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


def test_a_failed_run_goes_on_and_ends_with_the_same_bytes(
    corpus: Path, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = Checkpoint.local(tmp_path / "checkpoint")
    with pytest.raises(KilledError):
        train_lyrics(corpus, tmp_path / "model", checkpoint, TINY, seed=1, progress=die_after(2))
    assert not (tmp_path / "model").exists()
    epochs: list[int] = []
    heard: list[tuple[int, dict[str, float]]] = []
    caplog.set_level(logging.INFO)
    train_lyrics(
        corpus,
        tmp_path / "model",
        checkpoint,
        TINY,
        seed=1,
        progress=lambda done, total, note="": epochs.append(done),
        record=lambda step, figures: heard.append((step, dict(figures))),
    )
    assert "lyrics: going on after epoch 2" in caplog.text
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


def test_weights_do_not_depend_on_what_other_threads_draw() -> None:
    keras = load_keras()

    def drawn(disturbed: bool) -> bytes:
        with seeded(keras, 7):
            if disturbed:
                random.random()  # as a thread of Prefect's client does at any moment
            return np.asarray(keras.initializers.GlorotUniform()((3, 3))).tobytes()

    assert drawn(disturbed=True) == drawn(disturbed=False)


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
    assert metrics["precision"] in ("float32", "bfloat16")
    assert metrics["5gram_tokens"] == metrics["train_tokens"]
    for name in ("heldout_perplexity", "heldout_perplexity_with_cache", "heldout_perplexity_5gram"):
        assert 1 < metrics[name] < metrics["vocabulary"]
    assert metrics["heldout_copying"]["longest_run_max"] >= 1
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
    monkeypatch.setattr("rhapsody_lib.lyrics.fitting._check", lambda *_: float("nan"))
    metrics = train_lyrics(corpus, tmp_path / "model", Checkpoint.local(tmp_path / "checkpoint"), TINY, seed=1)
    assert metrics["epochs"] == TINY.max_epochs
    assert LyricsModel.load(tmp_path / "model").hidden_size == TINY.hidden_size


def table(folder: Path, songs: list[tuple[str, str]]) -> Path:
    """A corpus of songs, each its text and its split."""
    folder.mkdir()
    rows = [
        {**dict.fromkeys(SONGS_SCHEMA.names), "title": str(number), "lyrics": text, "split": split}
        for number, (text, split) in enumerate(songs)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SONGS_SCHEMA), folder / SONGS_FILE)
    return folder


def test_a_run_that_fails_in_the_middle_of_a_pass_goes_on_there(tmp_path: Path) -> None:
    many = table(tmp_path / "many", [*((song, "train") for song in SONGS * 6), (SONGS[0], "heldout")])
    settings = TINY.model_copy(update={"epoch_tokens": 1000, "streams": 4, "precision": "float32"})
    whole = train_lyrics(many, tmp_path / "whole", Checkpoint.local(tmp_path / "one"), settings, seed=1)
    assert 1000 < whole["train_tokens"] < 2000  # two epochs are a pass
    checkpoint = Checkpoint.local(tmp_path / "two")
    with pytest.raises(KilledError):
        train_lyrics(many, tmp_path / "model", checkpoint, settings, seed=1, progress=die_after(1))
    train_lyrics(many, tmp_path / "model", checkpoint, settings, seed=1)
    assert contents(tmp_path / "model") == contents(tmp_path / "whole")


def test_nothing_is_left_beside_the_model(trained: Path) -> None:
    assert not [path for path in (trained / "model").iterdir() if path.is_dir()]


def test_what_began_in_one_precision_goes_on_in_it(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = Checkpoint.local(tmp_path / "checkpoint")
    monkeypatch.setattr("rhapsody_lib.lyrics.fitting.precision_of", lambda *_: "bfloat16")
    with pytest.raises(KilledError):
        train_lyrics(corpus, tmp_path / "model", checkpoint, TINY, seed=1, progress=die_after(1))
    monkeypatch.setattr("rhapsody_lib.lyrics.fitting.precision_of", lambda *_: "float32")
    assert train_lyrics(corpus, tmp_path / "model", checkpoint, TINY, seed=1)["precision"] == "bfloat16"


def test_the_seed_s_network_is_trained_on_the_same_tokens_and_writes_no_songs(
    corpus: Path, trained: Path, tmp_path: Path
) -> None:
    settings = TINY.model_copy(update={"architecture": "bilstm-seed", "max_epochs": 1})
    metrics = train_lyrics(corpus, tmp_path / "model", Checkpoint.local(tmp_path / "checkpoint"), settings, seed=1)
    ours = json.loads((trained / "model" / METRICS_FILE).read_text())
    same = ("vocabulary", "train_tokens", "heldout_tokens", "measured_songs", "measured_tokens")
    for name in (*same, "heldout_perplexity_5gram"):
        assert metrics[name] == pytest.approx(ours[name])
    assert 1 < metrics["heldout_perplexity"] < 10 * metrics["vocabulary"]
    # Whole already, but not yet published when it was killed.
    again = train_lyrics(corpus, tmp_path / "again", Checkpoint.local(tmp_path / "checkpoint"), settings, seed=1)
    assert again["heldout_perplexity"] == metrics["heldout_perplexity"]
    with pytest.raises(InputError, match="bilstm-seed"):
        LyricsModel.load(tmp_path / "model")


def test_a_training_starts_from_a_base(
    corpus: Path, trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = LyricsModel.load(trained / "model")
    save_base(tmp_path / "base", model.vocabulary, model.weights, model.copies.copies)
    other = table(tmp_path / "other", [(SONGS[0] + "zanzibar zanzibar\n", "train"), (SONGS[1], "heldout")])
    fresh = TINY.model_copy(update={"max_epochs": 1, "hidden_size": 0, "learning_rate": 0.0})
    based = fresh.model_copy(update={"base": str(tmp_path / "base")})
    figures = {}
    for name, settings in (("fresh", fresh), ("based", based)):
        out, checkpoint = tmp_path / name, Checkpoint.local(tmp_path / f"{name}-state")
        figures[name] = train_lyrics(other, out, checkpoint, settings, seed=1)
        # The base has read the only held-out song: what is measured then is said.
        assert ("All 1 held-out songs were read by the base model" in caplog.text) == (name == "based")
    words = LyricsModel.load(tmp_path / "based").vocabulary.words
    assert words == (*model.vocabulary.words, "zanzibar")
    assert figures["based"]["hidden_size"] == TINY.hidden_size
    assert figures["fresh"]["hidden_size"] > TINY.hidden_size
    assert (tmp_path / "based" / BASE_COPIES_FILE).is_file()
    # The held-out song is one that the base was trained on: it is no measure.
    assert (figures["fresh"]["heldout_songs"], figures["based"]["heldout_songs"]) == (1, 0)
    assert figures["fresh"]["measured_on"] == "held-out songs"
    assert figures["based"]["measured_on"] == "training songs"
    assert figures["based"]["heldout_known_to_base"] == 1
    recipes = [
        lyrics_recipe(Settings(lyrics=one), ArtifactRef(kind="corpus", key="k", uri="u", sha256="s"))
        for one in (fresh, based)
    ]
    assert "base" not in recipes[0].inputs
    assert len(recipes[1].inputs["base"]) == 64
    assert str(tmp_path) not in str(recipes[1].settings)
