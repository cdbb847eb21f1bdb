"""A trained backing model as a base model's folder: 8 bits a weight, what was read, figures, the model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from rhapsody_lib.backing.base import MODEL_FILES, base_digest, base_marks, open_base, save_base
from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyIndex
from rhapsody_lib.backing.dataset import BackingData
from rhapsody_lib.backing.model import WEIGHTS_FILE
from rhapsody_lib.backing.training import measured
from rhapsody_lib.base_files import CARD_FILE, FIGURES_FILE

SONGBOOK_SOURCE = "songbook"
_CARD_TEMPLATE = Path(__file__).parent / "base_card.md"


def export_base(trained: Path, data: BackingData, out: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a base model's folder, and measure what was written beside the model it was made from.

    Args:
        trained: folder that `train_backing` wrote.
        data: the music it was trained on.
        out: folder to write to; made where missing.
        about: what else the figures are to tell: `date`, `command`, `heldout_share`, `sources` (songs by source).

    Returns:
        What figures.json holds.

    Raises:
        MissingExtraError: torch is not installed.
    """
    weights = load_file(trained / WEIGHTS_FILE)
    # Both hold what a base of its own has read, if it was started from one.
    read = {song.mark for song in data.train} | base_marks(trained)
    save_base(out, data.vocabulary, weights, read, MelodyIndex.load(trained / MELODIES_FILE))
    base = open_base(str(out))
    assert base is not None  # noqa: S101  (a name other than `none`)
    sizes = {name: (out / name).stat().st_size for name in MODEL_FILES}
    layers, hidden = sum(name.startswith("gru.weight_ih_l") for name in weights), weights["gru.weight_hh_l0"].shape[1]
    figures = {
        **about,
        "digest": base_digest(str(out)),
        "tokens": len(data.vocabulary),
        "embedding_size": weights["embedding.weight"].shape[1],
        "hidden_size": hidden,
        "layers": layers,
        "read_songs": len(base.read),
        "train_tokens": sum(len(song.ids) for song in data.train),
        "heldout_songs": len(data.heldout),
        "heldout_nll": {
            "float32": measured(weights, data.vocabulary, data.heldout),
            "stored": measured(base.weights, data.vocabulary, data.heldout),
        },
        "bytes": {**sizes, "all": sum(sizes.values())},
    }
    (out / FIGURES_FILE).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (out / CARD_FILE).write_text(model_card(figures), encoding="utf-8")
    return figures


def model_card(figures: Mapping[str, Any]) -> str:
    """The model card: the template with the figures filled in."""
    values = {
        "date": figures["date"],
        "command": figures["command"],
        "digest": figures["digest"],
        "tokens": figures["tokens"],
        "embedding": figures["embedding_size"],
        "hidden": figures["hidden_size"],
        "layers": figures["layers"],
        "read": f"{figures['read_songs']:,}",
        "megabytes": f"{figures['bytes']['all'] / 1e6:.1f}",
        "train_tokens": f"{figures['train_tokens']:,}",
        "sources": "\n".join(_source(name, count) for name, count in sorted(figures["sources"].items())),
        "heldout_share": f"{figures['heldout_share']:.0%}",
        "heldout_songs": figures["heldout_songs"],
        **figures["heldout_nll"],
    }
    return _CARD_TEMPLATE.read_text(encoding="utf-8").format(**values)


def _source(name: str, count: int) -> str:
    """A source's line of the card. Only of Rhapsody's own songbook is the licence known here."""
    return f"- {name}: {count:,}" + (" (Rhapsody's embedded songbook, CC0)" if name == SONGBOOK_SOURCE else "")
