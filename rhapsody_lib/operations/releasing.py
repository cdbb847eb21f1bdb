"""The step that makes artifacts the live release, and how a release is found again by what it was made from."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Store, canonical_json
from rhapsody_lib.operations.recipes import (
    backing_recipe,
    catalogue_recipe,
    corpus_recipe,
    encoder_recipe,
    lyrics_recipe,
)
from rhapsody_lib.release import Release, publish_release, readable_releases, release_numbers
from rhapsody_lib.settings import Settings

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"


def figures_of(store: str, refs: Mapping[str, ArtifactRef]) -> dict[str, Any]:
    """The held-out figures that each artifact was stored with, by kind."""
    opened = Store(store)
    figures: dict[str, Any] = {}
    for kind, ref in refs.items():
        path = opened.fetch(ref) / METRICS_FILE
        if path.is_file():
            figures[kind] = json.loads(path.read_text(encoding="utf-8"))
    return figures


def release_models(store: str, refs: Mapping[str, ArtifactRef], reason: str) -> Release:
    """Publish the artifacts as the live release, unless the live release is these very artifacts."""
    opened = Store(store)
    digest = hashlib.sha256(canonical_json({kind: ref.sha256 for kind, ref in refs.items()}).encode()).hexdigest()
    numbers, (readable, _) = release_numbers(opened), readable_releases(opened)
    if readable and readable[-1].number == numbers[-1] and readable[-1].recipe_sha256 == digest:
        logger.info("Release %d is these very models: nothing to publish.", numbers[-1])
        return readable[-1]
    return publish_release(opened, refs, figures_of(store, refs), reason=reason, recipe_sha256=digest)


def release_made_from(store: Store, settings: Settings, sources: Sequence[str]) -> Release | None:
    """The newest release whose every artifact has the recipe of these settings and sources; None if there is none."""
    corpus_key = corpus_recipe(settings, sources).key
    releases, _ = readable_releases(store)
    for release in reversed(releases):
        refs = release.refs
        if refs["corpus"].key != corpus_key:
            continue
        recipes = (
            lyrics_recipe(settings, refs["corpus"]),
            encoder_recipe(settings),
            catalogue_recipe(settings, refs["corpus"], refs["encoder"]),
            backing_recipe(settings, refs["corpus"]),
        )
        if all(refs[recipe.kind].key == recipe.key for recipe in recipes):
            return release
    return None
