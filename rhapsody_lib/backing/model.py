"""The trained GRU for generation: NumPy alone, one thread, many sequences a step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.errors import DamagedArtifactError

FloatArray = NDArray[np.float32]

WEIGHTS_FILE, VOCABULARY_FILE = "weights.safetensors", "vocabulary.json"


@dataclass(frozen=True)
class _Layer:
    """One GRU layer; gates in torch's order (reset, update, new), weights transposed for row vectors."""

    inputs: FloatArray
    recurrent: FloatArray
    input_bias: FloatArray
    recurrent_bias: FloatArray


def _sigmoid(x: FloatArray) -> FloatArray:
    half: FloatArray = np.tanh(0.5 * x)
    return 0.5 * half + 0.5


def _update(gates: FloatArray, layer: _Layer, hidden: FloatArray) -> FloatArray:
    """Next hidden state [batch x hidden] from the input's share of the gates [batch x 3 hidden]."""
    size = hidden.shape[1]
    own = hidden @ layer.recurrent + layer.recurrent_bias
    switches = _sigmoid(gates[:, : 2 * size] + own[:, : 2 * size])
    reset, update = switches[:, :size], switches[:, size:]
    new = np.tanh(gates[:, 2 * size :] + reset * own[:, 2 * size :])
    return new + update * (hidden - new)  # type: ignore[no-any-return]


class BackingModel:
    """Weights and vocabulary; the same network as in `network`."""

    def __init__(self, vocabulary: Vocabulary, tensors: dict[str, FloatArray]) -> None:
        self.vocabulary = vocabulary
        self._offsets = np.arange(COLUMNS) * len(vocabulary)
        count = sum(name.startswith("gru.weight_ih_l") for name in tensors)
        self._layers = [
            _Layer(
                np.ascontiguousarray(tensors[f"gru.weight_ih_l{index}"].T),
                np.ascontiguousarray(tensors[f"gru.weight_hh_l{index}"].T),
                tensors[f"gru.bias_ih_l{index}"],
                tensors[f"gru.bias_hh_l{index}"],
            )
            for index in range(count)
        ]
        self._embedding = tensors["embedding.weight"]
        self._output = np.ascontiguousarray(tensors["output.weight"].T)
        self._output_bias = tensors["output.bias"]
        self.hidden_size, self.embedding_size = self._layers[0].recurrent.shape[0], self._embedding.shape[1]
        shapes = (len(self._embedding), self._output.shape)
        inputs = self.hidden_size + self._embedding.shape[1]
        if shapes != (COLUMNS * len(vocabulary), (inputs, len(vocabulary))):
            raise ValueError("weights and vocabulary differ in size")

    @classmethod
    def load(cls, folder: Path) -> BackingModel:
        """Read what training wrote.

        Raises:
            DamagedArtifactError: weights or vocabulary are missing or do not fit each other.
        """
        vocabulary = Vocabulary.load(folder / VOCABULARY_FILE)
        try:
            return cls(vocabulary, load_file(folder / WEIGHTS_FILE))
        except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
            raise DamagedArtifactError(f"{folder / WEIGHTS_FILE}: cannot be used ({error}). Train again.") from error

    def start(self, batch: int) -> FloatArray:
        """The state before a sequence: zeros [layers x batch x hidden]."""
        return np.zeros((len(self._layers), batch, self.hidden_size), dtype=np.float32)

    def embed(self, rows: NDArray[np.int64]) -> FloatArray:
        """Input of a step [batch x embedding] from rows [batch x COLUMNS] of `BarContext.row`."""
        return self._embedding[rows + self._offsets].sum(axis=1)  # type: ignore[no-any-return]

    def advance(self, embedded: FloatArray, state: FloatArray) -> FloatArray:
        """The state [layers x batch x hidden] after one more step with the input [batch x embedding]."""
        after = np.empty_like(state)
        below = embedded
        for index, layer in enumerate(self._layers):
            after[index] = _update(below @ layer.inputs + layer.input_bias, layer, state[index])
            below = after[index]
        return after

    def read(self, rows: NDArray[np.int64], state: FloatArray) -> FloatArray:
        """The state [layers x hidden] after all of some rows [tokens x COLUMNS] of one sequence."""
        after, below = np.empty_like(state), self.embed(rows)
        for index, layer in enumerate(self._layers):
            gates = below @ layer.inputs + layer.input_bias
            hidden = np.empty((len(rows) + 1, 1, self.hidden_size), dtype=np.float32)
            hidden[0, 0] = state[index]
            for step in range(len(rows)):
                hidden[step + 1] = _update(gates[step : step + 1], layer, hidden[step])
            after[index], below = hidden[-1, 0], hidden[1:, 0]
        return after

    def logits(self, embedded: FloatArray, state: FloatArray) -> FloatArray:
        """Unnormalised log-probabilities of the next token, [batch x vocabulary], from [layers x batch x hidden]."""
        seen = np.concatenate([state[-1], embedded], axis=1)
        return seen @ self._output + self._output_bias  # type: ignore[no-any-return]

    def readout(self, tokens: NDArray[np.int64], merged: NDArray[np.int64]) -> Readout:
        """The logits of some tokens alone.

        Args:
            tokens: ids in rising order; one of `merged` is among them.
            merged: ids that count as one: the logit of the one in `tokens` is that of any of them.
        """
        place = int(np.flatnonzero(np.isin(tokens, merged))[0])
        columns = np.concatenate([tokens, merged])
        weights = np.ascontiguousarray(self._output[:, columns])
        return Readout(weights, self._output_bias[columns], len(tokens), place)


@dataclass(frozen=True)
class Readout:
    """The output layer for some of the tokens, from `BackingModel.readout`."""

    _weights: FloatArray
    _bias: FloatArray
    _tokens: int
    _place: int

    def __call__(self, embedded: FloatArray, hidden: FloatArray) -> FloatArray:
        """Logits [batch x tokens] from the step's input [batch x embedding] and last layer [batch x hidden]."""
        found = np.concatenate([hidden, embedded], axis=1) @ self._weights + self._bias
        scores, merged = found[:, : self._tokens], found[:, self._tokens :]
        top = merged.max(axis=1, keepdims=True)
        scores[:, self._place] = (top + np.log(np.exp(merged - top).sum(axis=1, keepdims=True)))[:, 0]
        return scores
