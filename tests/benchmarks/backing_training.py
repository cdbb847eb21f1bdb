"""Speed of the backing training beside the notebooks' loop and the machine's peak; likelihood beside a 5-gram."""

from __future__ import annotations

import json

from rhapsody_lib.backing.training import METRICS_FILE
from tests.benchmarks.backing_bench import SONGBOOK, Bench, factor
from tests.benchmarks.table import Row

SPEED_HIDDEN, SPEED_ROUNDS = 512, 3
SPEED_TARGET, PEAK_SHARE, NGRAM_SHARE = 30, 0.6, 0.85


def training(bench: Bench) -> list[Row]:
    """Events a second at hidden 512 beside the notebooks' loop of the same size, and as a share of the peak."""
    tokens = 40_000 if bench.quick else 60_000
    changes = (f"backing.hidden_size={SPEED_HIDDEN}", f"backing.epoch_tokens={tokens}")
    settings = bench.settings(*changes, "backing.max_epochs=10").backing
    found = bench.child(
        "backing_training_child",
        "speed",
        corpus=bench.corpus_folder(SONGBOOK),
        settings=settings.model_dump(),
        rounds=1 if bench.quick else SPEED_ROUNDS,
        seconds=2.0 if bench.quick else 6.0,
    )
    default = found["default"]
    what = f"training, events/s of CPU time, hidden {SPEED_HIDDEN}, {settings.streams} streams, {default}"
    rows = [factor(f"{what}, beside the notebooks' loop", found[default], found["notebooks"], at_least=SPEED_TARGET)]
    for arithmetic in ("bfloat16", "float32"):
        reached = found[arithmetic] * found["flop_per_event"] / 1e9
        name = f"training in {arithmetic}, GFLOP/s of its products, beside one core's peak in {arithmetic}"
        rows.append(factor(name, reached, found[f"peak {arithmetic}"] / 1e9, at_least=PEAK_SHARE))
    rows.append(Row("products of an event, MFLOP, forward and backward", round(found["flop_per_event"] / 1e6, 2)))
    padding = f"share of empty places if {settings.streams} whole songs of like lengths were a batch"
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
