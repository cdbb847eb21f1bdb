"""The lyrics network in Keras 3: one LSTM between an embedding and a softmax that share their weights.

Tied weights: Press & Wolf 2017, "Using the Output Embedding to Improve Language Models". Written with `keras.ops`, so
that it runs on any Keras backend; TensorFlow is the default one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.framework import load_keras
from rhapsody_lib.settings import LyricsSettings

#: Names of the exported arrays, in the order of the network's weights.
WEIGHT_NAMES = ("embedding", "kernel", "recurrent", "bias", "projection", "projection_bias", "output_bias")
_CLIP_NORM = 1.0
_INITIAL_RANGE = 0.05


def build_network(vocabulary_size: int, settings: LyricsSettings) -> Any:
    """The compiled network: ids [streams x steps] to logits [streams x steps x vocabulary]; its state is carried over.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    keras = load_keras()
    layers = keras.layers
    uniform = keras.initializers.RandomUniform(-_INITIAL_RANGE, _INITIAL_RANGE)
    embedding = layers.Embedding(vocabulary_size, settings.embedding_size, embeddings_initializer=uniform)

    class TiedLogits(layers.Layer):  # type: ignore[misc, name-defined]
        """Scores every word by its own embedding."""

        def build(self, _shape: Any) -> None:
            self.bias = self.add_weight(shape=(vocabulary_size,), initializer="zeros", name="bias")

        def call(self, features: Any) -> Any:
            """Features [streams x steps x embedding] to logits."""
            return keras.ops.matmul(features, keras.ops.transpose(embedding.embeddings)) + self.bias

    words = keras.Input(batch_shape=(settings.streams, settings.steps), dtype="int32")
    values = layers.Dropout(settings.dropout)(embedding(words))
    values = layers.LSTM(settings.hidden_size, return_sequences=True, stateful=True)(values)
    values = layers.Dense(settings.embedding_size)(layers.Dropout(settings.dropout)(values))
    network = keras.Model(words, TiedLogits()(values))
    network.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate, beta_2=0.99, global_clipnorm=_CLIP_NORM),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return network


def reset(network: Any, seed: int) -> None:
    """Forget the carried state, and draw the dropout of what follows from `seed`."""
    for layer in network.layers:
        if hasattr(layer, "reset_states"):
            layer.reset_states()
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign(np.array([seed & 0xFFFFFFFF, seed >> 32 & 0x7FFFFFFF], dtype=np.uint32))


def exported(network: Any) -> dict[str, npt.NDArray[np.float32]]:
    """The weights by `WEIGHT_NAMES`, as float32."""
    weights = [np.asarray(weight, dtype=np.float32) for weight in network.get_weights()]
    trained = [value for variable, value in zip(network.weights, weights, strict=True) if variable.trainable]
    return dict(zip(WEIGHT_NAMES, trained, strict=True))
