"""The trained GRU for generation: NumPy alone, one thread, many sequences a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.music.score import PARTS

FloatArray = NDArray[np.float32]

WEIGHTS_FILE, VOCABULARY_FILE = "weights.safetensors", "vocabulary.json"
#: Columns and rows of one product. OpenBLAS multiplies matrices this small without packing them first, which for a few
#: rows takes longer than the product.
_BLOCK_COLUMNS, _BLOCK_ROWS = 64, 16


class Product:
    """Multiplication of a few rows by a matrix [inputs x outputs], and a bias added."""

    def __init__(self, matrix: FloatArray, bias: FloatArray) -> None:
        self.inputs, self._outputs = matrix.shape
        self._blocks = -(-self._outputs // _BLOCK_COLUMNS)
        wide = np.zeros((self.inputs, self._blocks * _BLOCK_COLUMNS), dtype=np.float32)
        wide[:, : self._outputs] = matrix
        blocks = wide.reshape(self.inputs, self._blocks, _BLOCK_COLUMNS).transpose(1, 0, 2)
        self._matrix, self._bias = np.ascontiguousarray(blocks), bias

    def __call__(self, rows: FloatArray) -> FloatArray:
        """The product [rows x outputs]."""
        found = np.empty((len(rows), self._blocks * _BLOCK_COLUMNS), dtype=np.float32)
        for begin in range(0, len(rows), _BLOCK_ROWS):
            some = found[begin : begin + _BLOCK_ROWS]
            places = some.reshape(len(some), self._blocks, _BLOCK_COLUMNS).transpose(1, 0, 2)
            np.matmul(rows[begin : begin + _BLOCK_ROWS], self._matrix, out=places)
        told: FloatArray = found[:, : self._outputs]
        told += self._bias
        return told


@dataclass(frozen=True)
class _Layer:
    """One GRU layer; gates in torch's order (reset, update, new)."""

    inputs: Product
    recurrent: Product

    @classmethod
    def of(cls, tensors: dict[str, FloatArray], index: int) -> _Layer:
        """From torch's names; weights are transposed for row vectors."""
        return cls(
            Product(tensors[f"gru.weight_ih_l{index}"].T, tensors[f"gru.bias_ih_l{index}"]),
            Product(tensors[f"gru.weight_hh_l{index}"].T, tensors[f"gru.bias_hh_l{index}"]),
        )

    def update(self, gates: FloatArray, hidden: FloatArray) -> FloatArray:
        """Next hidden state [batch x hidden] from the input's share of the gates [batch x 3 hidden]."""
        size = hidden.shape[1]
        own = self.recurrent(hidden)
        switches = gates[:, : 2 * size] + own[:, : 2 * size]  # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2
        switches *= 0.5
        np.tanh(switches, out=switches)
        switches *= 0.5
        switches += 0.5
        new = own[:, 2 * size :]
        new *= switches[:, :size]
        new += gates[:, 2 * size :]
        np.tanh(new, out=new)
        after: FloatArray = hidden - new
        after *= switches[:, size:]
        after += new
        return after


class BackingModel:
    """Weights and vocabulary; the same network as in `network`."""

    def __init__(self, vocabulary: Vocabulary, tensors: dict[str, FloatArray]) -> None:
        self.vocabulary = vocabulary
        self._offsets = np.arange(COLUMNS) * len(vocabulary)
        count = sum(name.startswith("gru.weight_ih_l") for name in tensors)
        self._layers = [_Layer.of(tensors, index) for index in range(count)]
        self._embedding = tensors["embedding.weight"]
        self._output = np.ascontiguousarray(tensors["output.weight"].T)
        self._output_bias = tensors["output.bias"]
        self.hidden_size, self.embedding_size = self._layers[0].recurrent.inputs, self._embedding.shape[1]
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

    def knows(self, family: str) -> bool:
        """Whether any training song had a token of a family: of others the embedding is nothing."""
        span = self.vocabulary.span(family)
        return bool(self._embedding[span.start : span.stop].any())

    @property
    def parts(self) -> frozenset[str]:
        """Parts that any training song had."""
        return frozenset(part for part in PARTS if self.knows(part))

    @property
    def knows_free_playing(self) -> bool:
        """Whether any training song named no style: music of other makers, not the arranger's patterns."""
        return bool(self._embedding[self.vocabulary.style("")].any())

    def start(self, batch: int) -> FloatArray:
        """The state before a sequence: zeros [layers x batch x hidden]."""
        return np.zeros((len(self._layers), batch, self.hidden_size), dtype=np.float32)

    def embed(self, rows: NDArray[np.integer]) -> FloatArray:
        """Input of a step [batch x embedding] from rows [batch x COLUMNS] of `context`."""
        return self._embedding[rows + self._offsets].sum(axis=1)  # type: ignore[no-any-return]

    def advance(self, embedded: FloatArray, state: FloatArray) -> FloatArray:
        """The state [layers x batch x hidden] after one more step with the input [batch x embedding]."""
        after = np.empty_like(state)
        below = embedded
        for index, layer in enumerate(self._layers):
            after[index] = layer.update(layer.inputs(below), state[index])
            below = after[index]
        return after

    def read(self, sequences: Sequence[NDArray[np.integer]]) -> FloatArray:
        """The states [layers x sequences x hidden] after whole sequences of rows [tokens x COLUMNS], side by side."""
        order = sorted(range(len(sequences)), key=lambda number: -len(sequences[number]))
        lengths = [len(sequences[number]) for number in order]
        state, below = self.start(len(sequences)), [self.embed(sequences[number]) for number in order]
        for index, layer in enumerate(self._layers):
            longest, going = lengths[0] if lengths else 0, len(order)
            gates = np.empty((longest, going, 3 * self.hidden_size), dtype=np.float32)
            for line, rows in enumerate(below):
                gates[: len(rows), line] = layer.inputs(rows)
            states = np.zeros((longest, going, self.hidden_size), dtype=np.float32)
            hidden = np.zeros((going, self.hidden_size), dtype=np.float32)
            for step in range(longest):
                while lengths[going - 1] <= step:
                    going -= 1
                states[step, :going] = hidden[:going] = layer.update(gates[step, :going], hidden[:going])
            below = [states[:length, line] for line, length in enumerate(lengths)]
            state[index, order] = hidden
        return state

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
        return Readout(Product(self._output[:, columns], self._output_bias[columns]), len(tokens), place)


@dataclass(frozen=True)
class Readout:
    """The output layer for some of the tokens, from `BackingModel.readout`."""

    _product: Product
    _tokens: int
    _place: int

    def __call__(self, embedded: FloatArray, hidden: FloatArray) -> FloatArray:
        """Logits [batch x tokens] from the step's input [batch x embedding] and last layer [batch x hidden]."""
        found = self._product(np.concatenate([hidden, embedded], axis=1))
        scores, merged = found[:, : self._tokens], found[:, self._tokens :]
        top = merged.max(axis=1, keepdims=True)
        scores[:, self._place] = (top + np.log(np.exp(merged - top).sum(axis=1, keepdims=True)))[:, 0]
        return scores
