"""Prefect tasks: one wrapper an operation, under the operation's name, so that this package is a namespace of steps."""

from tasks.generation import compose_backing, find_match, write_lyrics, write_song
from tasks.quiet import quiet_mendable_errors
from tasks.training import (
    at_once,
    check_corpus,
    check_gate,
    embed_catalogue,
    evaluate_models,
    make_card,
    prepare_corpus,
    release_models,
    train_backing,
    train_encoder,
    train_lyrics,
)

quiet_mendable_errors()

__all__ = [
    "at_once",
    "check_corpus",
    "check_gate",
    "compose_backing",
    "embed_catalogue",
    "evaluate_models",
    "find_match",
    "make_card",
    "prepare_corpus",
    "release_models",
    "train_backing",
    "train_encoder",
    "train_lyrics",
    "write_lyrics",
    "write_song",
]
