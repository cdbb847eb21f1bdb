"""The base model: a lyrics LSTM trained on public-domain verse and the songbook, that other trainings start from.

It lies in a folder: weights of 8 bits with a scale for each row, the words, a filter of the runs of words that it has
read, the figures that it was measured with and its model card. `base_export` writes such a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

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
from rhapsody_lib.lyrics.copying import share_known
from rhapsody_lib.lyrics.runs import RunFilter
from rhapsody_lib.lyrics.vocabulary import MARKS, Vocabulary
from rhapsody_lib.seeding import generator
from rhapsody_lib.words.archaic import is_archaic, is_old_verse
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.pronunciation import phones

WORDS_FILE, READ_FILE = "vocabulary.json", "read.safetensors"
BASE_FILES = (QUANTISED_FILE, WORDS_FILE, READ_FILE, FIGURES_FILE, CARD_FILE)
#: A song of which a larger share of runs has been read is no measure of a model that started from the base.
MOST_KNOWN = 0.05
#: Of the words that only the base has read, one is drawn only if it is among its commonest so many.
_COMMON_WORDS = 4000
#: New words begin near the mean of this share of the base's words, the rarest ones, with some noise.
_RARE_SHARE, _NOISE = 0.25, 0.5


@dataclass(frozen=True, eq=False, repr=False)
class BaseModel:
    """What a training can start from.

    Args:
        vocabulary: its words.
        weights: float32 arrays by `network.WEIGHT_NAMES`.
        copies: the runs of `COPY_WORDS` words that it has read; one in 1,700 others is taken for one of them.
        archaic: those of its words that a song of today would not sing.
        digest: of its files.
    """

    vocabulary: Vocabulary
    weights: Mapping[str, Floats]
    copies: RunFilter
    archaic: frozenset[str]
    digest: str

    def __repr__(self) -> str:
        return f"BaseModel({len(self.vocabulary)} words, {self.hidden_size} hidden, {self.digest[:12]})"

    @property
    def embedding_size(self) -> int:
        """Size of a word's vector."""
        return int(self.weights["embedding"].shape[1])

    @property
    def hidden_size(self) -> int:
        """Size of the state."""
        return int(self.weights["recurrent"].shape[0])

    def share_known(self, song: Lyrics) -> float:
        """`copying.share_known` of what the base has read."""
        return share_known(self.copies, song)

    def drawable(self, vocabulary: Vocabulary, uses: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Which words a song may be written with, bool [vocabulary]: the corpus's own, and plain words of today.

        A word that only the base has read is plain if it is common there, the pronouncing dictionary has it, and it is
        no name and not of old verse.

        Args:
            vocabulary: words of the base and of the corpus.
            uses: how often each stands in the corpus, int [vocabulary].
        """
        drawable = np.asarray(uses) > 0
        drawable[: len(MARKS)] = True
        for place in np.flatnonzero(~drawable[: len(MARKS) + _COMMON_WORDS]):
            word = vocabulary.tokens[place]
            drawable[place] = word not in vocabulary.names and not is_old_verse(word) and phones(word) is not None
        return drawable

    def extended(self, corpus: Vocabulary, seed: int) -> tuple[Vocabulary, dict[str, Floats]]:
        """The base's words followed by those that only a corpus has, and weights for all of them.

        A new word's vector is drawn around the mean of the rare words, so that it begins as one of them.

        Args:
            corpus: the corpus's own vocabulary.
            seed: of what is drawn.
        """
        new = tuple(word for word in corpus.words if word not in self.vocabulary.ids)
        vocabulary = Vocabulary(self.vocabulary.words + new, self.vocabulary.names | corpus.names)
        weights = {name: np.array(array) for name, array in self.weights.items()}
        first = len(MARKS) + int(len(self.vocabulary.words) * (1 - _RARE_SHARE))
        for name in ("embedding", "output_bias"):
            rare = weights[name][first:]
            noise = generator(seed, "base", name).standard_normal((len(new), *rare.shape[1:]), dtype=np.float32)
            rows = rare.mean(axis=0) + np.float32(_NOISE) * rare.std(axis=0) * noise
            weights[name] = np.concatenate([weights[name], rows.astype(np.float32)])
        return vocabulary, weights


def save_base(folder: Path, vocabulary: Vocabulary, weights: Mapping[str, Floats], copies: RunFilter) -> None:
    """Write the files that `open_base` reads; matrices with 8 bits a weight, vectors as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    save_quantised(folder, weights)
    vocabulary.save(folder / WORDS_FILE)
    copies.save(folder / READ_FILE)


def base_digest(name: str) -> str:
    """What a base model is known by in the recipe of an artifact, empty for `none` (`base_files.digest_of`)."""
    return digest_of("lyrics", name, (QUANTISED_FILE, WORDS_FILE, READ_FILE))


def open_base(name: str) -> BaseModel | None:
    """The base model of a name: `none`, or the folder of one.

    Raises:
        InputError: there is no such base model on this machine.
        DamagedArtifactError: its files are not what they should be.
    """
    if name == NO_BASE:
        return None
    folder = find_base("lyrics", name)
    try:
        weights = load_quantised(folder)
        vocabulary, copies = Vocabulary.load(folder / WORDS_FILE), RunFilter.load(folder / READ_FILE)
        fits = weights["embedding"].shape[0] == weights["output_bias"].shape[0] == len(vocabulary)
    except (OSError, SafetensorError, KeyError, ValueError, DamagedArtifactError) as error:
        raise damaged("lyrics", name, error) from error
    if not fits:
        raise damaged("lyrics", name, "its files do not belong together")
    archaic = frozenset(filter(is_archaic, vocabulary.words))
    return BaseModel(vocabulary, weights, copies, archaic, base_digest(name))
