"""What each artifact is made from: its recipe, and the version of the stage that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe
from rhapsody_lib.errors import InputError
from rhapsody_lib.hashing import known_sha256
from rhapsody_lib.settings import Settings

#: Raised whenever a stage gives other results from the same settings and inputs.
STAGE_VERSIONS = {"corpus": 7, "lyrics": 4, "encoder": 3, "catalogue": 4, "backing": 4, "evaluation": 7, "song": 7}
#: The settings of an encoder that is taken as it is; the others are of its tuning.
_UNTUNED = {"model", "max_tokens"}


def corpus_recipe(settings: Settings, sources: Sequence[str]) -> Recipe:
    """Recipe of the prepared corpus: its settings, with what source files keep, and the sources' contents, in order."""
    from rhapsody_lib.corpus.language import check_language
    from rhapsody_lib.corpus.prepare import source_fingerprint
    from rhapsody_lib.corpus.source_file import with_choices

    chosen = with_choices(settings.corpus, sources)
    check_language(chosen.language)  # before the sources are read for their fingerprints
    inputs = {f"source-{index}": source_fingerprint(source) for index, source in enumerate(sources)}
    values = {"corpus": chosen.model_dump(mode="json"), "seed": settings.seed}
    return Recipe("corpus", STAGE_VERSIONS["corpus"], values, inputs)


def lyrics_recipe(settings: Settings, corpus: ArtifactRef) -> Recipe:
    """Recipe of the lyrics model: its settings, its corpus and, by its contents, the base model that it starts from.

    Raises:
        InputError: there is no such base model on this machine.
    """
    from rhapsody_lib.base_files import NO_BASE
    from rhapsody_lib.lyrics.base import base_digest

    chosen = settings.lyrics.model_dump(mode="json")
    inputs = {"corpus": corpus.sha256}
    if settings.lyrics.base != NO_BASE:
        inputs["base"] = base_digest(settings.lyrics.base)
        chosen["base"] = "a folder"
    return Recipe("lyrics", STAGE_VERSIONS["lyrics"], {"lyrics": chosen, "seed": settings.seed}, inputs)


def encoder_recipe(settings: Settings, corpus: ArtifactRef | None = None) -> Recipe:
    """Recipe of the exported sentence encoder: its settings; of a model given as a folder the contents, not the path.

    Only one that is tuned depends on the corpus, the seed and the settings of the tuning: one that is taken as it is
    is the same beside every corpus.

    Raises:
        InputError: the model is a folder that this machine does not see, or it is to be tuned without a corpus.
    """
    chosen = settings.encoder.model_dump(mode="json", include=None if settings.encoder.tunes else _UNTUNED)
    inputs = model_files(settings.encoder.model)
    if inputs:
        chosen["model"] = "a folder"
    values: dict[str, Any] = {"encoder": chosen}
    if settings.encoder.tunes:
        if corpus is None:
            raise InputError("The sentence encoder is tuned on songs: name their sources, or use encoder.tuning=none.")
        values, inputs = {**values, "seed": settings.seed}, {**inputs, "corpus": corpus.sha256}
        if settings.encoder.generated_pairs:
            values["lyrics_written_by"] = lyrics_recipe(settings, corpus).key
        else:
            del chosen["generated_pairs"]  # the key of an encoder that is tuned on songs alone
    return Recipe("encoder", STAGE_VERSIONS["encoder"], values, inputs)


def model_files(model: str) -> dict[str, str]:
    """SHA-256 by name of the files of a sentence encoder given as a folder; none of one given by name.

    Raises:
        InputError: there is no such folder on this machine.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): known_sha256(path) for path in files}
    if model.startswith(("/", ".", "~")):
        raise InputError(
            f"encoder.model '{model}': there is no such folder on this machine. It must be on every machine that "
            "trains or retrains; or give a model's name, or use encoder.model=offline."
        )
    return {}


def catalogue_recipe(settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef) -> Recipe:
    """Recipe of the embedded catalogue."""
    values = {"catalogue": settings.catalogue.model_dump(mode="json")}
    inputs = {"corpus": corpus.sha256, "encoder": encoder.sha256}
    return Recipe("catalogue", STAGE_VERSIONS["catalogue"], values, inputs)


def backing_recipe(settings: Settings, corpus: ArtifactRef) -> Recipe:
    """Recipe of the backing model: its settings, its corpus and, by its contents, the base model that it starts from.

    Raises:
        InputError: there is no such base model on this machine.
    """
    from rhapsody_lib.backing.base import base_digest
    from rhapsody_lib.base_files import NO_BASE

    chosen, base = settings.backing.model_dump(mode="json"), settings.backing.base
    inputs = {"corpus": corpus.sha256}
    if base != NO_BASE:
        inputs["base"] = base_digest(base)
        chosen["base"] = "a folder"
    return Recipe("backing", STAGE_VERSIONS["backing"], {"backing": chosen, "seed": settings.seed}, inputs)
