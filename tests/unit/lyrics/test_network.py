from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from rhapsody_lib.lyrics.alternatives import ALTERNATIVES
from rhapsody_lib.lyrics.averaging import WeightAverage
from rhapsody_lib.lyrics.base import BaseModel
from rhapsody_lib.lyrics.framework import load_keras, precision_of
from rhapsody_lib.lyrics.network import assign, build_network, choose_alternatives, learn, measure, reset, trained
from rhapsody_lib.lyrics.recurrence import lstm_layer
from rhapsody_lib.lyrics.sizing import sized
from rhapsody_lib.lyrics.streams import Batch
from rhapsody_lib.settings import LyricsSettings

REPOSITORY = Path(__file__).parents[3]
TINY = LyricsSettings(embedding_size=8, hidden_size=12, streams=3, steps=5, dropout=0.0, learning_rate=0.02)


@pytest.fixture
def tensorflow() -> Iterator[Any]:
    module = pytest.importorskip("tensorflow")
    load_keras()
    yield module


def batch_of(vocabulary: int, settings: LyricsSettings, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, vocabulary, (settings.streams, settings.steps + 1)).astype(np.int32)
    return Batch(cells[:, :-1], cells[:, 1:], np.ones((settings.streams, settings.steps), np.float32))


def test_the_fast_lstm_is_that_of_keras(tensorflow: Any) -> None:
    """States, carried states and gradients of both, over two batches."""
    keras = load_keras()
    inputs = np.random.default_rng(0).normal(size=(2, 3, 5, 8)).astype(np.float32)
    fast, own = (lstm_layer(keras, module, 12, "float32") for module in (tensorflow, None))
    for layer in (fast, own):
        layer.build((3, 5, 8))
    for variable, value in zip(own.trainable_variables, fast.trainable_variables, strict=True):
        variable.assign(value)
    found = []
    for layer in (fast, own):
        for values in inputs:
            watched = tensorflow.constant(values)
            with tensorflow.GradientTape() as tape:
                tape.watch(watched)
                states = layer(watched)
                loss = tensorflow.reduce_sum(states * tensorflow.cos(states * 3))
        variables = [variable.value for variable in layer.trainable_variables]
        found.append([states, *tape.gradient(loss, [watched, *variables])])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


def test_bfloat16_computes_nearly_the_same(tensorflow: Any) -> None:
    batch = batch_of(40, TINY)
    networks = [build_network(40, TINY, precision) for precision in ("float32", "bfloat16")]
    assign(networks[1], trained(networks[0]))
    exact, rough = (measure(network, batch) for network in networks)
    assert rough == pytest.approx(exact, rel=0.01)
    assert all(weights.dtype == np.float32 for weights in trained(networks[1]))


def test_a_sampled_softmax_learns_the_same_words(tensorflow: Any) -> None:
    """Trained among some words, measured among all."""
    settings = TINY.model_copy(update={"softmax": "sampled"})
    size = 3 * ALTERNATIVES
    network, batch = build_network(size, settings), batch_of(size, settings)
    before = measure(network, batch)
    for step in range(20):
        reset(network, 0)
        choose_alternatives(network, step, np.arange(size))
        learn(network, batch)
    reset(network, 0)
    assert before == pytest.approx(np.log(size), rel=0.01)
    assert measure(network, batch) < 0.8 * before


def test_padding_teaches_nothing(tensorflow: Any) -> None:
    network, batch = build_network(40, TINY), batch_of(40, TINY)
    before = trained(network)
    learn(network, Batch(batch.inputs, batch.targets, np.zeros_like(batch.weights)))
    for one, other in zip(before, trained(network), strict=True):
        np.testing.assert_array_equal(one, other)


def test_precision_is_chosen_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhapsody_lib.lyrics.framework.bfloat16_gpu", lambda _keras: None)
    for flags, expected in (("x (avx2 avx512f)", "float32"), ("x (avx512_bf16)", "bfloat16")):
        monkeypatch.setattr("rhapsody_lib.lyrics.framework.processor", lambda flags=flags: flags)
        assert precision_of(None, "auto") == expected
        assert precision_of(None, "float32") == "float32"


def test_a_gpu_without_bfloat16_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhapsody_lib.lyrics.framework.processor", lambda: "x (avx512_bf16)")
    for able, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr("rhapsody_lib.lyrics.framework.bfloat16_gpu", lambda _keras, able=able: able)
        assert precision_of(None, "auto") == expected


def test_the_average_begins_with_the_plain_mean_and_forgets() -> None:
    average = WeightAverage(0.5)
    for value in (1.0, 3.0):
        average.update([np.full(2, value, np.float32)], 8)
    assert average.values[0] == pytest.approx([2.99, 2.99], abs=0.02)
    mean = WeightAverage(0.9999)
    for value in (1.0, 2.0, 6.0):
        mean.update([np.full(2, value, np.float32)], 8)
    assert mean.values[0] == pytest.approx([3.0, 3.0])
    few = WeightAverage(0.5)
    for value in (1.0, 3.0, 8.0):
        few.update([np.full(2, value, np.float32)], 1)
    assert few.values[0] == pytest.approx([5.0, 5.0])  # half of (1 + 3) / 2, half of 8


def test_larger_corpora_get_larger_networks() -> None:
    small, large = (sized(LyricsSettings(), tokens) for tokens in (40_000, 3_000_000))
    assert small.hidden_size < large.hidden_size
    assert small.streams < large.streams
    assert (small.dropout or 0) > (large.dropout or 0)
    assert sized(TINY, 3_000_000) == TINY  # what is given stays


def test_small_corpora_are_adapted_to_in_smaller_batches() -> None:
    base = cast(BaseModel, SimpleNamespace(embedding_size=8, hidden_size=12))
    found = [sized(LyricsSettings(steps=32), tokens, base).streams for tokens in (300, 6_400, 3_000_000)]
    assert found == [4, 10, 64]
    assert sized(LyricsSettings(streams=7), 300, base).streams == 7


CHILD = """
import json
import numpy as np
from rhapsody_lib.lyrics.network import build_network, choose_alternatives, learn, measure, reset
from rhapsody_lib.lyrics.streams import Batch
from rhapsody_lib.settings import LyricsSettings
cells = np.random.default_rng(0).integers(0, 5000, (3, 6)).astype(np.int32)
batch = Batch(cells[:, :-1], cells[:, 1:], np.ones((3, 5), np.float32))
for softmax in ("full", "sampled"):
    settings = LyricsSettings(embedding_size=8, hidden_size=12, streams=3, steps=5, dropout=0.1, learning_rate=0.02,
                              softmax=softmax)
    network = build_network(5000, settings)
    before = measure(network, batch)
    for step in range(20):
        reset(network, 0)
        choose_alternatives(network, step, np.arange(5000))
        learn(network, batch)
    reset(network, 0)
    print(json.dumps([before, measure(network, batch), [list(v.shape) for v in network.trainable_variables]]))
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_other_backends_train_the_same_network(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", CHILD]
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr[-2000:]
    for before, after, shapes in map(json.loads, child.stdout.strip().splitlines()[-2:]):
        assert after < 0.8 * before
        assert shapes == [[5000, 8], [8, 48], [12, 48], [48], [12, 8], [8], [5000]]
