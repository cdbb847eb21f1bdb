"""The state of a training after each epoch as one safetensors file, for a killed run to go on from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from rhapsody_lib.checkpoints import Checkpoint

logger = logging.getLogger(__name__)

Arrays = list[npt.NDArray[np.generic]]
_GROUPS = ("weights", "optimizer", "average", "best")


@dataclass
class Progressed:
    """How far a training is: epochs done, the best held-out loss and what it was in each epoch.

    `averaged` counts the updates of the running average; `precision` is the arithmetic that the training began with.
    """

    epoch: int = 0
    averaged: int = 0
    precision: str = ""
    best_loss: float = float("inf")
    epochs_without_gain: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class TrainingState:
    """Everything that the next epoch depends on. `weights`, `average` and `best` are in the network's order.

    The LSTM's carried state is none of it: each epoch begins without one. `machine` says what it was computed on.
    """

    progressed: Progressed
    weights: Arrays
    optimizer: Arrays
    average: Arrays
    best: Arrays
    machine: Mapping[str, str] = field(default_factory=dict)


def save_state(checkpoint: Checkpoint, recipe: str, state: TrainingState) -> None:
    """Save the state of the training that `recipe` names."""
    arrays = {
        f"{group}.{index}": np.ascontiguousarray(array).reshape(np.shape(array))
        for group in _GROUPS
        for index, array in enumerate(getattr(state, group))
    }
    metadata = {
        "recipe": recipe,
        "progressed": json.dumps(asdict(state.progressed)),
        "machine": json.dumps(dict(state.machine)),
    }
    checkpoint.save(state.progressed.epoch, lambda path: save_file(arrays, path, metadata=metadata))


def load_state(checkpoint: Checkpoint, recipe: str) -> TrainingState | None:
    """The newest state of the same recipe; states of another recipe, or of another layout, are of no use and removed.

    Raises:
        StoreError: the store does not answer.
    """
    path = checkpoint.latest()
    if path is None:
        return None
    state = _read(path, recipe)
    if state is None:
        logger.warning("lyrics: the saved state is not of this training: it starts from the beginning.")
        checkpoint.clear()
    return state


def _read(path: Path, recipe: str) -> TrainingState | None:
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("recipe") != recipe:
                return None
            names = sorted(file.keys(), key=lambda name: int(name.partition(".")[2]))
            groups = {
                group: [file.get_tensor(name) for name in names if name.startswith(f"{group}.")] for group in _GROUPS
            }
            progressed, machine = Progressed(**json.loads(metadata["progressed"])), json.loads(metadata["machine"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return TrainingState(progressed, **groups, machine=machine)
