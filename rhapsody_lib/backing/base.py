"""The base model of music: a backing GRU trained on more music than one corpus, that other trainings start from.

It lies in a folder: weights of 8 bits with a scale for each row, the tokens, marks of the songs that it has read, the
figures that it was measured with and its model card. `base_export` writes such a folder.
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
from rhapsody_lib.backing.dataset import PackedSong
from rhapsody_lib.backing.tokens import HEADER_TOKENS
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
BASE_FILES = (QUANTISED_FILE, TOKENS_FILE, READ_FILE, FIGURES_FILE, CARD_FILE)
_SCALE, _LEVELS = ".scale", 127
#: Hexadecimal digits of a song's mark.
_MARK_DIGITS = 16

Floats = NDArray[np.float32]


def song_mark(song: PackedSong) -> str:
    """What a song is known by: a digest of its tokens after the header, so the same in any key and under any style."""
    return hashlib.sha256(song.ids[HEADER_TOKENS:].astype("<i2").tobytes()).hexdigest()[:_MARK_DIGITS]


@dataclass(frozen=True, eq=False, repr=False)
class BackingBase:
    """What a training can start from.

    Args:
        vocabulary: its tokens.
        weights: float32 arrays by the names of torch's parameters.
        read: marks of the songs that it was trained on.
        digest: of its files.
    """

    vocabulary: Vocabulary
    weights: Mapping[str, Floats]
    read: frozenset[str]
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


def save_base(folder: Path, vocabulary: Vocabulary, weights: Mapping[str, Floats], read: Iterable[PackedSong]) -> None:
    """Write the files that `open_base` reads; matrices with 8 bits a weight, vectors as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, array in weights.items():
        stored = _quantised(array) if array.ndim > 1 else {"": array}
        arrays.update({name + ending: np.ascontiguousarray(values) for ending, values in stored.items()})
    save_file(arrays, folder / QUANTISED_FILE)
    vocabulary.save(folder / TOKENS_FILE)
    marks = sorted({song_mark(song) for song in read})
    (folder / READ_FILE).write_text(json.dumps(marks, indent=0) + "\n", encoding="utf-8")


def _folder(name: str) -> Path:
    folder = Path(name).expanduser()
    if not (folder / QUANTISED_FILE).is_file():
        raise InputError(
            f"backing.base '{name}': is no folder of a base model on this machine. Use 'none', or a folder that 'rhapsody "
            "base backing' wrote."
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
        for file in (QUANTISED_FILE, TOKENS_FILE, READ_FILE):
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
        read = frozenset(map(str, json.loads((folder / READ_FILE).read_text(encoding="utf-8"))))
        tokens = (len(weights["output.bias"]), len(weights["embedding.weight"]) // COLUMNS)
        hidden = weights["gru.weight_hh_l0"].shape[1]
        fits = tokens == (len(vocabulary), len(vocabulary)) and hidden < weights["output.weight"].shape[1]
    except (OSError, SafetensorError, KeyError, ValueError, IndexError, TypeError, DamagedArtifactError) as error:
        raise _damaged(name, error) from error
    if not fits:
        raise _damaged(name, "its files do not belong together")
    return BackingBase(vocabulary, weights, read, base_digest(name))
