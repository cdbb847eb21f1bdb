"""The state of a training after each epoch: one safetensors file, replaced whole, for a killed run to go on from."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

STATE_FILE = "state.safetensors"
Arrays = list[npt.NDArray[np.generic]]


@dataclass
class Progressed:
    """How far a training is: epochs done, the best held-out loss and what it was in each epoch."""

    epoch: int = 0
    best_loss: float = float("inf")
    epochs_without_gain: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class TrainingState:
    """Everything that the next epoch depends on. `weights`, `optimizer` and `best` are in the network's order."""

    progressed: Progressed
    weights: Arrays
    optimizer: Arrays
    best: Arrays


def save_state(folder: Path, recipe: str, state: TrainingState) -> None:
    """Write the state of the training that `recipe` names; the one before stays until this is whole on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {
        f"{group}.{index}": np.ascontiguousarray(array).reshape(np.shape(array))
        for group in ("weights", "optimizer", "best")
        for index, array in enumerate(getattr(state, group))
    }
    metadata = {"recipe": recipe, "progressed": json.dumps(asdict(state.progressed))}
    partial = folder / f"{STATE_FILE}.{os.getpid()}.partial"
    save_file(arrays, partial, metadata=metadata)
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.replace(folder / STATE_FILE)


def load_state(folder: Path, recipe: str) -> TrainingState | None:
    """The state of the same recipe, or none where there is none, or one of another recipe, or a damaged one."""
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("recipe") != recipe:
                return None
            names = sorted(file.keys(), key=lambda name: int(name.partition(".")[2]))
            groups = {
                group: [file.get_tensor(name) for name in names if name.startswith(f"{group}.")]
                for group in ("weights", "optimizer", "best")
            }
            progressed = Progressed(**json.loads(metadata["progressed"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None
    return TrainingState(progressed, **groups)
