"""Speed of the backing training in a process of its own: ours, the notebooks' loop and the peak, turn about.

`python -m tests.benchmarks.backing_training_child speed JSON` prints JSON. All of it runs on one thread, and what is
told is by the processor time of that thread: others on the machine disturb it less than the clock on the wall.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

#: Size of the products whose speed is the peak, and how often each is measured in a round.
_PEAK_SIZE, _PEAK_TIMES = 1024, 12
#: Events after which the notebooks' loop goes back through time; ours are the settings' `steps`.
NOTEBOOK_STEPS = 48


def speed(corpus: str, settings: dict[str, Any], rounds: int, seconds: float) -> dict[str, Any]:
    """Events a second of CPU time, and the peak in FLOP a second: the median of the rounds.

    Args:
        corpus: a prepared corpus.
        settings: of the training; `epoch_tokens` is what a round trains on in each arithmetic.
        rounds: in each, all ways are measured one after another.
        seconds: of CPU time that the notebooks' loop has in each round.
    """
    from rhapsody_lib.backing.checkpoint import start
    from rhapsody_lib.backing.dataset import load_data
    from rhapsody_lib.backing.training import torch_settings, train_epoch
    from rhapsody_lib.progress import silent
    from rhapsody_lib.settings import BackingSettings
    from rhapsody_lib.torch_states import BFLOAT16, FLOAT32, has_fast_bfloat16

    chosen, data = BackingSettings.model_validate(settings), load_data(Path(corpus))
    found: dict[str, list[float]] = {}
    with torch_settings(0) as torch:
        runs = {name: start(len(data.vocabulary), chosen) for name in (FLOAT32, BFLOAT16)}
        notebook = _Notebook(torch, len(data.vocabulary), chosen, data.train[0].ids.tolist())
        ways: dict[str, Callable[[], float]] = {}
        for name, run in runs.items():
            run.arithmetic = name
            ways[name] = partial(_epoch, partial(train_epoch, torch, run, data, chosen, 0, silent), run)
            ways[f"peak {name}"] = partial(_peak, torch, getattr(torch, name))
        ways["notebooks"] = partial(notebook.train, seconds)
        for number in range(rounds + 1):
            for name, way in ways.items():
                value = way()
                if number:  # the first round warms up
                    found.setdefault(name, []).append(value)
        products = ("gru.weight_ih", "gru.weight_hh", "output.weight")
        weights = sum(v.numel() for k, v in runs[FLOAT32].network.state_dict().items() if k.startswith(products))
    tokens = _tokens_of_epoch(chosen)
    per_s = {name: statistics.median(values) for name, values in found.items()}
    return {
        **{name: value if name.startswith(("peak", "notebooks")) else tokens / value for name, value in per_s.items()},
        "flop_per_event": 3 * 2 * weights,
        "default": BFLOAT16 if has_fast_bfloat16() else FLOAT32,
        "padding": _padding(sorted(len(song.ids) for song in data.train), chosen.streams),
    }


def _padding(lengths: list[int], songs: int) -> float:
    """Share of empty places in batches of so many whole songs, of like lengths."""
    batches = [lengths[first : first + songs] for first in range(0, len(lengths), songs)]
    return 1 - sum(lengths) / sum(max(batch) * len(batch) for batch in batches)


def _tokens_of_epoch(settings: Any) -> int:
    batch = settings.streams * settings.steps
    return int(max(1, round(settings.epoch_tokens / batch)) * batch)


def _epoch(train: Callable[[], dict[str, float]], run: Any) -> float:
    """Seconds of an epoch."""
    began = time.thread_time()
    figures = train()
    run.history.append({**figures, "heldout_nll": 0.0})
    return time.thread_time() - began


def _peak(torch: Any, kind: Any) -> float:
    left, right = (torch.randn(_PEAK_SIZE, _PEAK_SIZE).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(_PEAK_TIMES):
        began = time.thread_time()
        left @ right
        best = min(best, time.thread_time() - began)
    return float(2 * _PEAK_SIZE**3 / best)


class _Notebook:
    """The ancestor's way: a batch of one, one event a call, a Python loop over them, Adam after each sequence."""

    def __init__(self, torch: Any, vocabulary: int, settings: Any, ids: list[int]) -> None:
        self._torch, self._ids, self._at = torch, ids, 0
        nn = torch.nn
        self._embedding = nn.Embedding(vocabulary, settings.embedding_size)
        self._gru = nn.GRU(settings.embedding_size, settings.hidden_size, settings.layers)
        self._output = nn.Linear(settings.hidden_size, vocabulary)
        parts = (self._embedding, self._gru, self._output)
        self._optimiser = torch.optim.Adam([weight for part in parts for weight in part.parameters()])
        self._loss = nn.CrossEntropyLoss()

    def train(self, seconds: float) -> float:
        """Events a second."""
        began, events = time.thread_time(), 0
        while time.thread_time() - began < seconds:
            events += self._sequence()
        return events / (time.thread_time() - began)

    def _sequence(self) -> int:
        torch = self._torch
        if self._at + NOTEBOOK_STEPS + 1 > len(self._ids):
            self._at = 0
        ids = self._ids[self._at : self._at + NOTEBOOK_STEPS + 1]
        self._at += NOTEBOOK_STEPS
        self._optimiser.zero_grad()
        hidden, loss = None, 0.0
        for event, following in itertools.pairwise(ids):
            embedded = self._embedding(torch.tensor([event])).view(1, 1, -1)
            output, hidden = self._gru(embedded, hidden)
            loss = loss + self._loss(self._output(output[0]), torch.tensor([following]))
        loss.backward()  # type: ignore[attr-defined]
        self._optimiser.step()
        return len(ids) - 1


if __name__ == "__main__":
    print(json.dumps({"speed": speed}[sys.argv[1]](**json.loads(sys.argv[2]))))
