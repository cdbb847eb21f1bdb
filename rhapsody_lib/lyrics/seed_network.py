"""`bilstm-seed`: the network that this project began with, to be compared with.

A bidirectional LSTM reads all that a song has so far and names the next word; each target has a prefix of its own, so
that nothing is shared between the targets of a song, and nothing is carried over. Sizes are those of its notebooks, and
so is the filling in front of short prefixes, which the network reads as if it were a word. Three things differ, all of
them for speed: a prefix is its last `steps` tokens; prefixes of like length stand in one batch, so that little is
filled; targets are ids, not one-hot rows.

For comparison only: it is never asked for a song.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.evaluate import bits_per_word, measured_streams
from rhapsody_lib.lyrics.framework import load_keras
from rhapsody_lib.lyrics.sizing import sized
from rhapsody_lib.lyrics.streams import Batch, joined
from rhapsody_lib.lyrics.vocabulary import SONG_ID, Tokens
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import LyricsSettings

EMBEDDING_SIZE, HIDDEN_SIZE, DROPOUT = 40, 250, 0.1
#: Names of the exported arrays, in the order of the network's trainable weights. Row `vocabulary` of the embedding is
#: the filling.
SEED_WEIGHT_NAMES = (
    "embedding",
    "forward_kernel",
    "forward_recurrent",
    "forward_bias",
    "backward_kernel",
    "backward_recurrent",
    "backward_bias",
    "output_kernel",
    "output_bias",
)
#: Tokens of training songs that `measure_seed_network` is for: with more it takes hours.
MOST_TOKENS = 1_000_000
_SHORTEST_BUCKET = 8
#: It learns nothing more after few epochs.
_EPOCHS = 8
_LARGEST_NATS = 700.0


def build_seed_network(vocabulary_size: int, settings: LyricsSettings) -> Any:
    """The compiled network: prefixes [batch x length] to logits [batch x vocabulary]; filled with `vocabulary_size`.

    Args:
        vocabulary_size: number of tokens that can follow.
        settings: its learning rate; the sizes are the notebooks'.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    keras = load_keras()
    layers = keras.layers
    prefixes = keras.Input((None,), dtype="int32")
    values = layers.Embedding(vocabulary_size + 1, EMBEDDING_SIZE)(prefixes)
    values = layers.Bidirectional(layers.LSTM(HIDDEN_SIZE))(values)
    network = keras.Model(prefixes, layers.Dense(vocabulary_size)(layers.Dropout(DROPOUT)(values)))
    network.compile(
        optimizer=keras.optimizers.Adam(settings.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return network


def seed_epoch(network: Any, stream: Tokens, settings: LyricsSettings, dropout_seed: int | None) -> float:
    """Mean loss in nats a token over one pass: training where a dropout seed is given, measuring where none is.

    The seed also decides the order of the batches.

    Args:
        network: made by `build_seed_network`.
        stream: songs one after another, each from its `<song>` on, int32 [tokens].
        settings: `steps` is the longest prefix, `streams` x `steps` the targets of an update.
        dropout_seed: 0 to 2**63 - 1, or none to measure.
    """
    for layer in network.layers:
        seeds = getattr(layer, "seed_generator", None)
        if seeds is not None:
            drawn = dropout_seed or 0
            seeds.state.assign(np.array([drawn & 0xFFFFFFFF, drawn >> 32 & 0x7FFFFFFF], dtype=np.uint32))
    run = network.test_on_batch if dropout_seed is None else network.train_on_batch
    total = weight = 0.0
    for batch in prefix_batches(stream, network.output_shape[-1], settings, dropout_seed):
        network.reset_metrics()
        # Keras divides the loss by the number of targets, padded ones included.
        total += float(run(batch.inputs, batch.targets, sample_weight=batch.weights)) * batch.weights.size
        weight += float(batch.weights.sum())
    return total / max(weight, 1.0)


def perplexity(network: Any, stream: Tokens, settings: LyricsSettings) -> float:
    """Perplexity of the tokens after each song's first: the tokens that the LSTM is measured on."""
    return float(np.exp(min(seed_epoch(network, stream, settings, None), _LARGEST_NATS)))


def measure_seed_network(
    train: Sequence[Tokens], heldout: Sequence[Tokens], vocabulary_size: int, progress: Progress = silent
) -> dict[str, float]:
    """Train the network and measure it after its best epoch: chosen on these very held-out songs, which flatters it.

    Args:
        train: songs, each int32 [tokens] from its `<song>` on.
        heldout: other songs; what `measured_streams` keeps of them is told.
        vocabulary_size: number of tokens.
        progress: told the epochs done.

    Returns:
        `heldout_perplexity_bilstm_seed` per token and `bits_per_word_bilstm_seed`.

    Raises:
        InputError: it diverges at once.
        MissingExtraError: Keras or its backend is not installed.
    """
    told = measured_streams(heldout)
    settings = sized(LyricsSettings(architecture="bilstm-seed"), sum(map(len, train)))
    load_keras().utils.set_random_seed(0)
    network, best = build_seed_network(vocabulary_size, settings), float("inf")
    for epoch in range(_EPOCHS):
        seed_epoch(network, joined(train), settings, split_seed(0, "lyrics", "seed-network", epoch))
        found = perplexity(network, joined(told), settings)
        progress(epoch + 1, _EPOCHS, f"perplexity {found:.0f}")
        if not found < best:  # so that NaN ends it too
            break
        best = found
    progress(_EPOCHS, _EPOCHS, f"perplexity {best:.0f}")
    if not np.isfinite(best):
        raise InputError(
            "bilstm-seed: its training diverged on these songs, so it has no perplexity. Measure without "
            "--with-seed-network."
        )
    targets = np.concatenate([stream[1:] for stream in told])
    bits = bits_per_word(float(np.log(best)) * len(targets), targets)
    return {"heldout_perplexity_bilstm_seed": best, "bits_per_word_bilstm_seed": bits}


def prefix_batches(
    stream: Tokens, filling: int, settings: LyricsSettings, order_seed: int | None = None
) -> Iterator[Batch]:
    """Each token of a song but its first, and what stands before it in the song, in batches of like length.

    All batches have the same number of rows; where targets are too few, weights are 0.

    Args:
        stream: songs one after another, each from its `<song>` on, int32 [tokens].
        filling: id that is put in front of prefixes shorter than their batch.
        settings: `steps` is the longest prefix, `streams` x `steps` the targets of a batch.
        order_seed: targets and batches are shuffled by it; in the stream's order where it is none.

    Yields:
        `inputs` are prefixes, int32 [rows x length], `targets` int32 [rows], `weights` float32 [rows].
    """
    places = np.arange(len(stream))
    begins = np.maximum.accumulate(np.where((stream == SONG_ID) | (places == 0), places, 0))
    buckets = _buckets(places - begins, settings.steps)
    rng = None if order_seed is None else generator(order_seed, "lyrics", "seed-network")
    batches = []
    size = settings.streams * settings.steps
    for length in np.unique(buckets[buckets > 0]):
        targets = np.flatnonzero(buckets == length)
        if rng is not None:
            rng.shuffle(targets)
        batches += [(int(length), targets[first : first + size]) for first in range(0, len(targets), size)]
    for index in range(len(batches)) if rng is None else rng.permutation(len(batches)):
        length, chosen = batches[index]
        targets = np.resize(chosen, size)
        before = targets[:, None] - np.arange(length, 0, -1)
        inside = before >= begins[targets][:, None]
        prefixes = np.where(inside, stream[np.maximum(before, 0)], filling).astype(np.int32)
        yield Batch(prefixes, stream[targets], (np.arange(size) < len(chosen)).astype(np.float32))


def _buckets(known: npt.NDArray[np.int64], longest: int) -> npt.NDArray[np.int64]:
    """The length that each prefix is filled to: the next power of two, `longest` at most; 0 for empty ones."""
    powers = 2 ** np.ceil(np.log2(np.maximum(known, 1))).astype(np.int64)
    return np.where(known > 0, np.minimum(np.maximum(powers, min(_SHORTEST_BUCKET, longest)), longest), 0)
