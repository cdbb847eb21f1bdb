"""A run of the backing training and its state after each epoch, for a killed run to go on from."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from rhapsody_lib.backing.network import build_network
from rhapsody_lib.checkpoints import Checkpoint, processor
from rhapsody_lib.optional import require
from rhapsody_lib.settings import BackingSettings
from rhapsody_lib.torch_states import BFLOAT16, FLOAT32, TorchState, has_fast_bfloat16, load_state, save_state

logger = logging.getLogger(__name__)


@dataclass
class Run:
    """A run's network, optimiser and history. Its arithmetic is chosen once and kept to, also by who goes on with it.

    Args:
        network: from `build_network`.
        optimiser: AdamW over its parameters.
        best: weights of the best epoch.
        arithmetic: of the products: `bfloat16` or `float32`.
        history: figures of each epoch.
    """

    network: Any
    optimiser: Any
    best: dict[str, Any]
    arithmetic: str
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Index of the epoch with the lowest held-out loss."""
        return min(range(len(self.history)), key=lambda epoch: self.history[epoch]["heldout_nll"])

    def finished(self, settings: BackingSettings) -> bool:
        """Whether all epochs are done, or the last few brought nothing."""
        done = len(self.history)
        return done >= settings.max_epochs or (done > 0 and done - 1 - self.best_epoch >= settings.patience)


def start(vocabulary_size: int, settings: BackingSettings) -> Run:
    """A run with fresh weights, drawn from torch's current random state."""
    torch = require("torch")
    network = build_network(vocabulary_size, settings)
    # Fused is one pass over the weights instead of a dozen.
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=0.01, fused=True)
    return Run(network, optimiser, {}, BFLOAT16 if has_fast_bfloat16() else FLOAT32)


def _machine() -> dict[str, str]:
    return {"processor": processor(), "torch": str(require("torch").__version__)}


def save(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Save everything that the next epoch depends on."""
    state = TorchState(run.network.state_dict(), run.best, run.arithmetic, run.history)
    save_state(checkpoint, len(run.history), recipe, state, run.optimiser, _machine())


def resume(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Take up the newest state of the same recipe; states of another, or of another layout, are removed.

    Raises:
        StoreError: the store does not answer.
    """
    state = load_state(checkpoint, "backing", recipe, run.optimiser, _machine())
    if state is None:
        return
    run.network.load_state_dict(state.weights)
    run.best, run.arithmetic, run.history = state.best, state.arithmetic, state.history
    if run.arithmetic == BFLOAT16 and not has_fast_bfloat16():
        logger.warning("backing: goes on in bfloat16, as it began, without hardware for it: it will be slower.")
