"""The steps that train: each takes the store, the settings and the refs of its inputs, and returns a ref.

Nothing is made twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.operations.recipes import backing_recipe, encoder_recipe, lyrics_recipe, model_files
from rhapsody_lib.progress import recorder, reporter
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings


def check_encoder_files(settings: Settings) -> None:
    """Do nothing if a sentence encoder that is given as a folder can be one: said before hours of training.

    Raises:
        InputError: there is no such folder, or no whole model in it.
    """
    from rhapsody_lib.retrieval.model_files import check_files, model_folder

    model = settings.encoder.model
    model_files(model)
    if Path(model).expanduser().is_dir():
        check_files(model, model_folder(model))


def train_lyrics(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the lyrics LSTM (Keras) and export its weights."""

    def train(songs: Path, out: Path, checkpoint: Checkpoint, **reports: Any) -> None:
        from rhapsody_lib.lyrics.training import train_lyrics as train_stage

        seed = split_seed(settings.seed, "lyrics")
        train_stage(songs, out, checkpoint, settings.lyrics, seed=seed, **reports)

    return _trained(store, lyrics_recipe(settings, corpus), corpus, train)


def train_encoder(store: str, settings: Settings, corpus: ArtifactRef | None = None) -> ArtifactRef:
    """Take the sentence encoder by its name, tune it on a corpus if the settings say so, and export it for serving."""
    if settings.encoder.tunes and corpus is not None:
        return _trained(store, encoder_recipe(settings, corpus), corpus, _encoder_tuning(store, settings, corpus))

    def make(folder: Path) -> None:
        from rhapsody_lib.retrieval.encoder import build_encoder

        build_encoder(folder, settings.encoder, progress=reporter("Exporting encoder"))

    return Store(store).build(encoder_recipe(settings), make)


def _encoder_tuning(store: str, settings: Settings, corpus: ArtifactRef) -> Callable[..., None]:
    def train(songs: Path, out: Path, checkpoint: Checkpoint, **reports: Any) -> None:
        from rhapsody_lib.retrieval.tuning import tune_encoder

        seed = split_seed(settings.seed, "encoder")
        if not settings.encoder.generated_pairs:
            tune_encoder(songs, out, checkpoint, settings.encoder, seed=seed, **reports)
            return
        from rhapsody_lib.operations.written_pairs import write_pairs

        lyrics = Store(store).fetch(train_lyrics(store, settings, corpus))
        told = reporter("Writing lyrics to tune the encoder on")
        with tempfile.TemporaryDirectory() as scratch:
            written = write_pairs(songs, lyrics, Path(scratch), settings.encoder, seed=seed, progress=told)
            tune_encoder(songs, out, checkpoint, settings.encoder, seed=seed, written=written, **reports)

    return train


def train_backing(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
    """Train the backing GRU (PyTorch) and export its weights."""

    def train(songs: Path, out: Path, checkpoint: Checkpoint, **reports: Any) -> None:
        from rhapsody_lib.backing.training import train_backing as train_stage

        seed = split_seed(settings.seed, "backing")
        train_stage(songs, out, checkpoint, settings.backing, seed=seed, **reports)

    return _trained(store, backing_recipe(settings, corpus), corpus, train)


def _trained(store: str, recipe: Recipe, corpus: ArtifactRef, train: Callable[..., None]) -> ArtifactRef:
    """The model of a recipe, trained on a corpus from where a killed training had come to."""
    opened, what = Store(store), f"Training {recipe.kind}"
    checkpoint = Checkpoint.of(opened, recipe)

    def make(folder: Path) -> None:
        train(opened.fetch(corpus), folder, checkpoint, progress=reporter(what), record=recorder(what))

    ref = opened.build(recipe, make)
    checkpoint.clear()
    return ref
