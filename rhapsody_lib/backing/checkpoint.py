"""A run of the backing training and its state after each epoch, for a killed run to go on from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rhapsody_lib.backing.network import build_network
from rhapsody_lib.checkpoints import Checkpoint, processor, warn_of_another_machine
from rhapsody_lib.optional import require
from rhapsody_lib.settings import BackingSettings

logger = logging.getLogger(__name__)

FLOAT32, BFLOAT16 = "float32", "bfloat16"


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


def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware: AMX, or AVX-512 BF16, at twice the speed of float32."""
    tests = (getattr(require("torch").cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
    return any(test() for test in tests if test is not None)


def _machine() -> dict[str, str]:
    return {"processor": processor(), "torch": str(require("torch").__version__)}


def save(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Save everything that the next epoch depends on."""
    tensors = {f"weights.{name}": value for name, value in run.network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in run.best.items()}
    for index, state in run.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    metadata = {
        "recipe": recipe,
        "history": json.dumps(run.history),
        "arithmetic": run.arithmetic,
        "machine": json.dumps(_machine()),
    }
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    save_file = require("safetensors.torch").save_file
    checkpoint.save(len(run.history), lambda path: save_file(contiguous, path, metadata))


def resume(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Take up the newest state of the same recipe; states of another, or of another layout, are removed.

    Raises:
        StoreError: the store does not answer.
    """
    path = checkpoint.latest()
    if path is None:
        return
    read = _read(path, recipe)
    if read is None:
        logger.warning("backing: the saved state is not of this training: it starts from the beginning.")
        checkpoint.clear()
        return
    metadata, tensors = read
    run.history, run.arithmetic = json.loads(metadata["history"]), metadata["arithmetic"]
    run.network.load_state_dict(_with_prefix(tensors, "weights."))
    run.best = _with_prefix(tensors, "best.")
    state = run.optimiser.state_dict()
    for name, value in _with_prefix(tensors, "optimiser.").items():
        index, _, entry = name.partition(".")
        state["state"].setdefault(int(index), {})[entry] = value
    run.optimiser.load_state_dict(state)
    warn_of_another_machine("backing", len(run.history), json.loads(metadata["machine"]), _machine())
    if run.arithmetic == BFLOAT16 and not has_fast_bfloat16():
        logger.warning("backing: goes on in bfloat16, as it began, without hardware for it: it will be slower.")


def _read(path: Path, recipe: str) -> tuple[dict[str, str], dict[str, Any]] | None:
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("recipe") != recipe or not {"history", "arithmetic", "machine"} <= metadata.keys():
                return None
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError):
        return None


def _with_prefix(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
