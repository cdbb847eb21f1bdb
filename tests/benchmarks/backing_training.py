"""Speed of the backing training beside the notebooks' loop and the machine's peak; likelihood beside a 5-gram."""

from __future__ import annotations

import json
from typing import Any

from rhapsody_lib.backing.training import METRICS_FILE
from tests.benchmarks.backing_bench import SONGBOOK, Bench, factor
from tests.benchmarks.table import Row

#: Size of the notebooks' own network, and the one whose products are held against the peak.
NOTEBOOK_HIDDEN, SPEED_HIDDEN, SPEED_EMBEDDING, SPEED_ROUNDS = 96, 512, 128, 3
SPEED_TARGET, PEAK_SHARE, NGRAM_SHARE = 30, 0.6, 0.85


def _speeds(bench: Bench, hidden: int, embedding: int) -> tuple[int, dict[str, Any]]:
    """Streams of the training, and what the child found at a size."""
    tokens = 40_000 if bench.quick else 60_000
    sizes = (f"backing.hidden_size={hidden}", f"backing.embedding_size={embedding}")
    settings = bench.settings(*sizes, f"backing.epoch_tokens={tokens}", "backing.max_epochs=10").backing
    found = bench.child(
        "backing_training_child",
        "speed",
        corpus=bench.corpus_folder(SONGBOOK),
        settings=settings.model_dump(),
        rounds=1 if bench.quick else SPEED_ROUNDS,
        seconds=2.0 if bench.quick else 6.0,
    )
    return settings.streams, found


def training(bench: Bench) -> list[Row]:
    """Events a second beside the notebooks' loop, at its own size and at hidden 512; there as a share of the peak.

    The loop is bound by calls at its own size, by memory at hidden 512: there it does the better, the less the machine
    has to do beside it.
    """
    rows = []
    for hidden, embedding in ((NOTEBOOK_HIDDEN, NOTEBOOK_HIDDEN), (SPEED_HIDDEN, SPEED_EMBEDDING)):
        streams, found = _speeds(bench, hidden, embedding)
        default = found["default"]
        what = f"training, events/s of CPU time, hidden {hidden}, {streams} streams, {default}, beside the loop"
        rows.append(factor(what, found[default], found["notebooks"], at_least=SPEED_TARGET))
    for arithmetic in ("bfloat16", "float32"):
        reached = found[arithmetic] * found["flop_per_event"] / 1e9
        name = f"training in {arithmetic}, GFLOP/s of its products, beside one core's peak in {arithmetic}"
        rows.append(factor(name, reached, found[f"peak {arithmetic}"] / 1e9, at_least=PEAK_SHARE))
    rows.append(Row("products of an event, MFLOP, forward and backward", round(found["flop_per_event"] / 1e6, 2)))
    padding = f"share of empty places if {streams} whole songs of like lengths were a batch"
    rows.append(Row(padding, round(found["padding"], 3), target="none in streams"))
    return rows


def likelihood(bench: Bench) -> list[Row]:
    """Held-out negative log-likelihood per event of each corpus beside a Kneser-Ney 5-gram on the same tokens."""
    rows: list[Row] = []
    for name in bench.corpora:
        folder = bench.backing_model(name)
        metrics = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        what = (
            f"{name}: held-out nats per event, profile {bench.profile}, {metrics['heldout_songs']} songs of "
            f"{metrics['train_songs'] + metrics['heldout_songs']}, beside the 5-gram"
        )
        rows.append(factor(what, metrics["heldout_nll"], metrics["ngram_nll"], at_most=NGRAM_SHARE, shown=3))
        rows.append(Row(f"{name}: epochs trained, the best one kept", len(metrics["history"])))
    return rows
