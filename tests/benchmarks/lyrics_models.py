"""Held-out perplexity of models trained by the ordinary steps, beside a 5-gram and the notebooks' network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.lyrics.training import METRICS_FILE
from tests.benchmarks.lyrics_bench import KAGGLE, Bench, factor
from tests.benchmarks.table import Row

#: Factors on the 5-gram's perplexity to be reached: the LSTM alone, and with all that it is mixed with.
TARGETS = {"openewld": (0.90, 0.55), KAGGLE: (0.64, 0.56)}
QUICK = ("songbook", KAGGLE)
#: The notebooks' network is trained on these: on millions of words it takes hours.
SEED_CORPORA = ("songbook", "openewld")
_ALONE, _FIVE_GRAM = "heldout_perplexity", "heldout_perplexity_5gram"
#: What a figure of the model with more than itself is called, in the order of the table.
_MIXED = {
    "heldout_perplexity_with_cache": "LSTM with cache",
    "heldout_perplexity_with_mixture": "LSTM with cache and 5-gram",
}


def perplexities(bench: Bench) -> list[Row]:
    """Each corpus that is there."""
    rows: list[Row] = []
    for name in bench.sources:
        if name in (bench.corpora or (QUICK if bench.quick else bench.sources)):
            rows += _of_corpus(bench, name)
    return rows


def lyrics_model(bench: Bench, name: str, *changes: str) -> ArtifactRef:
    """The model of a corpus, trained by the ordinary step; once."""
    return operations.train_lyrics(bench.store, bench.settings(*changes), bench.prepared(name))


def metrics_of(bench: Bench, ref: ArtifactRef) -> dict[str, Any]:
    """What the training measured on the held-out songs."""
    folder = Store(bench.store).fetch(ref)
    metrics: dict[str, Any] = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
    return metrics


def _of_corpus(bench: Bench, name: str) -> list[Row]:
    metrics = metrics_of(bench, lyrics_model(bench, name))
    all_songs = metrics["train_songs"] + metrics["heldout_songs"]
    settings = "".join(f", {change}" for change in bench.changes)
    rows = [Row(f"{name}: held-out songs, of {all_songs}{settings}", metrics["heldout_songs"])]
    rows += _beside_5gram(name, metrics)
    if name in SEED_CORPORA:
        seed = metrics_of(bench, lyrics_model(bench, name, "lyrics.architecture=bilstm-seed"))
        rows.append(factor(f"{name}: perplexity, bilstm-seed / 5-gram", seed[_ALONE], metrics[_FIVE_GRAM]))
        rows.append(factor(f"{name}: perplexity, LSTM alone / bilstm-seed", metrics[_ALONE], seed[_ALONE]))
    return rows


def _beside_5gram(name: str, metrics: Mapping[str, Any]) -> list[Row]:
    five_gram = metrics[_FIVE_GRAM]
    alone, mixed = TARGETS.get(name, (0.0, 0.0))
    found = {key: metrics[key] for key in _MIXED if key in metrics}
    rows = [factor(f"{name}: perplexity, LSTM alone / 5-gram", metrics[_ALONE], five_gram, at_most=alone)]
    for key, value in found.items():
        # The target is for the best of them: more is mixed in only where it pays.
        limit = mixed if value == min(found.values()) else 0.0
        rows.append(factor(f"{name}: perplexity, {_MIXED[key]} / 5-gram", value, five_gram, at_most=limit))
    return rows
