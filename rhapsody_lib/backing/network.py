"""The GRU language model of stage 3 in PyTorch. With `training`, the only module that loads torch.

Shapes: rows [batch x time x COLUMNS] -> logits [batch x time x vocabulary]. The input of a step is the sum of one
embedding a column (`context`); one table of COLUMNS x vocabulary rows holds them all. The output sees the hidden state
and the step's input: what the hints say reaches the softmax directly, which halves the training needed.
"""

from __future__ import annotations

from typing import Any

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.optional import require
from rhapsody_lib.settings import BackingSettings


def build_network(vocabulary_size: int, settings: BackingSettings) -> Any:
    """A `torch.nn.ModuleDict` with `embedding`, `gru` and `output`, initialised from torch's current random state.

    Raises:
        MissingExtraError: torch is not installed.
    """
    nn = require("torch.nn")
    network = nn.ModuleDict(
        {
            "embedding": nn.EmbeddingBag(COLUMNS * vocabulary_size, settings.embedding_size, mode="sum"),
            "gru": nn.GRU(
                settings.embedding_size,
                settings.hidden_size,
                settings.layers,
                batch_first=True,
                dropout=settings.dropout if settings.layers > 1 else 0.0,
            ),
            "output": nn.Linear(settings.hidden_size + settings.embedding_size, vocabulary_size),
        }
    )
    nn.init.normal_(network["embedding"].weight, std=0.1)
    return network


def forward(network: Any, rows: Any, state: Any = None, *, dropout: float = 0.0) -> tuple[Any, Any]:
    """Logits and the state after the last step.

    Args:
        network: from `build_network`.
        rows: int64 [batch x time x COLUMNS], ids without column offsets.
        state: float [layers x batch x hidden], none for the start of a sequence.
        dropout: share of inputs and outputs of the GRU dropped.
    """
    torch = require("torch")
    batch, time, columns = rows.shape
    size = network["output"].out_features
    network.train(dropout > 0)
    offsets = torch.arange(columns) * size
    embedded = network["embedding"]((rows + offsets).reshape(batch * time, columns)).reshape(batch, time, -1)
    embedded = torch.nn.functional.dropout(embedded, dropout, training=dropout > 0)
    hidden, state = network["gru"](embedded, state)
    hidden = torch.nn.functional.dropout(hidden, dropout, training=dropout > 0)
    return network["output"](torch.cat([hidden, embedded], dim=2)), state
