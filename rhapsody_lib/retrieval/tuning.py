"""Tuning of a sentence encoder on pairs of texts of one song: stopped by songs of other artists, resumable.

Multiple negatives ranking loss (Henderson et al.: Efficient Natural Language Response Suggestion, 2017, section 4.4),
both ways: each text must be nearer to its other half than to those of all other songs in the batch. The loop is our
own: the library's trainer needs two more packages, keeps its random state in pickles and does not end with the same
bytes after a kill.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.errors import InputError
from rhapsody_lib.optional import require
from rhapsody_lib.processors import available_processors
from rhapsody_lib.progress import Progress, Recorder, silent, unrecorded
from rhapsody_lib.retrieval.checkpoint import Run, machine, put, resume, save, start
from rhapsody_lib.retrieval.encoder import export_encoder, load_base, unknown_share, whole_text_tokenizer
from rhapsody_lib.retrieval.lexical import LexicalIndex
from rhapsody_lib.retrieval.metrics import rank_of
from rhapsody_lib.retrieval.pairs import (
    MOST_STOPPING,
    Pair,
    PairData,
    PairSong,
    batches,
    load_pairs,
    part_of,
    songs_to_read,
)
from rhapsody_lib.retrieval.scoring import standardised
from rhapsody_lib.retrieval.serving import Vectors
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.torch_states import BFLOAT16

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"
_GRADIENT_NORM, _WARM_UP = 1.0, 0.1
#: Tokens that are read together, with their padding. Of a whole batch nearly half were padding.
_CPU_TOKENS, _GPU_TOKENS = 1024, 16384
#: Figures of an epoch that are drawn.
_DRAWN = ("train_loss", "heldout_mrr", "heldout_mrr_sum")
#: Share of unknown tokens above which a model is said not to know the songs' language.
_MOST_UNKNOWN = 0.2


@contextmanager
def torch_settings(seed: int) -> Iterator[Any]:
    """Deterministic kernels, a thread for each processor and a seeded random state; all put back afterwards."""
    torch = require("torch")
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's products are refused as random
    with torch.random.fork_rng():
        torch.set_num_threads(available_processors())
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # all that is read was written
        torch.manual_seed(seed % 2**32)
        try:
            yield torch
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(deterministic)
            torch.utils.deterministic.fill_uninitialized_memory = filled


# -- an epoch ----------------------------------------------------------------------------------------------------------


def _embedded(torch: Any, run: Run, texts: Sequence[str], max_tokens: int) -> Any:
    """Unit vectors [texts x dimension], float32 on the run's device; texts of like lengths are read together."""
    device, tokenizer = next(iter(run.trained.values())).device, run.model.tokenizer
    tokens = tokenizer(list(texts), truncation=True, max_length=max_tokens)["input_ids"]
    parts = _of_like_lengths([len(row) for row in tokens], _CPU_TOKENS if device.type == "cpu" else _GPU_TOKENS)
    vectors = []
    for rows in parts:
        part = [texts[row] for row in rows]
        read = tokenizer(part, padding=True, truncation=True, max_length=max_tokens, return_tensors="pt")
        features = {name: read[name].to(device) for name in ("input_ids", "attention_mask")}
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=run.arithmetic == BFLOAT16):
            for module in run.model:
                features = module(features)
        vectors.append(features["sentence_embedding"].float())
    places = np.argsort(np.concatenate(parts))
    return torch.nn.functional.normalize(torch.cat(vectors)[torch.from_numpy(places).to(device)], dim=1)


def _of_like_lengths(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Rows in parts of at most `most` tokens with the padding, short texts first; a longer text stands alone."""
    parts: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if not parts or (len(parts[-1]) + 1) * lengths[row] > most:
            parts.append([])
        parts[-1].append(row)
    return parts


def _learning_rate(done: float, settings: EncoderSettings) -> float:
    """Warm-up over a tenth of the run, then a straight line to nothing."""
    return settings.learning_rate * min(1.0, done / _WARM_UP + 0.02, (1 - done) / (1 - _WARM_UP))


def epoch_pairs(model: Any, data: PairData, settings: EncoderSettings, seed: int, epoch: int) -> list[list[Pair]]:
    """The batches of pairs of an epoch."""
    tokenizer = whole_text_tokenizer(model)
    random = generator(seed, "encoder", "pairs", epoch)
    limit = settings.pair_tokens - model.tokenizer.num_special_tokens_to_add()

    def offsets(text: str) -> list[tuple[int, int]]:
        return list(tokenizer.encode(text, add_special_tokens=False).offsets)

    drawn = [song.draw(random) for song in data.epoch(epoch, settings.epoch_songs, seed)]
    cut = [(part_of(one, offsets, limit, random), part_of(other, offsets, limit, random)) for one, other in drawn]
    return batches(cut, settings.batch_size, random)


def train_epoch(
    torch: Any, run: Run, data: PairData, settings: EncoderSettings, seed: int, progress: Progress
) -> dict[str, float]:
    """Tune for the next epoch of a run.

    Returns:
        `train_loss` in nats, and `pairs`.

    Raises:
        InputError: the loss is no number any more.
    """
    epoch, began = len(run.history) - 1, time.perf_counter()
    made = epoch_pairs(run.model, data, settings, seed, epoch)
    total, pairs = 0.0, 0
    for index, batch in enumerate(made):
        for parameters in run.optimiser.param_groups:
            parameters["lr"] = _learning_rate((epoch + index / len(made)) / settings.max_epochs, settings)
        ours, theirs = (_embedded(torch, run, texts, settings.pair_tokens) for texts in zip(*batch, strict=True))
        scores = ours @ theirs.T * settings.scale
        right = torch.arange(len(batch), device=scores.device)
        losses = [torch.nn.functional.cross_entropy(side, right) for side in (scores, scores.T)]
        loss = (losses[0] + losses[1]) / 2
        run.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.trained.values(), _GRADIENT_NORM)
        run.optimiser.step()
        total, pairs = total + float(loss.detach()) * len(batch), pairs + len(batch)
        if not math.isfinite(total):
            raise InputError(
                f"encoder.model: its loss is no number after {pairs} pairs. The model's weights are damaged, or "
                f"encoder.learning_rate={settings.learning_rate:g} is too high for it."
            )
        progress(epoch * len(made) + index + 1, settings.max_epochs * len(made), f"loss {total / pairs:.3f}")
    logger.info("encoder: epoch %d, %.0f texts/s", epoch + 1, 2 * pairs / (time.perf_counter() - began))
    return {"train_loss": total / pairs, "pairs": pairs}


# -- what it is stopped by ---------------------------------------------------------------------------------------------


def _vectors(torch: Any, run: Run, texts: Sequence[str], settings: EncoderSettings) -> Vectors:
    with torch.no_grad():
        return np.asarray(_embedded(torch, run, texts, settings.max_tokens).cpu().numpy(), dtype=np.float32)


def heldout_figures(torch: Any, run: Run, songs: Sequence[PairSong], settings: EncoderSettings) -> dict[str, float]:
    """Mean reciprocal rank of songs' first halves, looked for by their second halves.

    Returns:
        `heldout_mrr` of the encoder alone, and `heldout_mrr_sum` of its scores and TF-IDF's, each in standard
        deviations.
    """
    firsts, seconds = ([song.halves[side] for song in songs] for side in (0, 1))
    scores = _vectors(torch, run, seconds, settings) @ _vectors(torch, run, firsts, settings).T
    index = LexicalIndex.build(firsts)
    alone, together = [], []
    for wanted, (row, second) in enumerate(zip(scores, seconds, strict=True)):
        alone.append(1 / rank_of(row, wanted))
        together.append(1 / rank_of(standardised(row) + standardised(index.scores(second)), wanted))
    return {"heldout_mrr": float(np.mean(alone)), "heldout_mrr_sum": float(np.mean(together))}


# -- the whole ---------------------------------------------------------------------------------------------------------


def tune(
    model: Any,
    data: PairData,
    checkpoint: Checkpoint,
    settings: EncoderSettings,
    *,
    weights: Mapping[str, str],
    seed: int,
    progress: Progress,
    record: Recorder,
) -> dict[str, Any]:
    """Tune a model in place, to its best epoch; it is left on the CPU, as it came where nothing helped.

    Args:
        model: a `SentenceTransformer` from `encoder.load_model`.
        data: songs to draw pairs from and to stop by.
        checkpoint: keeps the state of each epoch, from which the same call goes on after a kill.
        settings: length of the training, sizes and rates.
        weights: SHA-256 by name of the files that the model came from.
        seed: root seed.
        progress: told of each batch.
        record: told the figures of each epoch, those before a kill too.

    Returns:
        Figures before and after, history and counts, for metrics.json.

    Raises:
        InputError: the loss is no number any more.
        StoreError: the saved states cannot be read, for the store does not answer.
    """
    parts = f"{data.fingerprint} {settings.model_dump_json()} {seed} {json.dumps(dict(weights), sort_keys=True)}"
    recipe = hashlib.sha256(parts.encode()).hexdigest()
    with torch_settings(split_seed(seed, "encoder", "tuning")) as torch:
        run = start(torch, model, settings)
        resume(run, checkpoint, recipe)
        if not run.history:
            run.history.append(heldout_figures(torch, run, data.stopping, settings))
        for epoch, figures in enumerate(run.history[1:], start=1):
            record(epoch, _named(figures))
        while not run.finished(settings):
            figures = train_epoch(torch, run, data, settings, seed, progress)
            run.history.append({**figures, **heldout_figures(torch, run, data.stopping, settings)})
            if run.best_epoch == len(run.history) - 1:
                run.best = {name: value.detach().clone() for name, value in run.trained.items()}
            save(run, checkpoint, recipe)
            record(len(run.history) - 1, _named(run.history[-1]))
        return _finished(run, data)


def _finished(run: Run, data: PairData) -> dict[str, Any]:
    before, best, device = run.history[0], run.history[run.best_epoch], machine(run)["processor"]
    if run.best:
        put(run, run.best)
    elif run.best_epoch == 0:
        logger.warning("encoder: the tuning found no held-out song better than the model as it came, which is kept.")
    run.model.to("cpu").eval()
    return {
        "heldout_mrr_before": before["heldout_mrr"],
        "heldout_mrr": best["heldout_mrr"],
        "heldout_mrr_sum_before": before["heldout_mrr_sum"],
        "heldout_mrr_sum": best["heldout_mrr_sum"],
        "best_epoch": run.best_epoch,
        "history": [{name: figures[name] for name in _DRAWN} for figures in run.history[1:]],
        "train_songs": len(data.train),
        "written_lyrics": sum(bool(song.written) for song in data.train),
        "train_artists": data.artists,
        "stopping_songs": len(data.stopping),
        "pairs": int(sum(figures.get("pairs", 0) for figures in run.history)),
        "arithmetic": run.arithmetic,
        "device": device,
    }


def _named(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures of an epoch as they are drawn."""
    return {name.replace("_", " "): figures[name] for name in _DRAWN}


def tune_encoder(
    corpus: Path,
    out: Path,
    checkpoint: Checkpoint,
    settings: EncoderSettings,
    *,
    seed: int,
    written: Path | None = None,
    progress: Progress = silent,
    record: Recorder = unrecorded,
) -> dict[str, Any]:
    """Tune the model that the settings name on a prepared corpus, and write it for serving with its metrics.

    A corpus of too few songs, or of too few artists to hold any out, leaves the model as it came; metrics say so.

    Args:
        corpus: folder with songs.parquet.
        out: folder for encoder.onnx, tokenizer.json, encoder.json and metrics.json.
        checkpoint: keeps the state of each epoch, from which the same call goes on after a kill.
        settings: model, length of the training, sizes and rates.
        seed: root seed.
        written: table of lyrics that were written from lines of songs, if there is one (`pairs.WRITTEN_SCHEMA`).
        progress: told of each batch.
        record: told the figures of each epoch, those before a kill too.

    Returns:
        What metrics.json holds.

    Raises:
        InputError: the model cannot be had, loaded, tuned or exported.
        SourceError: the corpus holds no song.
        StoreError: the saved states cannot be read, for the store does not answer.
        MissingExtraError: the extra `retrieval` or `offline` is not installed.
    """
    data = load_pairs(corpus, settings.heldout_artists, written, most_songs=songs_to_read(settings))
    model, name, weights = load_base(settings.model)
    metrics: dict[str, Any] = {"tuned": not data.lacks, "train_songs": len(data.train)}
    unknown = unknown_share(model, [song.halves[0] for song in (*data.stopping, *data.train[:MOST_STOPPING])])
    if unknown > _MOST_UNKNOWN:
        logger.warning(
            "encoder: %.0f %% of the songs' tokens are unknown to '%s'. Choose a model of their language with "
            "encoder.model, such as paraphrase-multilingual-MiniLM-L12-v2.",
            100 * unknown,
            name,
        )
    if data.lacks:
        logger.warning("encoder: '%s' is not tuned, but taken as it is: the corpus has %s.", name, data.lacks)
        metrics["not_tuned"] = data.lacks
    else:
        metrics |= tune(model, data, checkpoint, settings, weights=weights, seed=seed, progress=progress, record=record)
        metrics["heldout_artists"] = settings.heldout_artists
    tuned = f"{name}, tuned" if metrics.get("best_epoch") else name
    export_encoder(model, tuned, weights, out, settings.max_tokens)
    metrics["unknown_tokens"] = round(unknown, 4)
    (out / METRICS_FILE).write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    return metrics
