"""The GRU language model of stage 3 in PyTorch. With `training`, the only module that loads torch.

Shapes: rows [time x batch x COLUMNS] -> logits [time x batch x vocabulary]. The input of a step is the sum of one
embedding a column (`context`); one table of COLUMNS x vocabulary rows holds them all. The output sees the hidden state
and the step's input: what the hints say reaches the softmax directly, which halves the training needed.
"""

from __future__ import annotations

from typing import Any

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.recurrence import gru_layer
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
            ),
            "output": nn.Linear(settings.hidden_size + settings.embedding_size, vocabulary_size),
        }
    )
    nn.init.normal_(network["embedding"].weight, std=0.1)
    return network


def forward(network: Any, rows: Any, state: Any = None, *, dropout: float = 0.0, products: Any = None) -> Any:
    """Logits [time x batch x vocabulary] in the products' type, and the state after the last step without its gradient.

    Args:
        network: from `build_network`.
        rows: int64 [time x batch x COLUMNS], ids without column offsets.
        state: float [layers x batch x hidden], none for the start of a sequence.
        dropout: share of inputs and outputs of the GRU layers dropped.
        products: type of the factors of the products, `torch.bfloat16` or none for float32.
    """
    torch = require("torch")
    products = products or torch.float32
    time, batch, columns = rows.shape
    gru, output = network["gru"], network["output"]

    def dropped(values: Any) -> Any:
        if not dropout:
            return values
        # The same features of all steps of a stream (Gal and Ghahramani 2016): less to draw, too.
        return values * torch.nn.functional.dropout(values.new_ones(1, *values.shape[1:]), dropout)

    offsets = torch.arange(columns) * output.out_features
    embedded = network["embedding"]((rows + offsets).reshape(time * batch, columns)).reshape(time, batch, -1)
    embedded = below = dropped(embedded)
    if state is None:
        state = embedded.new_zeros(gru.num_layers, batch, gru.hidden_size)
    last = []
    for weights, first in zip(gru.all_weights, state, strict=True):
        hidden = gru_layer(torch, below, tuple(weights), first, products)
        last.append(hidden[-1].detach())
        below = dropped(hidden)
    seen = torch.cat([below, embedded], dim=2).to(products)
    logits = torch.nn.functional.linear(seen, output.weight.to(products), output.bias.to(products))
    return logits, torch.stack(last)
