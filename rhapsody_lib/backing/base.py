"""The base model of music: a backing GRU trained on more music than one corpus, that other trainings start from.

It lies in a folder: weights of 8 bits with a scale for each row, the tokens, marks and melodies of the songs that it
has read, the figures that it was measured with and its model card. `base_export` writes such a folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.copying import MELODIES_FILE, Codes, MelodyIndex
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.settings import BackingSettings

NO_BASE = "none"
QUANTISED_FILE, TOKENS_FILE, READ_FILE, FIGURES_FILE, CARD_FILE = (
    "quantised.safetensors",
    "vocabulary.json",
    "read.json",
    "figures.json",
    "card.md",
)
#: What a training reads, and with that what a base model is known by.
MODEL_FILES = (QUANTISED_FILE, TOKENS_FILE, READ_FILE, MELODIES_FILE)
BASE_FILES = (*MODEL_FILES, FIGURES_FILE, CARD_FILE)
#: Beside the weights of a model that was started from a base: marks of the songs that the base has read.
BASE_READ_FILE = "base_read.json"
_SCALE, _LEVELS = ".scale", 127

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class BackingBase:
    """What a training can start from.

    Args:
        vocabulary: its tokens.
        weights: float32 arrays by the names of torch's parameters.
        read: marks of the songs that it was trained on.
        melodies: codes of their melodies, one after another.
        digest: of its files.
    """

    vocabulary: Vocabulary
    weights: Mapping[str, Floats]
    read: frozenset[str]
    melodies: Codes
    digest: str

    def sized(self, settings: BackingSettings) -> BackingSettings:
        """The settings with the base's sizes."""
        layers = sum(name.startswith("gru.weight_ih_l") for name in self.weights)
        sizes = {"embedding_size": self.weights["embedding.weight"].shape[1], "layers": layers}
        hidden = self.weights["gru.weight_hh_l0"].shape[1]
        return settings.model_copy(update={**sizes, "hidden_size": hidden})

    def weights_for(self, vocabulary: Vocabulary) -> dict[str, Floats]:
        """Weights for a vocabulary with other styles: a style that the base does not know begins as `other`."""
        own, names = {name: token for token, name in enumerate(self.vocabulary.names)}, vocabulary.names
        other = own["Style_other"]
        rows = np.asarray([own.get(name, other) for name in names])
        embedding = self.weights["embedding.weight"]
        by_column = embedding.reshape(COLUMNS, len(self.vocabulary), embedding.shape[1])[:, rows]
        found = {name: np.array(array) for name, array in self.weights.items()}
        found["embedding.weight"] = np.ascontiguousarray(by_column.reshape(-1, embedding.shape[1]))
        for name in ("output.weight", "output.bias"):
            found[name] = np.ascontiguousarray(self.weights[name][rows])
        return found


def _quantised(array: Floats) -> dict[str, NDArray[np.generic]]:
    """8-bit integers and the scale of each row: `values * scale` is the array again."""
    scale = np.maximum(np.abs(array).max(axis=1, keepdims=True), np.float32(1e-12)) / np.float32(_LEVELS)
    return {"": np.rint(array / scale).astype(np.int8), _SCALE: scale.astype(np.float32)}


def save_base(
    folder: Path, vocabulary: Vocabulary, weights: Mapping[str, Floats], read: Iterable[str], melodies: MelodyIndex
) -> None:
    """Write the files that `open_base` reads; matrices with 8 bits a weight, vectors as they are.

    Args:
        folder: made where missing.
        vocabulary: its tokens.
        weights: float32 arrays by the names of torch's parameters.
        read: marks of the songs that it was trained on.
        melodies: of these songs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, array in weights.items():
        stored = _quantised(array) if array.ndim > 1 else {"": array}
        arrays.update({name + ending: np.ascontiguousarray(values) for ending, values in stored.items()})
    save_file(arrays, folder / QUANTISED_FILE)
    vocabulary.save(folder / TOKENS_FILE)
    save_marks(folder / READ_FILE, read)
    melodies.save(folder / MELODIES_FILE)


def save_marks(path: Path, marks: Iterable[str]) -> None:
    """Write the marks of songs that were read."""
    path.write_text(json.dumps(sorted(set(marks)), indent=0) + "\n", encoding="utf-8")


def _marks(path: Path) -> frozenset[str]:
    return frozenset(map(str, json.loads(path.read_text(encoding="utf-8"))))


def base_marks(model: Path) -> frozenset[str]:
    """Marks of the songs that the base of a model's folder has read; none where it was started from none.

    Raises:
        DamagedArtifactError: the file is none.
    """
    path = model / BASE_READ_FILE
    try:
        return _marks(path) if path.exists() else frozenset()
    except (OSError, ValueError, TypeError) as error:
        raise DamagedArtifactError(f"{path}: cannot be read ({error}). Train the backing again.") from error


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not (folder / QUANTISED_FILE).is_file():
        raise InputError(
            f"backing.base '{name}': is no folder of a base model on this machine. Use 'none', or a folder that "
            "'rhapsody base backing' wrote."
        )
    return folder


def base_digest(name: str) -> str:
    """What a base model is known by in the recipe of an artifact: the digest of its files; empty for `none`.

    Raises:
        InputError: there is no such base model on this machine.
        DamagedArtifactError: its files cannot be read.
    """
    if name == NO_BASE:
        return ""
    folder, digest = _folder(name), hashlib.sha256()
    try:
        for file in MODEL_FILES:
            digest.update(known_sha256(folder / file).encode())
    except OSError as error:
        raise _damaged(name, error) from error
    return digest.hexdigest()


def _damaged(name: str, error: object) -> DamagedArtifactError:
    return DamagedArtifactError(
        f"backing.base '{name}': is damaged ({error}). Make it again with 'rhapsody base backing'."
    )


def open_base(name: str) -> BackingBase | None:
    """The base model of a name: `none`, or the folder of one.

    Raises:
        InputError: there is no such base model on this machine.
        DamagedArtifactError: its files are not what they should be.
    """
    if name == NO_BASE:
        return None
    folder = _folder(name)
    try:
        stored = load_file(folder / QUANTISED_FILE)
        names = [name for name in stored if not name.endswith(_SCALE)]
        weights = {name: stored[name] * stored.get(name + _SCALE, np.float32(1)) for name in names}
        vocabulary = Vocabulary.load(folder / TOKENS_FILE)
        read, melodies = _marks(folder / READ_FILE), MelodyIndex.load(folder / MELODIES_FILE).codes
        tokens = (len(weights["output.bias"]), len(weights["embedding.weight"]) // COLUMNS)
        hidden = weights["gru.weight_hh_l0"].shape[1]
        fits = tokens == (len(vocabulary), len(vocabulary)) and hidden < weights["output.weight"].shape[1]
    except (OSError, SafetensorError, KeyError, ValueError, IndexError, TypeError, DamagedArtifactError) as error:
        raise _damaged(name, error) from error
    if not fits:
        raise _damaged(name, "its files do not belong together")
    return BackingBase(vocabulary, weights, read, melodies, base_digest(name))
