"""The sentence encoder as it is served: ONNX Runtime or OpenVINO, tokenizers and NumPy; neither torch nor TensorFlow.

`rhapsody_lib.retrieval.encoder` writes the folder that is read here. A text's vector depends on nothing but the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.optional import require
from rhapsody_lib.processors import available_processors
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.retrieval.engines import Engine, OnnxEngine, Vectors, bulk_engine

__all__ = ["CARD_FILE", "MODEL_FILE", "TOKENIZER_FILE", "Encoder", "Vectors"]

MODEL_FILE, TOKENIZER_FILE, CARD_FILE = "encoder.onnx", "tokenizer.json", "encoder.json"
#: Tokens in one batch at most, unless a single text has more. More are no faster.
BATCH_TOKENS = 1024
#: What the precision is tried on; the last is longer than any length limit.
_PROBES = (
    "Love",
    "The river runs down to the sea",
    "I walked the long road home, and the rain it rained all day\nand nobody knew my name",
    "Sail on, sail on, my bonny boat,\nthe wind is in the west;\nthe sea is wide, the night is cold,\nwe do not rest",
    "Schlaf, Kindlein, schlaf!\nDer Vater hüt die Schaf",
    "1, 2, 3! (Oh-oh-oh, yeah, yeah) #$%",
    "\n".join(f"Verse {number}: the bells of {number} towns are ringing in the morning" for number in range(60)),
    "la " * 2000,
)


@dataclass(frozen=True)
class Encoder:
    """A loaded encoder.

    Attributes:
        folder: where it was loaded from.
        card: what encoder.json says of it.
        texts_at_once: texts or batches that `encode` runs side by side.
    """

    folder: Path
    card: dict[str, Any]
    texts_at_once: int
    _tokenizer: Any
    _unknown: int | None
    _engine: Engine

    @classmethod
    def load(cls, folder: Path, *, threads: int = 2) -> Encoder:
        """Load an encoder folder for few texts, such as a query: it starts soon.

        Args:
            folder: what `build_encoder` wrote.
            threads: processor threads of one inference; it changes speed alone.

        Raises:
            DamagedArtifactError: a file is missing or not readable as what it should be.
            MissingExtraError: the extra `retrieval` is not installed.
        """
        return cls._load(folder, 1, lambda _: OnnxEngine.load(folder / MODEL_FILE, threads=threads))

    @classmethod
    def load_bulk(cls, folder: Path, *, texts_at_once: int = 0, only_float32: bool = False) -> Encoder:
        """Load an encoder folder for many texts: a second or two later, and then as fast as this processor is.

        In bfloat16 the vectors have a cosine of at least `engines.LEAST_COSINE` to those of `load`; `runtime` says what
        is used.

        Args:
            folder: what `build_encoder` wrote.
            texts_at_once: texts embedded side by side, each on one thread; 0 is one for each processor. It changes
                speed alone.
            only_float32: whether bfloat16 is out of the question.

        Raises:
            DamagedArtifactError: a file is missing or not readable as what it should be.
            MissingExtraError: the extra `retrieval` is not installed.
        """
        at_once = texts_at_once or available_processors()
        return cls._load(
            folder,
            at_once,
            lambda tokenizer: bulk_engine(
                folder / MODEL_FILE,
                [encoding.ids for encoding in tokenizer.encode_batch(list(_PROBES))],
                texts_at_once=at_once,
                only_float32=only_float32,
            ),
        )

    @classmethod
    def _load(cls, folder: Path, texts_at_once: int, engine_for: Callable[[Any], Engine]) -> Encoder:
        require("onnxruntime")
        tokenizers = require("tokenizers")
        try:
            card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
            content = (folder / TOKENIZER_FILE).read_text(encoding="utf-8")
            tokenizer = tokenizers.Tokenizer.from_str(content)
            tokenizer.no_padding()
            tokenizer.enable_truncation(max_length=int(card["max_tokens"]))
            if int(card["dimension"]) < 1:
                raise ValueError("dimension")
            engine = engine_for(tokenizer)
        except Exception as error:  # the libraries raise bare Exception and classes of their own
            raise DamagedArtifactError(
                f"{folder}: is not a usable encoder ({type(error).__name__}: {error}). {BUILD_AGAIN}"
            ) from error
        return cls(folder, card, texts_at_once, tokenizer, _unknown_token(tokenizer, content), engine)

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.card["dimension"])

    @property
    def runtime(self) -> str:
        """What computes the vectors: library, version, precision."""
        return self._engine.name

    def fits(self, text: str) -> bool:
        """Whether no token of the text lies past the length limit."""
        return not self._tokenizer.encode(text).overflowing

    def encode(self, texts: Sequence[str], *, batch_size: int = 32, progress: Progress = silent) -> Vectors:
        """Unit vectors of texts, float32 [texts x dimension]; what lies past the length limit is not read.

        A text of which the tokenizer knows nothing, an empty one too, has the zero vector, which is similar to nothing.
        Texts are batched only where that changes no bit of a vector, and then with others of as many tokens.

        Args:
            texts: in any order; the result is in the same.
            batch_size: texts in one batch at most; it changes speed alone.
            progress: told of the texts that are done.

        Raises:
            DamagedArtifactError: the encoder gives what is no vector, or one of another dimension.
        """
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        encodings = self._tokenizer.encode_batch(list(texts))
        known = [row for row, encoding in enumerate(encodings) if self._knows(encoding)]
        ids = {row: encodings[row].ids for row in known}
        batches = _batches(ids, batch_size if self._engine.batches else 1)
        done = len(texts) - len(known)
        with ThreadPoolExecutor(self.texts_at_once) as pool:
            run = map if self.texts_at_once == 1 else pool.map
            for rows, part in zip(
                batches, run(lambda rows: self._run([ids[row] for row in rows]), batches), strict=True
            ):
                vectors[rows] = part
                done += len(rows)
                progress(done, len(texts), "texts embedded")
        return vectors

    def _knows(self, encoding: Any) -> bool:
        """Whether a token is neither unknown nor one of the marks that stand around every text."""
        marks = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
        return any(not special and token != self._unknown for token, special in marks)

    def _run(self, ids: list[list[int]]) -> Vectors:
        try:
            vectors = self._engine.run(np.array(ids, dtype=np.int64))
        except Exception as error:  # a graph that does not take these tokens: the libraries' own classes
            raise DamagedArtifactError(
                f"{self.folder}: cannot embed a text ({type(error).__name__}: {str(error)[:200]}). {BUILD_AGAIN}"
            ) from error
        if vectors.shape != (len(ids), self.dimension):
            raise DamagedArtifactError(
                f"{self.folder}: gives vectors of {vectors.shape[-1]} numbers where {CARD_FILE} says {self.dimension}. "
                f"{BUILD_AGAIN}"
            )
        if not np.isfinite(vectors).all():
            raise DamagedArtifactError(
                f"{self.folder}: gives vectors that are not numbers (NaN); its weights are damaged. {BUILD_AGAIN}"
            )
        return vectors


def _unknown_token(tokenizer: Any, content: str) -> int | None:
    """Number of the token that stands for what a tokenizer does not know; none if it knows every byte."""
    model = json.loads(content)["model"]
    if model.get("unk_id") is not None:
        return int(model["unk_id"])
    token = model.get("unk_token")
    found: int | None = tokenizer.token_to_id(token) if token else None
    return found


def _batches(ids: dict[int, list[int]], batch_size: int) -> list[list[int]]:
    """Rows in batches of equal length, short ones first; sizes are powers of two, so that few shapes occur."""
    by_length: dict[int, list[int]] = {}
    for row, tokens in ids.items():
        by_length.setdefault(len(tokens), []).append(row)
    batches = []
    for length, rows in sorted(by_length.items()):
        most = max(1, min(batch_size, BATCH_TOKENS // length))
        start = 0
        while start < len(rows):
            size = 1 << (min(most, len(rows) - start).bit_length() - 1)
            batches.append(rows[start : start + size])
            start += size
    return batches
