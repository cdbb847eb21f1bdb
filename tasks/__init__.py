"""Prefect tasks: one wrapper an operation, under the operation's name, so that this package is a namespace of steps."""

from tasks.generation import compose_backing, find_match, write_lyrics, write_song
from tasks.training import embed_catalogue, prepare_corpus, release_models, train_backing, train_encoder, train_lyrics

__all__ = [
    "compose_backing",
    "embed_catalogue",
    "find_match",
    "prepare_corpus",
    "release_models",
    "train_backing",
    "train_encoder",
    "train_lyrics",
    "write_lyrics",
    "write_song",
]
