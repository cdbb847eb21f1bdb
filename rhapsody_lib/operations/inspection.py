"""What is in the store and why: an artifact with its lineage, and what a training run would find or build."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.corpus.schema import SUMMARY_FILE
from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.lineage import Provenance, flat
from rhapsody_lib.operations.recipes import (
    backing_recipe,
    catalogue_recipe,
    corpus_recipe,
    encoder_recipe,
    lyrics_recipe,
)
from rhapsody_lib.recipe import ARTIFACTS
from rhapsody_lib.release import Release, readable_releases
from rhapsody_lib.settings import Settings, load_settings, profile_names
from rhapsody_lib.uses import FOLDER, use_name

SHORTEST_PREFIX = 4
#: Begins the names of an evaluation's inputs that are of the release it compared with.
_LIVE = "live-"


@dataclass(frozen=True)
class Input:
    """One input of an artifact: its name, its digest, the artifact it is (none for a source), and its own inputs."""

    name: str
    sha256: str
    key: str | None
    inputs: tuple[Input, ...]


@dataclass(frozen=True)
class Inspected:
    """All that the store knows of an artifact."""

    ref: ArtifactRef
    recipe: Recipe
    files: Mapping[str, Mapping[str, Any]]
    inputs: tuple[Input, ...]
    provenance: Provenance | None
    last_use: Mapping[str, Any] | None
    releases: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """Size of its files."""
        return sum(int(entry["bytes"]) for entry in self.files.values())


@dataclass(frozen=True)
class Step:
    """What a training run would do for one kind: `key` is the artifact it finds; None: it builds, `because`."""

    kind: str
    key: str | None
    because: str


def find_artifact(store: Store, name: str) -> ArtifactRef:
    """The artifact of a key, of the beginning of one, or of `kind/key`.

    Raises:
        InputError: there is none, or more than one.
    """
    kind, _, key = name.rpartition("/")
    if len(key) < SHORTEST_PREFIX:
        raise InputError(f"'{name}': give at least {SHORTEST_PREFIX} letters of the key.")
    found = [other for other in store.keys(kind) if other[1].startswith(key)]
    if not found:
        raise InputError(f"There is no artifact '{name}'. 'rhapsody artifacts list' shows those there are.")
    if len(found) > 1:
        names = ", ".join(f"{kind}/{key[:12]}" for kind, key in found[:5])
        raise InputError(f"'{name}' may be any of {len(found)} artifacts: {names}. Give more letters of the key.")
    ref = store.find(*found[0])
    if ref is None:
        raise InputError(f"The artifact '{name}' was removed just now.")
    return ref


def inspect(store: Store, ref: ArtifactRef) -> Inspected:
    """All that the store knows of an artifact, back to the sources it was made from.

    Raises:
        DamagedArtifactError: its manifest is damaged.
    """
    recipe, digests = store.recipe_of(ref), _Digests(store)
    releases = [release.number for release in readable_releases(store)[0] if ref in release.refs.values()]
    return Inspected(
        ref,
        recipe,
        store.manifest(ref)["files"],
        tuple(digests.inputs_of(recipe)),
        store.provenance(ref),
        _last_use(store, ref),
        tuple(releases),
    )


class _Digests:
    """Finds artifacts by the digests of their manifests, each kind listed once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kinds = {kind for kind, _ in store.keys("")}
        self._refs: dict[str, dict[str, ArtifactRef]] = {}

    def inputs_of(self, recipe: Recipe) -> Iterator[Input]:
        """The inputs of a recipe with theirs. An input that is an artifact is named by its kind."""
        for name, sha256 in sorted(recipe.inputs.items()):
            kind = name.removeprefix(_LIVE)
            if kind not in self._refs:
                held = self._store.artifacts(kind) if kind in self._kinds else ()
                self._refs[kind] = {ref.sha256: ref for ref in held}
            ref, inner = self._refs[kind].get(sha256), tuple[Input, ...]()
            if ref is not None:
                try:
                    inner = tuple(self.inputs_of(self._store.recipe_of(ref)))
                except DamagedArtifactError:
                    ref = None
            yield Input(name, sha256, ref.key if ref else None, inner)


def sources_of(store: Store, release: Release) -> list[str]:
    """Names of the sources that a release was trained on, without the folders they are in; none if it cannot be told.

    Raises:
        StoreError: the store does not answer.
    """
    ref = release.refs["corpus"]
    try:
        # Not fetched: a list of releases reads a file of each, and no other.
        data = store.read(ARTIFACTS, ref.kind, ref.key, store.manifest(ref)["data"], SUMMARY_FILE)
        return list(map(str, json.loads(data)["sources"]))
    except (DamagedArtifactError, FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def settings_of(store: Store, release: Release) -> list[str]:
    """The settings a release was trained with, as options of `rhapsody train`: the nearest profile and what differs.

    Raises:
        DamagedArtifactError: the manifest of an artifact is gone or damaged.
        StoreError: the store does not answer.
    """
    found = {"encoder.tuning": "none"}  # in the recipe of a tuned one alone
    for ref in release.refs.values():
        found |= flat(store.recipe_of(ref).settings)
    changes: dict[str, list[str]] = {}
    for profile in profile_names():
        known = flat(load_settings(profile).model_dump(mode="json"))
        changes[profile] = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in found.items()
            if name in known and known[name] != value
        ]
    nearest = min(changes, key=lambda profile: len(changes[profile]))
    return ["--profile", nearest, *(word for change in changes[nearest] for word in ("--set", change))]


def _last_use(store: Store, ref: ArtifactRef) -> Mapping[str, Any] | None:
    try:
        found = json.loads(store.read(FOLDER, use_name(ref.kind, ref.key)))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def explain_training(store: Store, settings: Settings, sources: Sequence[str]) -> list[Step]:
    """What a training run with these settings and sources would find in the store, and what it would build and why."""
    steps: list[Step] = []

    def look(kind: str, recipe_of: Callable[..., Recipe], *inputs: ArtifactRef | None) -> ArtifactRef | None:
        wanted = ("corpus",) if kind == "encoder" and settings.encoder.tunes else _INPUTS.get(kind, ())
        missing = [step.kind for step in steps if step.key is None and step.kind in wanted]
        if missing:
            steps.append(Step(kind, None, f"its input {' and '.join(missing)} is built anew"))
            return None
        recipe = recipe_of(*inputs)
        ref = store.find(recipe.kind, recipe.key)
        steps.append(Step(kind, ref.key, "") if ref else Step(kind, None, store.why_missing(recipe)))
        return ref

    corpus = look("corpus", lambda: corpus_recipe(settings, sources))
    look("lyrics", lambda ref: lyrics_recipe(settings, ref), corpus)
    songs = (corpus,) if settings.encoder.tunes else ()
    encoder = look("encoder", lambda *refs: encoder_recipe(settings, *refs), *songs)
    look("catalogue", lambda *refs: catalogue_recipe(settings, *refs), corpus, encoder)
    look("backing", lambda ref: backing_recipe(settings, ref), corpus)
    return steps


_INPUTS = {"lyrics": ("corpus",), "catalogue": ("corpus", "encoder"), "backing": ("corpus",)}
