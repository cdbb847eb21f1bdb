"""Training of the GRU: early stopping on held-out songs, resumable after each epoch.

What is random depends on the seed and the epoch alone, and each epoch begins without a carried state of the GRU; so a
killed run that is called again ends with the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.base import BASE_READ_FILE, BackingBase, open_base, save_marks
from rhapsody_lib.backing.checkpoint import Run, resume, save, start
from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.copying import MELODIES_FILE
from rhapsody_lib.backing.dataset import BackingData, PackedSong, load_data, streams, tokens_to_read
from rhapsody_lib.backing.network import build_network, forward
from rhapsody_lib.backing.recurrence import mean_nll
from rhapsody_lib.backing.tokens import HEADER_TOKENS
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.ngram import KneserNey
from rhapsody_lib.optional import require
from rhapsody_lib.progress import Progress, Recorder, silent, unrecorded
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import BackingSettings
from rhapsody_lib.torch_states import BFLOAT16

logger = logging.getLogger(__name__)

WEIGHTS_FILE, VOCABULARY_FILE, METRICS_FILE = "weights.safetensors", "vocabulary.json", "metrics.json"
_GRADIENT_NORM = 1.0
_EVALUATION_SONGS, _EVALUATION_STEPS = 16, 512
#: Held-out songs by which training stops; the figure reported at the end is of all of them.
_STOPPING_SONGS = 12
NGRAM_ORDER = 5


@contextmanager
def torch_settings(seed: int) -> Iterator[Any]:
    """One thread, deterministic kernels and a seeded random state; all put back afterwards."""
    torch = require("torch")
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # all that is read was written
        torch.manual_seed(seed)
        try:
            yield torch
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = filled


def _learning_rate(done: float, settings: BackingSettings) -> float:
    """Warm-up over a fiftieth of the run, then a half cosine to a twentieth."""
    return settings.learning_rate * min(1.0, done * 50 + 0.02, 0.05 + 0.475 * (1 + math.cos(math.pi * done)))


def _epoch_batches(
    data: BackingData, settings: BackingSettings, seed: int, epoch: int
) -> list[tuple[NDArray[np.int16], NDArray[np.int16]]]:
    """(rows, targets) of one epoch: the next `epoch_tokens` of passes over the corpus, each in another order."""
    wanted = max(1, round(settings.epoch_tokens / (settings.streams * settings.steps)))
    found: list[tuple[NDArray[np.int16], NDArray[np.int16]]] = []
    passes, to_skip = 0, epoch * wanted
    while len(found) < wanted:
        rows, targets = streams(data.train, settings.streams, generator(seed, "backing", "pass", passes))
        cuts = range(0, targets.shape[1], settings.steps)[to_skip:]
        to_skip = max(0, to_skip - math.ceil(targets.shape[1] / settings.steps))
        found += [(rows[:, cut : cut + settings.steps], targets[:, cut : cut + settings.steps]) for cut in cuts]
        passes += 1
    return found[:wanted]


def train_epoch(
    torch: Any, run: Run, data: BackingData, settings: BackingSettings, seed: int, progress: Progress
) -> dict[str, float]:
    """Train for the next epoch of a run; its mean loss in nats per token."""
    epoch, began = len(run.history), time.perf_counter()
    torch.manual_seed(split_seed(seed, "backing", "dropout", epoch) % 2**32)
    groups = _epoch_batches(data, settings, seed, epoch)
    total, events, state = 0.0, 0, None
    products = torch.bfloat16 if run.arithmetic == BFLOAT16 else torch.float32
    for index, group in enumerate(groups):
        rate = _learning_rate((epoch + index / len(groups)) / settings.max_epochs, settings)
        for parameters in run.optimiser.param_groups:
            parameters["lr"] = rate
        rows, targets = (torch.from_numpy(array.swapaxes(0, 1).astype(np.int64)) for array in group)
        state = state if state is not None and state.shape[1] == rows.shape[1] else None
        logits, state = forward(run.network, rows, state, dropout=settings.dropout, products=products)
        loss = mean_nll(torch, logits.flatten(0, 1), targets.flatten())
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), _GRADIENT_NORM)
        run.optimiser.step()
        total, events = total + float(loss.detach()) * targets.numel(), events + targets.numel()
        progress(epoch * len(groups) + index + 1, settings.max_epochs * len(groups), f"loss {total / events:.3f}")
    logger.info("backing: epoch %d, %.0f tokens/s", epoch + 1, events / (time.perf_counter() - began))
    return {"train_nll": total / events}


def heldout_nll(network: Any, songs: Sequence[PackedSong]) -> float:
    """Mean negative log-likelihood per token in nats, over whole songs after their headers."""
    torch = require("torch")
    order = sorted(songs, key=lambda song: len(song.ids))
    total, events = 0.0, 0
    with torch.no_grad():
        for begin in range(0, len(order), _EVALUATION_SONGS):
            group, state = order[begin : begin + _EVALUATION_SONGS], None
            longest = len(group[-1].ids)
            rows = np.zeros((longest, len(group), COLUMNS), dtype=np.int64)
            targets = np.zeros((longest, len(group)), dtype=np.int64)
            for line, song in enumerate(group):
                rows[: len(song.ids), line] = song.rows
                targets[HEADER_TOKENS - 1 : len(song.ids) - 1, line] = song.ids[HEADER_TOKENS:]
            for start in range(0, longest, _EVALUATION_STEPS):
                piece = slice(start, start + _EVALUATION_STEPS)
                wanted = torch.from_numpy(targets[piece])
                logits, state = forward(network, torch.from_numpy(rows[piece]), state)
                losses = torch.nn.functional.cross_entropy(
                    logits.flatten(0, 1), wanted.flatten(), ignore_index=0, reduction="sum"
                )
                total, events = total + float(losses), events + int((wanted != 0).sum())
    return total / events


def measured(weights: Mapping[str, NDArray[np.float32]], vocabulary: Vocabulary, songs: Sequence[PackedSong]) -> float:
    """`heldout_nll` of weights by their names in torch."""
    hidden = weights["gru.weight_hh_l0"].shape[1]
    sizes = {"embedding_size": weights["embedding.weight"].shape[1], "hidden_size": hidden}
    layers = sum(name.startswith("gru.weight_ih_l") for name in weights)
    with torch_settings(0) as torch:
        network = build_network(len(vocabulary), BackingSettings(**sizes, layers=layers))
        network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
        return heldout_nll(network, songs)


def ngram_nll(data: BackingData) -> float:
    """The yardstick: an interpolated modified Kneser-Ney 5-gram on the same tokens, nats per token."""
    model = KneserNey(NGRAM_ORDER)
    model.fit((song.ids.tolist() for song in data.train), len(data.vocabulary))
    found = [model.log_probabilities(song.ids.tolist())[HEADER_TOKENS:] for song in data.heldout]
    return -float(np.concatenate(found).mean())


def _write(run: Run, data: BackingData, out: Path, about: dict[str, Any]) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    run.network.load_state_dict(run.best)
    metrics: dict[str, Any] = {
        "heldout_nll": heldout_nll(run.network, data.heldout),
        "ngram_nll": ngram_nll(data),
        "history": run.history,
        "train_songs": len(data.train),
        "train_songs_in_corpus": data.train_songs_in_corpus,
        "heldout_songs": len(data.heldout),
        "measured_on": data.measured_on,
        "skipped_tracks": data.skipped,
        "train_tokens": int(sum(len(song.ids) for song in data.train)),
        "heldout_tokens": int(sum(len(song.ids) for song in data.heldout)),
        "vocabulary": len(data.vocabulary),
        "arithmetic": run.arithmetic,
        "heldout_melodies": data.melodies.figures(),
        **about,
    }
    tensors = {name: value.contiguous() for name, value in run.best.items()}
    require("safetensors.torch").save_file(tensors, out / WEIGHTS_FILE)
    data.vocabulary.save(out / VOCABULARY_FILE)
    data.melodies.save(out / MELODIES_FILE)
    (out / METRICS_FILE).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    return metrics


def train_backing(
    corpus: Path,
    out: Path,
    checkpoint: Checkpoint,
    settings: BackingSettings,
    *,
    seed: int,
    progress: Progress = silent,
    record: Recorder = unrecorded,
) -> dict[str, Any]:
    """Train on the tracks of a prepared corpus; write weights, vocabulary and metrics into `out`.

    Sections of a training song that repeat an earlier one note for note are left out of training.

    Args:
        corpus: folder with songs.parquet and tracks.parquet.
        out: folder for weights.safetensors, vocabulary.json, melodies.safetensors, metrics.json; with a base model
            base_read.json.
        checkpoint: keeps the state of each epoch, from which the same call goes on after a kill.
        settings: size, optimiser and length of the training.
        seed: root seed.
        progress: told of each batch.
        record: told the figures of each epoch, those before a kill too.

    Returns:
        What metrics.json holds.

    Raises:
        SourceError: the corpus holds nothing to train on.
        StoreError: the saved states cannot be read, for the store does not answer.
        InputError: there is no such base model.
        DamagedArtifactError: the base model is damaged.
        MissingExtraError: torch or symusic is not installed.
    """
    base = open_base(settings.base)
    settings = base.sized(settings) if base else settings
    data, known = _unread(load_data(corpus, tokens_to_read(settings)), base)
    parts = f"{data.fingerprint} {settings.model_dump_json()} {seed} {base.digest if base else ''}"
    recipe = hashlib.sha256(parts.encode()).hexdigest()
    with torch_settings(split_seed(seed, "backing", "weights") % 2**32) as torch:
        run = start(len(data.vocabulary), settings)
        if base:
            weights = base.weights_for(data.vocabulary)
            run.network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        else:
            _silence_unseen(torch, run.network, data)
        resume(run, checkpoint, recipe)
        for epoch, figures in enumerate(run.history, start=1):
            record(epoch, _named(figures))
        while not run.finished(settings):
            figures = train_epoch(torch, run, data, settings, seed, progress)
            stopping = heldout_nll(run.network, data.heldout[:: -(-len(data.heldout) // _STOPPING_SONGS)])
            run.history.append({**figures, "heldout_nll": stopping})
            if run.best_epoch == len(run.history) - 1:
                run.best = {name: value.clone() for name, value in run.network.state_dict().items()}
            save(run, checkpoint, recipe)
            record(len(run.history), _named(run.history[-1]))
        metrics = _write(run, data, out, {"base": base.digest, "heldout_known_to_base": known} if base else {})
    if base:
        save_marks(out / BASE_READ_FILE, base.read)
    return metrics


def _silence_unseen(torch: Any, network: Any, data: BackingData) -> None:
    """Let inputs that no training song has add nothing: left at random, they would disturb what is written.

    Songs without words have no lines, files of other makers no sections; what is written has both.
    """
    size = len(data.vocabulary)
    seen = np.zeros(COLUMNS * size, dtype=bool)
    for song in data.train:
        seen[song.rows.astype(np.int64) + np.arange(COLUMNS) * size] = True
    with torch.no_grad():
        network["embedding"].weight[torch.from_numpy(~seen)] = 0.0


def _unread(data: BackingData, base: BackingBase | None) -> tuple[BackingData, int]:
    """The data without held-out songs that the base was trained on, and how many those were.

    The base's melodies are beside the data's own, for they were learnt too.
    """
    if base is None:
        return data, 0
    data = replace(data, melodies=data.melodies.with_codes(base.melodies))
    unread = tuple(song for song in data.heldout if song.mark not in base.read)
    known = len(data.heldout) - len(unread)
    if not unread:
        logger.warning(
            "All %d held-out songs were read by the base model: the figures named heldout are flattered. Train with "
            "backing.base=none for figures of new songs.",
            known,
        )
        return data, known
    return replace(data, heldout=unread), known


def _named(figures: dict[str, float]) -> dict[str, float]:
    return {name.replace("_nll", " loss"): value for name, value in figures.items()}
