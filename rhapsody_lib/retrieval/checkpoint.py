"""A tuning of the encoder and its state after each epoch, for a killed run to go on from."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rhapsody_lib.checkpoints import Checkpoint, processor, warn_of_another_machine
from rhapsody_lib.optional import require
from rhapsody_lib.settings import EncoderSettings

logger = logging.getLogger(__name__)

FLOAT32, BFLOAT16 = "float32", "bfloat16"
#: Instruction sets that multiply bfloat16, at about twice the speed of float32.
_BFLOAT16_SETS = ("amx_bf16", "avx512_bf16")
_WEIGHT_DECAY = 0.01


@dataclass
class Run:
    """A run's model, optimiser and history. Its arithmetic is chosen once and kept to, also by who goes on with it.

    Args:
        model: a `SentenceTransformer`, on the device it is tuned on.
        trained: its parameters that are tuned, by name.
        optimiser: AdamW over them.
        best: weights of the best epoch; empty where that is the model as it came.
        arithmetic: of the products: `bfloat16` or `float32`.
        history: figures of each epoch; the first are those of the model as it came.
    """

    model: Any
    trained: dict[str, Any]
    optimiser: Any
    best: dict[str, Any]
    arithmetic: str
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """Index of the epoch with the highest held-out MRR, the earliest of several; 0 is the model as it came.

        Of the encoder alone: how much of TF-IDF is best beside it changes with it.
        """
        return max(range(len(self.history)), key=lambda epoch: (self.history[epoch]["heldout_mrr"], -epoch))

    def finished(self, settings: EncoderSettings) -> bool:
        """Whether all epochs are done, or the last few brought nothing."""
        done = len(self.history) - 1
        return done >= settings.max_epochs or done - self.best_epoch >= settings.patience


def start(torch: Any, model: Any, settings: EncoderSettings) -> Run:
    """A run of a model: all is tuned but the vectors of words.

    Most words are rare in songs, and a rare word's vector would fit the few songs it stands in. Dropout is off: the
    texts are cut anew each time, and drawing it costs time.
    """
    cuda = bool(torch.cuda.is_available())
    model.to("cuda" if cuda else "cpu").eval()
    words = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) not in words)
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    fast = torch.cuda.is_bf16_supported() if cuda else any(name in processor() for name in _BFLOAT16_SETS)
    optimiser = torch.optim.AdamW(trained.values(), lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY, fused=True)
    return Run(model, trained, optimiser, {}, BFLOAT16 if fast else FLOAT32)


def machine(run: Run) -> dict[str, str]:
    """What the bytes of a run depend on beside its inputs."""
    torch, device = require("torch"), next(iter(run.trained.values())).device
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {"processor": kind, "torch": str(torch.__version__), "threads": str(torch.get_num_threads())}


def save(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Save everything that the next epoch depends on; what is not tuned is read from the model again."""
    tensors = {f"weights.{name}": value.detach() for name, value in run.trained.items()}
    tensors |= {f"best.{name}": value for name, value in run.best.items()}
    for index, state in run.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    metadata = {
        "recipe": recipe,
        "history": json.dumps(run.history),
        "arithmetic": run.arithmetic,
        "machine": json.dumps(machine(run)),
    }
    held = {name: value.cpu().contiguous() for name, value in tensors.items()}
    save_file = require("safetensors.torch").save_file
    checkpoint.save(len(run.history) - 1, lambda path: save_file(held, path, metadata))


def resume(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Take up the newest state of the same recipe; states of another, or of another layout, are removed.

    Raises:
        StoreError: the store does not answer.
    """
    path = checkpoint.latest()
    if path is None:
        return
    read = _read(path, recipe)
    if read is None:
        logger.warning("encoder: the saved state is not of this tuning: it starts from the beginning.")
        checkpoint.clear()
        return
    metadata, tensors = read
    run.history, run.arithmetic = json.loads(metadata["history"]), metadata["arithmetic"]
    put(run, _with_prefix(tensors, "weights."))
    run.best = _with_prefix(tensors, "best.")
    state = run.optimiser.state_dict()
    for name, value in _with_prefix(tensors, "optimiser.").items():
        index, _, entry = name.partition(".")
        state["state"].setdefault(int(index), {})[entry] = value
    run.optimiser.load_state_dict(state)
    warn_of_another_machine("encoder", len(run.history) - 1, json.loads(metadata["machine"]), machine(run))


def _read(path: Path, recipe: str) -> tuple[dict[str, str], dict[str, Any]] | None:
    safetensors = require("safetensors")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("recipe") != recipe or not {"history", "arithmetic", "machine"} <= metadata.keys():
                return None
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError):
        return None


def _with_prefix(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def put(run: Run, weights: Mapping[str, Any]) -> None:
    """Give the tuned parameters other values."""
    with require("torch").no_grad():
        for name, value in weights.items():
            run.trained[name].copy_(value)
