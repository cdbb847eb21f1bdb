"""The loop of training: epochs of a bounded size, learning rate, average, early stopping, a state after each epoch.

An epoch is a part of a pass over all songs in a seeded order. The learning rate falls to zero over the planned epochs
by a half cosine: Loshchilov & Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", without restarts.
Everything random follows from the seed, the epoch and the batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.checkpoints import Checkpoint, processor, tell_of_going_on
from rhapsody_lib.lyrics.averaging import EVERY, WeightAverage
from rhapsody_lib.lyrics.checkpoint import Arrays, Progressed, TrainingState, load_state, save_state
from rhapsody_lib.lyrics.framework import device_name, load_keras, precision_of, seeded
from rhapsody_lib.lyrics.network import assign, build_network, choose_alternatives, learn, measure, reset, trained
from rhapsody_lib.lyrics.seed_network import build_seed_network, seed_epoch
from rhapsody_lib.lyrics.song_tokens import OrderedSongs, SongTokens
from rhapsody_lib.lyrics.streams import batches, joined
from rhapsody_lib.lyrics.vocabulary import Tokens
from rhapsody_lib.optional import require
from rhapsody_lib.progress import Progress, Recorder
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import LyricsSettings

#: Held-out tokens that are read after each epoch.
_CHECKED_TOKENS = 50_000
_SEED = "bilstm-seed"
#: Beyond it, exp is no number.
_LARGEST_NATS = 700.0


@dataclass(frozen=True)
class Task:
    """What is trained on what.

    Args:
        train: training songs.
        heldout: songs that tell when to stop; where there are none, the training songs do.
        vocabulary_size: number of tokens.
        settings: with a value for every size.
        seed: of weights, order and dropout.
        initial: weights to start from; none for fresh ones.
    """

    train: SongTokens
    heldout: SongTokens
    vocabulary_size: int
    settings: LyricsSettings
    seed: int
    initial: Arrays | None = None

    @property
    def parts(self) -> int:
        """Epochs of one pass."""
        return -(-self.train.tokens // self.settings.epoch_tokens)

    def epoch(self, index: int) -> OrderedSongs:
        """What is read in an epoch: a part of a pass over all songs in an order of its own."""
        order = generator(self.seed, "lyrics", "order", index // self.parts).permutation(len(self.train))
        return self.train.in_order(order).part(index % self.parts, self.parts)

    @cached_property
    def by_count(self) -> npt.NDArray[np.integer]:
        """All tokens by falling count in the training songs, the lower first where they are as frequent."""
        return np.argsort(-self.train.counts(self.vocabulary_size), kind="stable")

    def checked(self) -> Tokens:
        """What the loss is measured on after each epoch."""
        return joined(list((self.heldout or self.train).within(_CHECKED_TOKENS)))


@dataclass(frozen=True)
class Fitted:
    """The best weights, how far the training went, its speed in this process, and for `bilstm-seed` the network."""

    best: Arrays
    progressed: Progressed
    words_per_s: float
    network: Any


def fit(task: Task, checkpoint: Checkpoint, recipe: str, progress: Progress, record: Recorder) -> Fitted:
    """Train until the held-out loss has not fallen for `patience` epochs, or for `max_epochs`."""
    settings = task.settings
    state = load_state(checkpoint, recipe)
    done = state.progressed if state else Progressed()
    for epoch, figures in enumerate(done.history, start=1):
        record(epoch, _named(figures))
    if state and _finished(done, settings) and settings.architecture != _SEED:
        return Fitted(state.best, done, 0.0, None)
    network, machine = _started(task, state, done)
    average = WeightAverage(settings.weight_average, state.average if state else (), done.averaged)
    best = state.best if state else []
    checked, seconds, words = task.checked(), 0.0, 0
    while not _finished(done, settings):
        stream = task.epoch(done.epoch)
        started = time.monotonic()
        train_loss = _learn(network, stream, task, done.epoch, average)
        seconds += time.monotonic() - started
        words += len(stream) - 1
        current = trained(network)
        judged = average.values if average.active and average.values else current
        assign(network, judged)
        loss = _check(network, checked, settings)
        assign(network, current)
        # The first weights are kept even where their loss is no number: the gate refuses what diverged.
        better = loss < done.best_loss or not best
        best = list(judged) if better else best
        _count(done, train_loss, loss, average.count, better)
        optimizer = [np.array(variable.numpy()) for variable in network.optimizer.variables]
        state = TrainingState(done, current, optimizer, average.values, best, machine)
        save_state(checkpoint, recipe, state)
        record(done.epoch, _named(done.history[-1]))
        progress(done.epoch, settings.max_epochs, f"perplexity {_exp(loss):.0f}")
    words_per_s = words / max(seconds, 1e-9)
    if settings.architecture != _SEED:  # measured in NumPy: the network's memory is freed for the 5-gram
        return Fitted(best, done, words_per_s, None)
    assign(network, best)
    return Fitted(best, done, words_per_s, network)


def _count(done: Progressed, train_loss: float, loss: float, averaged: int, better: bool) -> None:
    done.epoch += 1
    done.averaged = averaged
    done.history.append({"train_perplexity": _exp(train_loss), "heldout_perplexity": _exp(loss)})
    done.best_loss = min(done.best_loss, loss)  # in this order: NaN is never the lowest
    done.epochs_without_gain = 0 if better else done.epochs_without_gain + 1


def _exp(loss: float) -> float:
    return float(np.exp(np.minimum(loss, _LARGEST_NATS)))


def _started(task: Task, state: TrainingState | None, done: Progressed) -> tuple[Any, dict[str, str]]:
    """The network with fresh weights or those of a saved state, and what it is computed on."""
    keras = load_keras()
    backend = keras.backend.backend()
    machine = {"device": device_name(keras), "processor": processor(), backend: require(backend).__version__}
    # What began in one arithmetic goes on in it.
    done.precision = done.precision or precision_of(keras, task.settings.precision)
    with seeded(keras, split_seed(task.seed, "lyrics") % 2**32):
        if task.settings.architecture == _SEED:
            network = build_seed_network(task.vocabulary_size, task.settings)
        else:
            network = build_network(task.vocabulary_size, task.settings, done.precision)
    if state:
        network.optimizer.build(network.trainable_variables)
        assign(network, state.weights)
        for variable, value in zip(network.optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        tell_of_going_on("lyrics", state.progressed.epoch, state.machine, machine)
    elif task.initial is not None:
        assign(network, task.initial)
    return network, machine


def _named(figures: Mapping[str, float]) -> dict[str, float]:
    return {name.replace("_", " "): value for name, value in figures.items()}


def _finished(done: Progressed, settings: LyricsSettings) -> bool:
    return done.epoch >= settings.max_epochs or done.epochs_without_gain >= settings.patience


def rate(settings: LyricsSettings, progressed: float) -> float:
    """The learning rate at a share of all planned epochs, 0 to 1."""
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(progressed, 1.0)))


def _learn(network: Any, stream: OrderedSongs, task: Task, epoch: int, average: WeightAverage) -> float:
    """Mean loss in nats a token over an epoch of training."""
    settings, seed = task.settings, split_seed(task.seed, "lyrics", "dropout", epoch)
    if settings.architecture == _SEED:
        return seed_epoch(network, stream[:], settings, seed)
    reset(network, seed)
    total = weight = 0.0
    count = -(-(len(stream) - 1) // (settings.streams * settings.steps))
    for index, batch in enumerate(batches(stream, settings.streams, settings.steps)):
        network.optimizer.learning_rate.assign(rate(settings, (epoch + index / count) / settings.max_epochs))
        choose_alternatives(network, split_seed(seed, "alternatives", index), task.by_count)
        # The loss is a mean over all cells, padded ones included.
        total += learn(network, batch) * batch.weights.size
        weight += float(batch.weights.sum())
        since = index % EVERY + 1
        if average.active and (since == EVERY or index == count - 1):
            average.update(trained(network), since)
    return total / max(weight, 1.0)


def _check(network: Any, stream: Tokens, settings: LyricsSettings) -> float:
    """Mean loss in nats a token over held-out songs."""
    if settings.architecture == _SEED:
        return seed_epoch(network, stream, settings, None)
    reset(network, 0)
    total = weight = 0.0
    for batch in batches(stream, settings.streams, settings.steps):
        total += measure(network, batch) * batch.weights.size
        weight += float(batch.weights.sum())
    return total / max(weight, 1.0)
