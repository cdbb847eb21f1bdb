"""Optional dependencies: imported where used, and missed with one clear error that names the extra."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from rhapsody_lib.errors import MissingExtraError

#: Module that an extra brings -> the extra's name in pyproject.toml.
EXTRA_OF_MODULE = {
    "tensorflow": "lyrics",
    "keras": "lyrics",
    "sentence_transformers": "retrieval",
    "onnx": "retrieval",
    "onnxruntime": "retrieval",
    "openvino": "retrieval",
    "transformers": "retrieval",
    "huggingface_hub": "retrieval",
    "tokenizers": "retrieval",
    "torch": "backing",
    "symusic": "backing",
    "pretty_midi": "song",
    "mido": "song",
    "matplotlib": "song",
    "lameenc": "song",
    "verovio": "song",
    "pyworld": "vocal",
    "espeakng_loader": "vocal",
    "lingua": "corpus",
    "dataframely": "corpus",
    "polars": "corpus",
    "faiss": "index",
    "prefect": "orchestrate",
    "PIL": "song",
    "prefect_dask": "dask",
    "distributed": "dask",
}


def is_installed(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def require(module: str) -> ModuleType:
    """Import a module of an extra.

    Raises:
        MissingExtraError: it is not installed; the message names what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        top = module.split(".", maxsplit=1)[0]
        if is_installed(top) and getattr(error, "name", top) != top:
            raise
        extra = EXTRA_OF_MODULE.get(top, "all")
        raise MissingExtraError(
            f"'{top}' is not installed. Install the extra that brings it: pip install 'rhapsody[{extra}]'"
        ) from error
