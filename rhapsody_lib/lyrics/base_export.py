"""A trained lyrics model as a base model's folder: 8 bits a weight, what was read, measured figures, the model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rhapsody_lib.base_files import CARD_FILE, FIGURES_FILE, QUANTISED_FILE
from rhapsody_lib.lyrics.base import READ_FILE, WORDS_FILE, BaseModel, base_digest, open_base, save_base
from rhapsody_lib.lyrics.base_corpus import SONGS_SOURCE, SONGS_TIMES
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.evaluate import evaluate_lyrics
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.runs import RunFilterBuilder, run_hashes, word_hashes
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import tokenize_line

_CARD_TEMPLATE = Path(__file__).parent / "base_card.md"


def export_base(
    model: LyricsModel,
    read: Iterable[Lyrics],
    heldout: Mapping[str, list[Lyrics]],
    out: Path,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a base model's folder, and measure what was written beside the model it was made from.

    Args:
        model: trained on `read`.
        read: the songs trained on, once each.
        heldout: held-out songs by source.
        out: folder to write to; made where missing.
        about: what else the figures are to tell: `date`, `command`, `heldout_share`, `train_words`, and `data`: songs
            that were `kept` by source and `left_out` by reason.

    Returns:
        What figures.json holds.
    """
    builder = RunFilterBuilder()
    for song in read:
        words = [token for line in song.lines for token in tokenize_line(line)]
        builder.add(run_hashes(word_hashes(words), COPY_WORDS))
    save_base(out, model.vocabulary, model.weights, builder.build())
    base = open_base(str(out))
    assert isinstance(base, BaseModel)  # noqa: S101  (a name other than `none`)
    sizes = {name: (out / name).stat().st_size for name in (QUANTISED_FILE, WORDS_FILE, READ_FILE)}
    quantised = replace(model, weights=base.weights)
    figures = {
        **about,
        "digest": base_digest(str(out)),
        "words": len(base.vocabulary.words),
        "embedding_size": base.embedding_size,
        "hidden_size": base.hidden_size,
        "bytes": {**sizes, "all": sum(sizes.values())},
        "heldout": {
            source: {"float32": evaluate_lyrics(model, songs), "stored": evaluate_lyrics(quantised, songs)}
            for source, songs in sorted(heldout.items())
        },
    }
    (out / FIGURES_FILE).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (out / CARD_FILE).write_text(model_card(figures), encoding="utf-8")
    return figures


def model_card(figures: Mapping[str, Any]) -> str:
    """The model card: the template with the figures filled in."""
    rows = "\n".join(
        f"| {source} | {found['stored']['songs']} | {found['stored']['words']} "
        f"| {found['float32']['word_perplexity']:.1f} | {found['stored']['word_perplexity']:.1f} "
        f"| {found['stored']['word_perplexity_with_cache']:.1f} | {found['stored']['unknown_share']:.1%} |"
        for source, found in figures["heldout"].items()
        if "word_perplexity" in found["stored"]
    )
    data = figures["data"]
    left_out = ", ".join(f"{reason.replace('_', ' ')} {count:,}" for reason, count in data["left_out"].items())
    values = {
        "date": figures["date"],
        "command": figures["command"],
        "digest": figures["digest"],
        "words": f"{figures['words']:,}",
        "embedding": figures["embedding_size"],
        "hidden": figures["hidden_size"],
        "megabytes": f"{figures['bytes']['all'] / 1e6:.1f}",
        "train_words": f"{figures['train_words']:,}",
        "heldout_share": f"{figures['heldout_share']:.0%}",
        "sources": "\n".join(_source(name, count) for name, count in data["kept"].items()),
        "left_out": left_out or "none",
        "rows": rows,
    }
    return _CARD_TEMPLATE.read_text(encoding="utf-8").format(**values)


def _source(name: str, count: int) -> str:
    """A source's line of the card. Only of Rhapsody's own songbook is the licence known here."""
    songbook = f" (Rhapsody's embedded songbook, CC0; as it is, each song read {SONGS_TIMES} times an epoch)"
    return f"- {name}: {count:,}" + (songbook if name == SONGS_SOURCE else "")
