"""Training of the lyrics model: contiguous truncated backpropagation, early stopping, resumable each epoch."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from rhapsody_lib.checkpoints import Checkpoint, processor, warn_of_another_machine
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.checkpoint import Progressed, TrainingState, load_state, save_state
from rhapsody_lib.lyrics.copying import CopyIndex
from rhapsody_lib.lyrics.framework import device_name, load_keras
from rhapsody_lib.lyrics.model import (
    CACHE_SHARE,
    COPIES_FILE,
    PHRASES_FILE,
    STEERING_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    LyricsModel,
)
from rhapsody_lib.lyrics.network import WEIGHT_NAMES, build_network, reset
from rhapsody_lib.lyrics.phrases import Phrases
from rhapsody_lib.lyrics.steering import SteeringTables
from rhapsody_lib.lyrics.streams import batches, joined, read_lyrics
from rhapsody_lib.lyrics.vocabulary import UNKNOWN_ID, Tokens, Vocabulary
from rhapsody_lib.ngram import KneserNey, perplexity
from rhapsody_lib.optional import require
from rhapsody_lib.progress import Progress, Recorder, silent, unrecorded
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import LyricsSettings

METRICS_FILE = "metrics.json"
_YARDSTICK_ORDER = 5
#: The learning rate falls by this factor an epoch.
_DECAY = 0.9


@dataclass(frozen=True)
class _Songs:
    """Streams of both splits and the vocabulary that they are written in."""

    vocabulary: Vocabulary
    train: tuple[Tokens, ...]
    heldout: tuple[Tokens, ...]

    def recipe(self, settings: LyricsSettings, seed: int) -> str:
        """Digest of everything that the training depends on."""
        digest = hashlib.sha256(f"{settings.model_dump_json()}{seed}{self.vocabulary.words}".encode())
        for stream in (*self.train, *self.heldout):
            digest.update(stream.tobytes())
        return digest.hexdigest()


def train_lyrics(
    corpus: Path,
    out: Path,
    checkpoint: Checkpoint,
    settings: LyricsSettings,
    *,
    seed: int,
    progress: Progress = silent,
    record: Recorder = unrecorded,
) -> dict[str, Any]:
    """Train on a prepared corpus and write the model's files and `metrics.json` into `out`.

    A run that was killed and is called again with the same arguments goes on after its last whole epoch, and ends with
    the same weights.

    Args:
        corpus: folder with the `songs` table.
        out: folder to write to; made where missing.
        checkpoint: keeps the state of each epoch.
        settings: size, dropout, learning rate, when to stop.
        seed: seed of weights, order of songs and dropout.
        progress: told the epochs done and the held-out perplexity.
        record: told the figures of each epoch, those before a kill too.

    Returns:
        What `metrics.json` holds.

    Raises:
        SourceError: the corpus has no training song with lyrics.
        StoreError: the saved states cannot be read, for the store does not answer.
        MissingExtraError: Keras or its backend is not installed.
    """
    train, heldout = read_lyrics(corpus, "train"), read_lyrics(corpus, "heldout")
    if not train:
        raise SourceError(f"{corpus}: holds no training song with lyrics. Prepare a corpus with at least one.")
    vocabulary = Vocabulary.build(train, settings.min_count, settings.max_vocabulary)
    encode = vocabulary.encode_song
    songs = _Songs(vocabulary, tuple(map(encode, train)), tuple(map(encode, heldout)))
    state, words_per_s = _fit(songs, checkpoint, settings, seed, progress, record)
    out.mkdir(parents=True, exist_ok=True)
    save_file(dict(zip(WEIGHT_NAMES, state.best, strict=True)), out / WEIGHTS_FILE)
    vocabulary.save(out / VOCABULARY_FILE)
    SteeringTables.build(vocabulary, songs.train).save(out / STEERING_FILE)
    CopyIndex.build(train).save(out / COPIES_FILE)
    Phrases(joined(songs.train), len(vocabulary)).save(out / PHRASES_FILE)
    metrics = _measure(LyricsModel.load(out), songs, state.progressed)
    (out / METRICS_FILE).write_text(json.dumps(metrics, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return {**metrics, "words_per_s": words_per_s}


def _fit(
    songs: _Songs, checkpoint: Checkpoint, settings: LyricsSettings, seed: int, progress: Progress, record: Recorder
) -> tuple[TrainingState, float]:
    """Train until the held-out loss has not fallen for `patience` epochs; also the speed in words a second."""
    recipe = songs.recipe(settings, seed)
    state = load_state(checkpoint, recipe)
    done = state.progressed if state else Progressed()
    for epoch, figures in enumerate(done.history, start=1):
        record(epoch, _named(figures))
    if state and _finished(done, settings):
        return state, 0.0
    network, machine = _started(songs, settings, seed, state)
    state = state or _snapshot(network, done, [], machine)
    started, words = time.monotonic(), 0
    while not _finished(done, settings):
        stream = joined(songs.train, generator(seed, "lyrics", "order", done.epoch).permutation(len(songs.train)))
        network.optimizer.learning_rate.assign(settings.learning_rate * _DECAY**done.epoch)
        train_loss = _epoch(network, stream, settings, split_seed(seed, "lyrics", "dropout", done.epoch))
        heldout = joined(songs.heldout) if songs.heldout else stream
        loss = _epoch(network, heldout, settings, None)
        words += len(stream)
        done.epoch += 1
        done.history.append({"train_perplexity": float(np.exp(train_loss)), "heldout_perplexity": float(np.exp(loss))})
        # The first weights are kept even where their loss is no number: the gate refuses what diverged.
        better = loss < done.best_loss or not state.best
        done.best_loss = min(done.best_loss, loss)  # in this order: NaN is never the lowest
        done.epochs_without_gain = 0 if better else done.epochs_without_gain + 1
        state = _snapshot(network, done, _trained(network) if better else state.best, machine)
        save_state(checkpoint, recipe, state)
        record(done.epoch, _named(done.history[-1]))
        progress(done.epoch, settings.max_epochs, f"perplexity {np.exp(loss):.0f}")
    return state, words / max(time.monotonic() - started, 1e-9)


def _started(
    songs: _Songs, settings: LyricsSettings, seed: int, state: TrainingState | None
) -> tuple[Any, dict[str, str]]:
    """The network with fresh weights or those of a saved state, and what it is computed on."""
    keras = load_keras()
    keras.utils.set_random_seed(split_seed(seed, "lyrics") % 2**32)
    network = build_network(len(songs.vocabulary), settings)
    backend = keras.backend.backend()
    machine = {"device": device_name(keras), "processor": processor(), backend: require(backend).__version__}
    if state:
        _restore(network, state)
        warn_of_another_machine("lyrics", state.progressed.epoch, state.machine, machine)
    return network, machine


def _named(figures: Mapping[str, float]) -> dict[str, float]:
    return {name.replace("_", " "): value for name, value in figures.items()}


def _finished(done: Progressed, settings: LyricsSettings) -> bool:
    return done.epoch >= settings.max_epochs or done.epochs_without_gain >= settings.patience


def _trained(network: Any) -> list[Any]:
    """The trained weights in the order of `WEIGHT_NAMES`; the carried state of the LSTM is none of them."""
    return [np.array(variable.numpy()) for variable in network.trainable_variables]


def _snapshot(network: Any, done: Progressed, best: list[Any], machine: Mapping[str, str]) -> TrainingState:
    optimizer = [np.array(variable.numpy()) for variable in network.optimizer.variables]
    return TrainingState(done, _trained(network), optimizer, best, machine)


def _restore(network: Any, state: TrainingState) -> None:
    network.optimizer.build(network.trainable_variables)
    for variables, values in (
        (network.trainable_variables, state.weights),
        (network.optimizer.variables, state.optimizer),
    ):
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _epoch(network: Any, stream: Tokens, settings: LyricsSettings, dropout_seed: int | None) -> float:
    """Mean loss in nats a token over one pass: training where a dropout seed is given, measuring where none is."""
    reset(network, dropout_seed or 0)
    run = network.test_on_batch if dropout_seed is None else network.train_on_batch
    total = weight = 0.0
    for batch in batches(stream, settings.streams, settings.steps):
        network.reset_metrics()
        # Keras divides the loss by the number of cells, padded ones included.
        total += float(run(batch.inputs, batch.targets, sample_weight=batch.weights)) * batch.weights.size
        weight += float(batch.weights.sum())
    return total / weight


def _measure(model: LyricsModel, songs: _Songs, done: Progressed) -> dict[str, Any]:
    """Figures on held-out songs; on the training songs where none are held out, which `heldout_songs` of 0 tells."""
    measured = songs.heldout or songs.train
    size = len(songs.vocabulary)
    yardstick = KneserNey(_YARDSTICK_ORDER)
    yardstick.fit([stream.tolist() for stream in songs.train], size)
    # The first token of a song is given to both.
    found = [yardstick.log_probabilities(stream.tolist())[1:] for stream in measured]
    return {
        "heldout_perplexity": model.perplexity(measured),
        "heldout_perplexity_with_cache": model.perplexity(measured, cache_share=CACHE_SHARE),
        "heldout_perplexity_5gram": float(perplexity(np.concatenate(found))),
        "heldout_songs": len(songs.heldout),
        "heldout_tokens": _tokens(songs.heldout),
        "heldout_unknown_share": float(np.mean(joined(measured) == UNKNOWN_ID)),
        "train_songs": len(songs.train),
        "train_tokens": _tokens(songs.train),
        "vocabulary": size,
        "epochs": done.epoch,
        "history": done.history,
    }


def _tokens(streams: Sequence[Tokens]) -> int:
    return sum(len(stream) for stream in streams)
