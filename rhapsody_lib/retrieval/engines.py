"""What computes the vectors: ONNX Runtime in float32, or OpenVINO in bfloat16 where the processor has it.

A query is embedded by ONNX Runtime, which starts sooner. A catalogue is embedded by OpenVINO if that is installed and,
on this processor, as exact as `LEAST_COSINE` says (docs/decisions/0034).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.optional import is_installed, require

logger = logging.getLogger(__name__)

#: Cosine to float32 that every probe must reach, else a faster way is not used.
LEAST_COSINE = 0.9999
#: Lengths in tokens, and texts at once, at which a batch is compared with its texts alone.
_PROBED_LENGTHS, _PROBED_BATCH = (5, 16, 37, 64, 101), 4
#: What OpenVINO raises, half installed or made for another system; RuntimeError is its own class for all else.
_UNUSABLE = (ImportError, MissingExtraError, OSError, RuntimeError)

Tokens = NDArray[np.int64]
Vectors = NDArray[np.float32]


class Engine(Protocol):
    """Runs the exported graph."""

    @property
    def name(self) -> str:
        """Library, version and precision, for people."""

    @property
    def batches(self) -> bool:
        """Whether texts of equal length may be run together: each then has the bytes that it has alone."""

    def run(self, tokens: Tokens) -> Vectors:
        """Vectors [texts x dimension] of token numbers [texts x tokens], none of which is padding."""


@dataclass(frozen=True)
class OnnxEngine:
    """ONNX Runtime, float32. Low bits of a vector depend on what its text is batched with, so each text runs alone."""

    session: Any
    name: str
    batches: bool = False

    @classmethod
    def load(cls, model: Path, *, threads: int) -> OnnxEngine:
        """Load a graph; errors are those of the library."""
        runtime = require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        session = runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        return cls(session, f"ONNX Runtime {runtime.__version__}, float32")

    def run(self, tokens: Tokens) -> Vectors:
        """See `Engine.run`."""
        alone = ({"input_ids": ids[None], "attention_mask": np.ones_like(ids[None])} for ids in tokens)
        return np.concatenate([self.session.run(None, feed)[0] for feed in alone])


@lru_cache(maxsize=1)
def _core() -> Any:
    """OpenVINO, once a process and to its end.

    It gives the main thread another stack for signals and takes its memory back with itself, but not the order: a
    Ctrl-C that comes later ends the process with a segmentation fault.
    """
    return require("openvino").Core()


@dataclass(frozen=True)
class OpenVinoEngine:
    """OpenVINO on the processor, one thread for each text or batch, several side by side."""

    requests: SimpleQueue[Any]
    name: str
    batches: bool = True

    @classmethod
    def load(cls, model: Path, *, precision: str, texts_at_once: int) -> OpenVinoEngine:
        """Load a graph in a precision of `precisions`; errors are those of the library."""
        openvino = require("openvino")
        options = {
            "INFERENCE_PRECISION_HINT": {"bfloat16": "bf16", "float32": "f32"}[precision],
            "INFERENCE_NUM_THREADS": texts_at_once,
            "NUM_STREAMS": texts_at_once,
            # Pinned threads of two processes fight for the same cores.
            "ENABLE_CPU_PINNING": False,
        }
        compiled = _core().compile_model(str(model), "CPU", options)
        requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(texts_at_once):
            requests.put(compiled.create_infer_request())
        version = openvino.get_version().partition("-")[0]
        return cls(requests, f"OpenVINO {version}, {precision}")

    @staticmethod
    def precisions() -> list[str]:
        """What to try on this processor, the fastest first."""
        capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return ["bfloat16", "float32"] if "BF16" in capabilities else ["float32"]

    def run(self, tokens: Tokens) -> Vectors:
        """See `Engine.run`."""
        request = self.requests.get()
        try:
            result = request.infer({"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
            return np.array(result[0], dtype=np.float32)
        finally:
            self.requests.put(request)


def least_cosine(engine: Engine, reference: Engine, probes: Sequence[Sequence[int]]) -> float:
    """Least cosine between the vectors of two engines; NaN where one gives none."""
    pairs = [[each.run(np.array([ids], dtype=np.int64))[0] for each in (engine, reference)] for ids in probes]
    return float(np.min([one @ other for one, other in pairs]))


def batches_are_exact(engine: Engine, probes: Sequence[Sequence[int]]) -> bool:
    """Whether texts of equal length have the same bytes together and alone."""
    for length in _PROBED_LENGTHS:
        rows = [ids[:length] for ids in probes if len(ids) >= length][:_PROBED_BATCH]
        if len(rows) > 1:
            tokens = np.array(rows, dtype=np.int64)
            alone = np.concatenate([engine.run(tokens[row : row + 1]) for row in range(len(rows))])
            if engine.run(tokens).tobytes() != alone.tobytes():
                return False
    return True


def bulk_engine(
    model: Path, probes: Sequence[Sequence[int]], *, texts_at_once: int, only_float32: bool = False
) -> Engine:
    """The fastest engine here that is exact on the probes: never one that is less exact without a word.

    Args:
        model: the ONNX file.
        probes: token numbers of texts of different lengths.
        texts_at_once: texts that will be run side by side.
        only_float32: whether bfloat16 is out of the question.
    """
    reference = OnnxEngine.load(model, threads=1)
    if not is_installed("openvino"):
        return reference
    try:
        precisions = ["float32"] if only_float32 else OpenVinoEngine.precisions()
    except _UNUSABLE as error:
        logger.warning("OpenVINO cannot be loaded (%s): the encoder runs in %s.", error, reference.name)
        return reference
    for precision in precisions:
        try:
            engine = OpenVinoEngine.load(model, precision=precision, texts_at_once=texts_at_once)
            cosine = least_cosine(engine, reference, probes)
            exact = batches_are_exact(engine, probes)
        except _UNUSABLE as error:
            logger.warning("OpenVINO cannot run %s in %s (%s).", model.name, precision, str(error).split("\n")[0][:200])
            continue
        if cosine >= LEAST_COSINE and exact:
            logger.info("The encoder runs in %s: cosine to float32 at least %.6f.", engine.name, cosine)
            return engine
        logger.warning(
            "The encoder does not run in %s: cosine to float32 %.6f, batches %s.",
            engine.name,
            cosine,
            "exact" if exact else "differ",
        )
    return reference
