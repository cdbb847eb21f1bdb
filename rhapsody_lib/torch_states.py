"""What a PyTorch training keeps after each epoch, for a killed run to go on from: weights, optimiser, history."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rhapsody_lib.checkpoints import Checkpoint, tell_of_going_on
from rhapsody_lib.optional import require

logger = logging.getLogger(__name__)

FLOAT32, BFLOAT16 = "float32", "bfloat16"
_METADATA = frozenset({"history", "arithmetic", "machine"})


@dataclass(frozen=True)
class TorchState:
    """A run after an epoch, without its optimiser.

    Args:
        weights: by name.
        best: weights of the best epoch.
        arithmetic: of the products: `bfloat16` or `float32`.
        history: figures of each epoch.
    """

    weights: Mapping[str, Any]
    best: dict[str, Any]
    arithmetic: str
    history: list[dict[str, float]]


def has_fast_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware: AMX, or AVX-512 BF16, at twice the speed of float32."""
    tests = (getattr(require("torch").cpu, f"_is_{name}_supported", None) for name in ("amx_tile", "avx512_bf16"))
    return any(test() for test in tests if test is not None)


def save_state(
    checkpoint: Checkpoint, epochs: int, recipe: str, state: TorchState, optimiser: Any, machine: Mapping[str, str]
) -> None:
    """Save a run under the number of its epochs; `machine` is what its bytes depend on beside its inputs."""
    tensors = {f"weights.{name}": value.detach() for name, value in state.weights.items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    for index, entries in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in entries.items()}
    metadata = {
        "recipe": recipe,
        "history": json.dumps(state.history),
        "arithmetic": state.arithmetic,
        "machine": json.dumps(machine),
    }
    held = {name: value.cpu().contiguous() for name, value in tensors.items()}
    save_file = require("safetensors.torch").save_file
    checkpoint.save(epochs, lambda path: save_file(held, path, metadata))


def load_state(
    checkpoint: Checkpoint, stage: str, recipe: str, optimiser: Any, machine: Mapping[str, str], *, before: int = 0
) -> TorchState | None:
    """The newest state of a recipe, its optimiser's part put into `optimiser`; states of another are removed.

    Args:
        checkpoint: where states are kept.
        stage: what messages call the training.
        recipe: of the run.
        optimiser: a new one over the same parameters.
        machine: as in `save_state`; a warning tells of another.
        before: entries of the history that were there before the first epoch.

    Raises:
        StoreError: the store does not answer.
    """
    path = checkpoint.latest()
    if path is None:
        return None
    read = _read(path, recipe)
    if read is None:
        logger.warning("%s: the saved state is not of this training: it starts from the beginning.", stage)
        checkpoint.clear()
        return None
    metadata, tensors = read
    kept = optimiser.state_dict()
    for name, value in _with_prefix(tensors, "optimiser.").items():
        index, _, entry = name.partition(".")
        kept["state"].setdefault(int(index), {})[entry] = value
    optimiser.load_state_dict(kept)
    history = json.loads(metadata["history"])
    tell_of_going_on(stage, len(history) - before, json.loads(metadata["machine"]), dict(machine))
    weights, best = _with_prefix(tensors, "weights."), _with_prefix(tensors, "best.")
    return TorchState(weights, best, metadata["arithmetic"], history)


def _read(path: Path, recipe: str) -> tuple[dict[str, str], dict[str, Any]] | None:
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("recipe") != recipe or not metadata.keys() >= _METADATA:
                return None
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError):
        return None


def _with_prefix(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
