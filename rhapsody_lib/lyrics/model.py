"""The trained lyrics model in NumPy: what writing a song loads. Neither Keras nor a framework is needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.lyrics.copying import CopyIndex
from rhapsody_lib.lyrics.phrases import Phrases
from rhapsody_lib.lyrics.steering import SteeringTables
from rhapsody_lib.lyrics.vocabulary import Tokens, Vocabulary

WEIGHTS_FILE, VOCABULARY_FILE, STEERING_FILE, COPIES_FILE, PHRASES_FILE = (
    "weights.safetensors",
    "vocabulary.json",
    "steering.safetensors",
    "copies.safetensors",
    "phrases.safetensors",
)
#: Weights of the `bilstm-seed` architecture: a folder that holds them writes no songs.
SEED_WEIGHTS_FILE = "seed_weights.safetensors"
#: The continuous cache of Grave, Joulin & Usunier 2017, "Improving Neural Language Models with a Continuous Cache",
#: section 3: flatness of its distribution, its share of the mixture, and how far it looks back.
CACHE_THETA, CACHE_SHARE, CACHE_TOKENS = 0.6, 0.1, 2000

#: The score of a word that cannot come.
NEVER = np.float32(-1e9)

#: Up to so many rows, each by itself is the faster product.
_FEW_ROWS = 4

Floats = npt.NDArray[np.float32]
State = tuple[Floats, Floats]
Ids = npt.NDArray[np.integer]


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def product(rows: Floats, matrix: Floats) -> Floats:
    """`rows @ matrix`; of few rows one after another, for which BLAS does not rearrange the matrix first."""
    found = rows @ matrix if len(rows) > _FEW_ROWS else (rows[:, None] @ matrix)[:, 0]
    return np.asarray(found)


@dataclass(frozen=True, eq=False, repr=False)
class LyricsModel:
    """Weights, vocabulary, tables for steering, the index that refuses copies, phrases of the training songs."""

    vocabulary: Vocabulary
    weights: Mapping[str, Floats]
    steering: SteeringTables
    copies: CopyIndex
    phrases: Phrases

    @classmethod
    def load(cls, folder: Path) -> LyricsModel:
        """Read the folder that `train_lyrics` wrote.

        Raises:
            DamagedArtifactError: a file is missing, damaged, or does not fit the others.
            InputError: it is a model of the `bilstm-seed` architecture.
        """
        if (folder / SEED_WEIGHTS_FILE).exists():
            raise InputError(
                "The lyrics model is of the architecture 'bilstm-seed', which is for comparison only and writes no "
                "songs. Train again with lyrics.architecture=lstm."
            )
        vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
        path = folder / WEIGHTS_FILE
        try:
            weights = {name: array.astype(np.float32) for name, array in load_file(path).items()}
            fits = weights["embedding"].shape[0] == weights["output_bias"].shape[0] == len(vocabulary)
        except (OSError, SafetensorError, KeyError) as error:
            raise DamagedArtifactError(f"{path}: cannot be read ({error}). Train the lyrics model again.") from error
        steering = SteeringTables.load(folder / STEERING_FILE)
        if not fits or len(steering.syllables) != len(vocabulary):
            raise DamagedArtifactError(f"{folder}: its files are of different trainings. Train the lyrics model again.")
        phrases = Phrases.load(folder / PHRASES_FILE, len(vocabulary))
        return cls(vocabulary, weights, steering, CopyIndex.load(folder / COPIES_FILE), phrases)

    def __repr__(self) -> str:
        return f"LyricsModel({len(self.vocabulary)} words, {self.hidden_size} hidden)"

    @property
    def hidden_size(self) -> int:
        """Size of the state."""
        return int(self.weights["recurrent"].shape[0])

    @cached_property
    def _halves(self) -> Floats:
        """By which gates are scaled: sigmoid(x) is (tanh(x / 2) + 1) / 2, so that one tanh opens all of them."""
        scale = np.full(4 * self.hidden_size, 0.5, dtype=np.float32)
        scale[2 * self.hidden_size : 3 * self.hidden_size] = 1
        return scale

    @cached_property
    def _recurrent(self) -> Floats:
        return np.asarray(self.weights["recurrent"] * self._halves)

    @cached_property
    def _word_gates(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """What each word adds to the scaled gates, float32 [vocabulary x 4 hidden], and which words are known yet."""
        size = len(self.vocabulary)
        return np.zeros((size, 4 * self.hidden_size), dtype=np.float32), np.zeros(size, dtype=np.bool_)

    def _gates_of(self, ids: Ids) -> Floats:
        """The scaled gates of words, [ids x 4 hidden]: a product once a word, a look-up from then on."""
        gates, known = self._word_gates
        if not known[ids].all():
            new = np.unique(ids[~known[ids]])
            added = self.weights["embedding"][new] @ self.weights["kernel"] + self.weights["bias"]
            gates[new] = added * self._halves
            known[new] = True
        return np.asarray(gates[ids])

    def initial_state(self, rows: int) -> State:
        """The state before anything is read, zeros [rows x hidden]."""
        shape = (rows, self.hidden_size)
        return np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)

    def step(self, ids: Ids, state: State) -> State:
        """Read one token a row. Gates are in Keras's order: input, forget, candidate, output."""
        hidden, cell = state
        gates = product(hidden, self._recurrent)
        gates += self._gates_of(ids)
        np.tanh(gates, out=gates)
        size, half = self.hidden_size, np.float32(0.5)
        opened, candidate = gates[:, : 2 * size] + np.float32(1), gates[:, 2 * size : 3 * size]
        cell = half * (opened[:, size:] * cell + opened[:, :size] * candidate)
        return half * (gates[:, 3 * size :] + np.float32(1)) * np.tanh(cell), cell

    def logits(self, hidden: Floats) -> Floats:
        """Scores of the next token, [rows x vocabulary]."""
        return np.asarray(self.projected(hidden) @ self.weights["embedding"].T + self.weights["output_bias"])

    def projected(self, hidden: Floats) -> Floats:
        """States in the space of the embedding, [rows x embedding]."""
        return np.asarray(product(hidden, self.weights["projection"]) + self.weights["projection_bias"])

    def output_for(self, ids: Ids, known: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """What gives the scores of some words from projected states: [embedding x ids] and [ids].

        Args:
            ids: the words.
            known: those that may be predicted; others get a score without weight.
        """
        matrix = np.ascontiguousarray(self.weights["embedding"][ids].T)
        return matrix, np.where(known, self.weights["output_bias"][ids], NEVER).astype(np.float32)

    def log_probabilities(self, stream: Tokens, *, cache_share: float = 0.0) -> npt.NDArray[np.float64]:
        """Natural log of the probability of each token of a song after its first, float64 [tokens - 1].

        Args:
            stream: the song, int32 [tokens].
            cache_share: share of the cache of the song's own history in the mixture; 0 is the network alone.
        """
        state = self.initial_state(1)
        states = []
        for token in stream[:-1]:
            state = self.step(np.array([token], dtype=np.int32), state)
            states.append(state[0][0])
        if not states:
            return np.zeros(0)
        return self.log_probabilities_after(np.stack(states), stream[1:], cache_share=cache_share)

    def log_probabilities_after(
        self, hidden: Floats, targets: Tokens, *, cache_share: float = 0.0
    ) -> npt.NDArray[np.float64]:
        """The same from the hidden states [targets x hidden] that each target of one song was read after."""
        rows = np.arange(len(targets))
        probabilities = softmax(self.logits(hidden))[rows, targets].astype(np.float64)
        if cache_share:
            cached, any_history = _cache_probabilities(hidden, targets)
            mixed = (1 - cache_share) * probabilities + cache_share * cached
            probabilities = np.where(any_history, mixed, probabilities)
        return np.log(np.maximum(probabilities, 1e-30))

    def perplexity(self, streams: Iterable[Tokens], *, cache_share: float = 0.0) -> float:
        """Perplexity over songs, each read from its beginning."""
        found = [self.log_probabilities(stream, cache_share=cache_share) for stream in streams]
        return float(np.exp(-np.concatenate(found).mean()))


def _cache_probabilities(hidden: Floats, targets: Tokens) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The cache's probability of each target given those before it, and whether there were any."""
    cached = np.zeros(len(targets))
    for position in range(1, len(targets)):
        first = max(0, position - CACHE_TOKENS)
        weights = softmax(CACHE_THETA * (hidden[first:position] @ hidden[position]))
        cached[position] = weights[targets[first:position] == targets[position]].sum()
    return cached, np.arange(len(targets)) > 0
