"""A tuning of the encoder and its state after each epoch, for a killed run to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rhapsody_lib.checkpoints import Checkpoint, processor
from rhapsody_lib.optional import require
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.torch_states import BFLOAT16, FLOAT32, TorchState, has_fast_bfloat16, load_state, save_state

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
    fast = torch.cuda.is_bf16_supported() if cuda else has_fast_bfloat16()
    optimiser = torch.optim.AdamW(trained.values(), lr=settings.learning_rate, weight_decay=_WEIGHT_DECAY, fused=True)
    return Run(model, trained, optimiser, {}, BFLOAT16 if fast else FLOAT32)


def machine(run: Run) -> dict[str, str]:
    """What the bytes of a run depend on beside its inputs."""
    torch, device = require("torch"), next(iter(run.trained.values())).device
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return {"processor": kind, "torch": str(torch.__version__), "threads": str(torch.get_num_threads())}


def save(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Save everything that the next epoch depends on; what is not tuned is read from the model again."""
    state = TorchState(run.trained, run.best, run.arithmetic, run.history)
    save_state(checkpoint, len(run.history) - 1, recipe, state, run.optimiser, machine(run))


def resume(run: Run, checkpoint: Checkpoint, recipe: str) -> None:
    """Take up the newest state of the same recipe; states of another, or of another layout, are removed.

    Raises:
        StoreError: the store does not answer.
    """
    state = load_state(checkpoint, "encoder", recipe, run.optimiser, machine(run), before=1)
    if state is not None:
        put(run, state.weights)
        run.best, run.arithmetic, run.history = state.best, state.arithmetic, state.history


def put(run: Run, weights: Mapping[str, Any]) -> None:
    """Give the tuned parameters other values."""
    with require("torch").no_grad():
        for name, value in weights.items():
            run.trained[name].copy_(value)
