"""The lyrics network in Keras 3: one LSTM between an embedding and a softmax that share their weights.

Tied weights: Press & Wolf 2017, "Using the Output Embedding to Improve Language Models". Dropout takes the same
features from all steps of a stream: Gal & Ghahramani 2016, "A Theoretically Grounded Application of Dropout in
Recurrent Neural Networks". Written with `keras.ops`, so that it runs on any Keras backend; TensorFlow is the default
one, and has a faster LSTM of its own on processors (`lyrics/recurrence.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.alternatives import ALTERNATIVES, draw
from rhapsody_lib.lyrics.framework import gpu_names, load_keras
from rhapsody_lib.lyrics.recurrence import lstm_layer
from rhapsody_lib.lyrics.streams import Batch
from rhapsody_lib.optional import require
from rhapsody_lib.seeding import generator
from rhapsody_lib.settings import LyricsSettings

#: Names of the exported arrays, in the order of the network's trainable weights.
WEIGHT_NAMES = ("embedding", "kernel", "recurrent", "bias", "projection", "projection_bias", "output_bias")
_CLIP_NORM = 1.0
_INITIAL_RANGE = 0.05
_NEVER = -1e9


def build_network(vocabulary_size: int, settings: LyricsSettings, precision: str = "float32") -> Any:
    """The compiled network: ids [streams x steps] to features [streams x steps x embedding]; its state is carried over.

    Its loss is that of the features' scores of all words; in training with a sampled softmax, of those that
    `choose_alternatives` drew.

    Args:
        vocabulary_size: number of tokens.
        settings: with a value for every size (`sizing.sized`).
        precision: `float32` or `bfloat16`; weights and sums are float32 in both.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    keras = load_keras()
    layers, policy = keras.layers, "mixed_bfloat16" if precision == "bfloat16" else "float32"
    fast = keras.backend.backend() == "tensorflow" and not gpu_names(keras)
    uniform = keras.initializers.RandomUniform(-_INITIAL_RANGE, _INITIAL_RANGE)
    embedding = layers.Embedding(
        vocabulary_size, settings.embedding_size, embeddings_initializer=uniform, dtype=policy, name="words"
    )
    recurrent = lstm_layer(keras, require("tensorflow") if fast else None, settings.hidden_size, policy)
    sampled = settings.softmax == "sampled" and vocabulary_size > 2 * ALTERNATIVES
    scores = _tied_softmax(keras, embedding, vocabulary_size, sampled, policy)

    def dropped(values: Any, size: int) -> Any:
        shape = (settings.streams, 1, size)
        return layers.Dropout(settings.dropout or 0.0, noise_shape=shape, dtype=policy)(values)

    words = keras.Input(batch_shape=(settings.streams, settings.steps), dtype="int32")
    values = recurrent(dropped(embedding(words), settings.embedding_size))
    values = layers.Dense(settings.embedding_size, dtype=policy)(dropped(values, settings.hidden_size))

    class LyricsNetwork(keras.Model):  # type: ignore[misc, name-defined]
        """Computes its loss from features: the scores of all words would be its largest output by far."""

        def compute_loss(
            self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
        ) -> Any:
            """Mean loss in nats over all cells, padded ones included."""
            del x
            losses = scores.losses_of(y_pred, keras.ops.reshape(y, (-1,)), sampled and training)
            return keras.ops.mean(losses * keras.ops.reshape(sample_weight, (-1,)))

    network = LyricsNetwork(words, scores(values))
    network.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate, beta_2=0.99, global_clipnorm=_CLIP_NORM),
        jit_compile=False,
    )
    return network


def _tied_softmax(keras: Any, embedding: Any, vocabulary_size: int, sampled: bool, policy: str) -> Any:
    ops = keras.ops
    width = embedding.output_dim

    class TiedSoftmax(keras.layers.Layer):  # type: ignore[misc]
        """Scores words by their own embeddings, and a bias each."""

        def build(self, _shape: Any) -> None:
            self.bias = self.add_weight(shape=(vocabulary_size,), initializer="zeros", name="bias")
            if sampled:
                shapes = (("alternatives", ALTERNATIVES, "int32"), ("log_expected", vocabulary_size, "float32"))
                self.alternatives, self.log_expected = (
                    self.add_weight(shape=(size,), initializer="zeros", dtype=dtype, trainable=False, name=name)
                    for name, size, dtype in shapes
                )

        def call(self, features: Any) -> Any:
            """The features as they are: scores are computed with the loss."""
            return features

        def losses_of(self, features: Any, targets: Any, among_some: bool) -> Any:
            """Loss in nats of each target, float32 [streams * steps], of features [streams x steps x embedding]."""
            features = ops.reshape(features, (-1, width))
            if among_some:
                return self._among_some(features, targets)
            return ops.sparse_categorical_crossentropy(
                targets, self._scores(features, embedding.embeddings) + self.bias, from_logits=True
            )

        def _scores(self, features: Any, vectors: Any) -> Any:
            vectors = ops.cast(vectors, features.dtype)
            return ops.cast(ops.matmul(features, ops.transpose(vectors)), "float32")

        def _among_some(self, features: Any, targets: Any) -> Any:
            corrected = self.bias - self.log_expected
            vectors = ops.cast(ops.take(embedding.embeddings, targets, axis=0), "float32")
            right = ops.sum(ops.cast(features, "float32") * vectors, axis=1) + ops.take(corrected, targets)
            others = self._scores(features, ops.take(embedding.embeddings, self.alternatives, axis=0))
            others = others + ops.take(corrected, self.alternatives)
            others = ops.where(ops.expand_dims(targets, 1) == ops.expand_dims(self.alternatives, 0), _NEVER, others)
            scores = ops.concatenate([ops.expand_dims(right, 1), others], axis=1)
            return ops.logsumexp(scores, axis=1) - right

    return TiedSoftmax(dtype=policy, name="scores")


def choose_alternatives(network: Any, seed: int, by_count: npt.NDArray[np.integer]) -> None:
    """Draw what a sampled softmax tells the right words of the next batches from; nothing where it is a full one.

    Args:
        network: of `build_network`.
        seed: of what is drawn.
        by_count: all tokens by falling count in the training songs, int [vocabulary].
    """
    layer = network.get_layer("scores")
    if hasattr(layer, "alternatives"):
        words, log_expected = draw(generator(seed), by_count, ALTERNATIVES)
        layer.alternatives.assign(words)
        layer.log_expected.assign(log_expected)


def learn(network: Any, batch: Batch) -> float:
    """One update; the mean loss in nats over all cells of the batch."""
    network.reset_metrics()
    return float(np.asarray(network.train_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)))


def measure(network: Any, batch: Batch) -> float:
    """The mean loss in nats over all cells of a batch, without dropout."""
    network.reset_metrics()
    return float(np.asarray(network.test_on_batch(batch.inputs, batch.targets, sample_weight=batch.weights)))


def reset(network: Any, seed: int) -> None:
    """Forget the carried state, and draw the dropout of what follows from `seed`."""
    for layer in network.layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
        seeds = getattr(layer, "seed_generator", None)
        if seeds is not None:
            seeds.state.assign(np.array([seed & 0xFFFFFFFF, seed >> 32 & 0x7FFFFFFF], dtype=np.uint32))


def trained(network: Any) -> list[npt.NDArray[np.generic]]:
    """Values of the trainable weights; the carried state of the LSTM is none of them."""
    return [np.array(variable.numpy()) for variable in network.trainable_variables]


def assign(network: Any, values: Sequence[npt.NDArray[np.generic]]) -> None:
    """Set the trainable weights."""
    for variable, value in zip(network.trainable_variables, values, strict=True):
        variable.assign(value)
