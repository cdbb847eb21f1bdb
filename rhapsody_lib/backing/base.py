"""The base model of music: a backing GRU trained on more music than one corpus, that other trainings start from.

It lies in a folder: weights of 8 bits with a scale for each row, the tokens, marks and melodies of the songs that it
has read, the figures that it was measured with and its model card. `base_export` writes such a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.copying import MELODIES_FILE, Codes, MelodyIndex
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.base_files import (
    CARD_FILE,
    FIGURES_FILE,
    NO_BASE,
    QUANTISED_FILE,
    Floats,
    damaged,
    digest_of,
    find_base,
    load_quantised,
    save_quantised,
)
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.settings import BackingSettings

TOKENS_FILE, READ_FILE = "vocabulary.json", "read.json"
#: What a training reads, and with that what a base model is known by.
MODEL_FILES = (QUANTISED_FILE, TOKENS_FILE, READ_FILE, MELODIES_FILE)
BASE_FILES = (*MODEL_FILES, FIGURES_FILE, CARD_FILE)
#: Beside the weights of a model that was started from a base: marks of the songs that the base has read.
BASE_READ_FILE = "base_read.json"


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
    save_quantised(folder, weights)
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


def base_digest(name: str) -> str:
    """What a base model is known by in the recipe of an artifact, empty for `none` (`base_files.digest_of`)."""
    return digest_of("backing", name, MODEL_FILES)


def open_base(name: str) -> BackingBase | None:
    """The base model of a name: `none`, or the folder of one.

    Raises:
        InputError: there is no such base model on this machine.
        DamagedArtifactError: its files are not what they should be.
    """
    if name == NO_BASE:
        return None
    folder = find_base("backing", name)
    try:
        weights = load_quantised(folder)
        vocabulary = Vocabulary.load(folder / TOKENS_FILE)
        read, melodies = _marks(folder / READ_FILE), MelodyIndex.load(folder / MELODIES_FILE).codes
        tokens = (len(weights["output.bias"]), len(weights["embedding.weight"]) // COLUMNS)
        hidden = weights["gru.weight_hh_l0"].shape[1]
        fits = tokens == (len(vocabulary), len(vocabulary)) and hidden < weights["output.weight"].shape[1]
    except (OSError, SafetensorError, KeyError, ValueError, IndexError, TypeError, DamagedArtifactError) as error:
        raise damaged("backing", name, error) from error
    if not fits:
        raise damaged("backing", name, "its files do not belong together")
    return BackingBase(vocabulary, weights, read, melodies, base_digest(name))
