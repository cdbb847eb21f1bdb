"""The step that makes artifacts the live release, and how a release is found again by what it was made from."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Store, canonical_json
from rhapsody_lib.errors import DamagedReleaseError, RefusedError
from rhapsody_lib.operations.recipes import (
    backing_recipe,
    catalogue_recipe,
    corpus_recipe,
    encoder_recipe,
    lyrics_recipe,
)
from rhapsody_lib.release import Release, publish_release, read_release, readable_releases, release_numbers
from rhapsody_lib.settings import Settings

logger = logging.getLogger(__name__)

METRICS_FILE, EVALUATION_FILE = "metrics.json", "evaluation.json"


def figures_of(store: str, refs: Mapping[str, ArtifactRef]) -> dict[str, Any]:
    """The held-out figures that each artifact was stored with, by kind; none for a figure that is no number."""
    opened = Store(store)
    figures: dict[str, Any] = {}
    for kind, ref in refs.items():
        path = opened.fetch(ref) / METRICS_FILE
        if path.is_file():
            # A training that diverged writes NaN, which no release can hold.
            figures[kind] = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    return figures


def corpus_summary(store: str, corpus: ArtifactRef) -> dict[str, Any]:
    """What a prepared corpus holds: songs, splits, languages, rejects by reason."""
    from rhapsody_lib.corpus.schema import SUMMARY_FILE

    summary: dict[str, Any] = json.loads((Store(store).fetch(corpus) / SUMMARY_FILE).read_text(encoding="utf-8"))
    return summary


def _digest(refs: Mapping[str, ArtifactRef]) -> str:
    return hashlib.sha256(canonical_json({kind: ref.sha256 for kind, ref in refs.items()}).encode()).hexdigest()


def is_made_of(release: Release, refs: Mapping[str, ArtifactRef]) -> bool:
    """Whether a release is these very artifacts."""
    return release.recipe_sha256 == _digest(refs)


def _undone(releases: Sequence[Release]) -> dict[str, int]:
    """Digests of the models that a person rolled back and has not released again since, with the release undone.

    Who takes a rollback itself back says nothing against what it restored: then that rollback counts for nothing.
    """
    known = {release.number: release for release in releases}
    after: dict[int, dict[str, int]] = {0: {}}
    undone = after[0]
    for release in releases:
        digest, before = _digest(release.refs), known.get(release.parent or 0)
        undone = dict(undone)
        if release.restores is not None and before is not None:
            undid = known.get(before.parent or 0) if before.restores is not None else None
            if undid is not None and _digest(undid.refs) == digest:
                undone = dict(after[undid.number])
            else:
                undone[_digest(before.refs)] = before.number
        undone.pop(digest, None)
        after[release.number] = undone
    return undone


def refuse_rolled_back(store: Store, refs: Mapping[str, ArtifactRef]) -> None:
    """Refuse artifacts that were released before and rolled back by a person, lest a schedule undo what they did.

    Raises:
        RefusedError: these very artifacts were a release that was rolled back.
    """
    number = _undone(readable_releases(store)[0]).get(_digest(refs))
    if number is not None:
        raise RefusedError(
            f"Release {number} was these very models and was rolled back. Change the settings or the "
            "songs, or release them all the same without the gate (--no-gate)."
        )


def newest_release(store: Store) -> tuple[int, Release | None]:
    """The number of the newest release, 0 for none, and that release; None where there is none or it is damaged.

    Raises:
        StoreError: the store does not answer.
    """
    numbers = release_numbers(store)
    if not numbers:
        return 0, None
    try:
        return numbers[-1], read_release(store, numbers[-1])
    except DamagedReleaseError as error:
        logger.warning("There is no live release to compare with: %s", error)
        return numbers[-1], None


def release_models(
    store: str,
    refs: Mapping[str, ArtifactRef],
    reason: str,
    evaluation: ArtifactRef | None = None,
    after: int | None = None,
) -> Release:
    """Publish the artifacts as the live release, unless the live release is these very artifacts.

    Args:
        store: address of the store.
        refs: one for each of `RELEASE_KINDS`.
        reason: said of the release.
        evaluation: the figures the gate saw, stored with the release.
        after: number of the release that was newest when the gate saw it, 0 for none; None: whichever is newest.

    Raises:
        StoreError: another release was published since the gate saw the live one.
    """
    opened = Store(store)
    _, live = newest_release(opened)
    if live is not None and is_made_of(live, refs):
        logger.info("Release %d is these very models: nothing to publish.", live.number)
        return live
    figures = figures_of(store, refs)
    if evaluation is not None:
        figures["evaluation"] = json.loads((opened.fetch(evaluation) / EVALUATION_FILE).read_text(encoding="utf-8"))
    return publish_release(opened, refs, figures, reason=reason, recipe_sha256=_digest(refs), after=after)


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
            encoder_recipe(settings, refs["corpus"]),
            catalogue_recipe(settings, refs["corpus"], refs["encoder"]),
            backing_recipe(settings, refs["corpus"]),
        )
        if all(refs[recipe.kind].key == recipe.key for recipe in recipes):
            return release
    return None
