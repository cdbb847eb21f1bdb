"""The sentence encoder as it is served: ONNX Runtime, tokenizers and NumPy; neither torch nor TensorFlow.

`rhapsody_lib.retrieval.encoder` writes the folder that is read here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.optional import require
from rhapsody_lib.progress import Progress, silent

MODEL_FILE, TOKENIZER_FILE, CARD_FILE = "encoder.onnx", "tokenizer.json", "encoder.json"
#: Padded tokens in one batch at most. More is no faster on a CPU and needs more memory.
BATCH_TOKENS = 2048

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder; `card` is what encoder.json says of it."""

    card: dict[str, Any]
    _tokenizer: Any
    _session: Any

    @classmethod
    def load(cls, folder: Path, *, threads: int = 2) -> Encoder:
        """Load an encoder folder.

        Args:
            folder: what `build_encoder` wrote.
            threads: processor threads of one inference; it changes speed alone.

        Raises:
            DamagedArtifactError: a file is missing or not readable as what it should be.
            MissingExtraError: the extra `retrieval` is not installed.
        """
        runtime, tokenizers = require("onnxruntime"), require("tokenizers")
        try:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            tokenizer = tokenizers.Tokenizer.from_str((folder / TOKENIZER_FILE).read_text(encoding="utf-8"))
            tokenizer.no_padding()
            tokenizer.enable_truncation(max_length=int(card["max_tokens"]))
            options = runtime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.log_severity_level = 3
            session = runtime.InferenceSession(str(folder / MODEL_FILE), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the two libraries raise bare Exception and classes of their own
            raise DamagedArtifactError(
                f"{folder}: is not a usable encoder ({type(error).__name__}: {error}). Train the encoder again."
            ) from error
        return cls(card, tokenizer, session)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.card["dimension"])

    def fits(self, text: str) -> bool:
        """Whether no token of the text lies past the length limit."""
        return not self._tokenizer.encode(text).overflowing

    def encode(self, texts: Sequence[str], *, batch_size: int = 32, progress: Progress = silent) -> Vectors:
        """Unit vectors of texts, float32 [texts x dimension]; what lies past the length limit is not read.

        Texts are batched by length, so that little of a batch is padding; the result is in the order of `texts`.
        """
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        start = 0
        while start < len(order):
            end = _batch_end(order, ids, start, batch_size)
            rows = order[start:end]
            vectors[rows] = self._run([ids[row] for row in rows])
            start = end
            progress(start, len(order), "texts embedded")
        return vectors

    def _run(self, ids: list[list[int]]) -> Vectors:
        longest = max(len(row) for row in ids)
        tokens = np.full((len(ids), longest), int(self.card["pad_id"]), dtype=np.int64)
        mask = np.zeros_like(tokens)
        for index, row in enumerate(ids):
            tokens[index, : len(row)] = row
            mask[index, : len(row)] = 1
        result: Vectors = self._session.run(None, {"input_ids": tokens, "attention_mask": mask})[0]
        return result


def _batch_end(order: list[int], ids: list[list[int]], start: int, batch_size: int) -> int:
    """End of the batch that begins at `start` of `order`, which is sorted by growing length."""
    end = start + 1
    while end < min(len(order), start + batch_size) and (end - start + 1) * len(ids[order[end]]) <= BATCH_TOKENS:
        end += 1
    return end
