"""What folders of base models have in common, whatever the stage: how they are named, known and stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.hashing import known_sha256

NO_BASE = "none"
QUANTISED_FILE, FIGURES_FILE, CARD_FILE = "quantised.safetensors", "figures.json", "card.md"
_SCALE, _LEVELS = ".scale", 127
Floats = NDArray[np.float32]


def find_base(stage: str, name: str) -> Path:
    """The folder of a base model of a stage.

    Raises:
        InputError: there is no such base model on this machine.
    """
    folder = Path(name).expanduser()
    if not (folder / QUANTISED_FILE).is_file():
        raise InputError(
            f"{stage}.base '{name}': is no folder of a base model on this machine. Use 'none', or a folder that "
            f"'rhapsody base {stage}' wrote."
        )
    return folder


def digest_of(stage: str, name: str, files: Sequence[str]) -> str:
    """What a base model is known by in the recipe of an artifact: the digest of its files; empty for `none`.

    Raises:
        InputError: there is no such base model on this machine.
        DamagedArtifactError: its files cannot be read.
    """
    if name == NO_BASE:
        return ""
    folder, digest = find_base(stage, name), hashlib.sha256()
    try:
        for file in files:
            digest.update(known_sha256(folder / file).encode())
    except OSError as error:
        raise damaged(stage, name, error) from error
    return digest.hexdigest()


def damaged(stage: str, name: str, error: object) -> DamagedArtifactError:
    """The error for a base model whose files are not what they should be."""
    return DamagedArtifactError(
        f"{stage}.base '{name}': is damaged ({error}). Make it again with 'rhapsody base {stage}'."
    )


def save_quantised(folder: Path, weights: Mapping[str, Floats]) -> None:
    """Write weights: matrices with 8 bits a weight and one scale a row, vectors as they are."""
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, array in weights.items():
        stored = _quantised(array) if array.ndim > 1 else {"": array}
        arrays.update({name + ending: np.ascontiguousarray(values) for ending, values in stored.items()})
    save_file(arrays, folder / QUANTISED_FILE)


def load_quantised(folder: Path) -> dict[str, Floats]:
    """What `save_quantised` wrote, as float32.

    Raises:
        OSError, SafetensorError, ValueError: the file is none.
    """
    stored = load_file(folder / QUANTISED_FILE)
    names = [name for name in stored if not name.endswith(_SCALE)]
    return {name: stored[name] * stored.get(name + _SCALE, np.float32(1)) for name in names}


def _quantised(array: Floats) -> dict[str, NDArray[np.generic]]:
    """8-bit integers and the scale of each row: `values * scale` is the array again."""
    scale = np.maximum(np.abs(array).max(axis=1, keepdims=True), np.float32(1e-12)) / np.float32(_LEVELS)
    return {"": np.rint(array / scale).astype(np.int8), _SCALE: scale.astype(np.float32)}
