"""Releases: append-only, create-only objects `releases/000042.json` that name the artifacts a song is made from.

The highest number is live. Rollback publishes a new number with old refs. Nothing is ever overwritten.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Store, canonical_json
from rhapsody_lib.errors import DamagedReleaseError, InputError, NoReleaseError, StoreError
from rhapsody_lib.uses import mark_used

#: How the reason of a release that undoes another begins. Those without the field `restores` are told by it alone.
ROLLBACK = "rollback to "
RELEASE_KINDS = ("corpus", "lyrics", "encoder", "catalogue", "backing")


@dataclass(frozen=True)
class Release:
    """One release: a ref for each of `RELEASE_KINDS`, their held-out figures, and where they came from.

    `restores` is the release that a rollback published again; `parent` is then the one that it undid.
    """

    number: int
    refs: Mapping[str, ArtifactRef]
    figures: Mapping[str, Any]
    parent: int | None
    reason: str
    recipe_sha256: str
    restores: int | None = None


def flat_figures(figures: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a release's figures as one row, named `lyrics.heldout_perplexity`, `catalogue.sum.mrr`, ..."""
    flat: dict[str, float] = {}
    for name, value in sorted(figures.items()):
        if isinstance(value, Mapping):
            flat |= flat_figures(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[prefix + name] = value
    return flat


def _parts(number: int) -> tuple[str, str]:
    return "releases", f"{number:06d}.json"


def release_numbers(store: Store) -> list[int]:
    """Numbers of all releases, oldest first."""
    return sorted(release_times(store))


def release_times(store: Store) -> dict[int, datetime]:
    """When each release was published, by its number and by the store's clock."""
    files = [entry for entry in store.listing("releases") if entry.name.endswith(".json")]
    named = ((entry.name.removesuffix(".json"), entry.modified) for entry in files)
    return {int(name): modified for name, modified in named if name.isascii() and name.isdigit()}


def read_release(store: Store, number: int) -> Release:
    """One release by number.

    Raises:
        InputError: there is no such release.
        DamagedReleaseError: its file is damaged.
        StoreError: the store does not answer.
    """
    try:
        data = json.loads(store.read(*_parts(number)))
        refs = {
            # Releases name keys, not addresses, so that a store may be moved.
            kind: store.ref(kind, ref["key"], ref["sha256"])
            for kind, ref in data["refs"].items()
        }
        if set(refs) != set(RELEASE_KINDS):
            raise KeyError("refs")
        number, parent, reason = data["number"], data["parent"], data["reason"]
        return Release(number, refs, data["figures"], parent, reason, data["recipe_sha256"], _restored(data))
    except FileNotFoundError as error:
        raise InputError(f"There is no release {number}. 'rhapsody releases list' shows those there are.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedReleaseError(
            f"{store.path_of(*_parts(number))}: is damaged. 'rhapsody releases rollback NUMBER' publishes an older one."
        ) from error


def _restored(data: Mapping[str, Any]) -> int | None:
    """The release that the one in a file restores; files of earlier versions say so in their reason only."""
    if "restores" in data:
        return None if data["restores"] is None else int(data["restores"])
    number = data["reason"].removeprefix(ROLLBACK)
    return int(number) if number != data["reason"] and number.isascii() and number.isdigit() else None


def readable_releases(store: Store) -> tuple[list[Release], list[str]]:
    """All releases that can be read, oldest first, and what is wrong with the damaged ones.

    Raises:
        StoreError: the store does not answer.
    """
    found, problems = [], []
    for number in release_numbers(store):
        try:
            found.append(read_release(store, number))
        except DamagedReleaseError as error:
            problems.append(str(error))
    return found, problems


def live_release(store: Store) -> Release:
    """The release that songs are made from.

    Raises:
        NoReleaseError: nothing was released yet.
    """
    numbers = release_numbers(store)
    if not numbers:
        raise NoReleaseError(f"{store.root}: nothing is trained yet. Run 'rhapsody train' first.")
    return read_release(store, numbers[-1])


def publish_release(
    store: Store,
    refs: Mapping[str, ArtifactRef],
    figures: Mapping[str, Any],
    *,
    reason: str,
    recipe_sha256: str = "",
    after: int | None = None,
    restores: int | None = None,
) -> Release:
    """Publish the next release; if others publish at the same time, each gets a number of its own.

    Args:
        store: where.
        refs: one for each of `RELEASE_KINDS`.
        figures: held-out figures.
        reason: said of it.
        recipe_sha256: digest of what it was made from.
        after: the release that must still be the newest, 0 for none; None: whichever is.
        restores: the release whose refs these are, if it is a rollback.

    Raises:
        StoreError: it cannot be written, or another was published after `after`.
    """
    while True:
        numbers = release_numbers(store)
        parent = numbers[-1] if numbers else None
        if after is not None and (parent or 0) != after:
            raise StoreError(
                f"Release {parent} was published while this one was compared with release {after or 'none'}. "
                "Run it again: what was made is kept, and is compared with the new one."
            )
        release = Release((parent or 0) + 1, dict(refs), dict(figures), parent, reason, recipe_sha256, restores)
        short_refs = {kind: {"key": ref.key, "sha256": ref.sha256} for kind, ref in refs.items()}
        # The nonce tells two writers of the same release apart (ObjectStore.put_if_absent).
        body = {**asdict(replace(release, refs={})), "refs": short_refs, "nonce": uuid.uuid4().hex}
        if store.put_if_absent(canonical_json(body).encode(), *_parts(release.number)):
            return release


def check_found(store: Store, release: Release) -> None:
    """Do nothing if the store holds every artifact of a release.

    Raises:
        InputError: it does not; the message names the first that is gone.
        StoreError: the store does not answer.
    """
    for kind, ref in release.refs.items():
        if store.find(ref.kind, ref.key) != ref:
            raise InputError(
                f"Release {release.number}: its {kind} is no longer in the store, as 'rhapsody artifacts gc "
                "--keep-releases' may leave it. Roll back to another, or train again."
            )


def rollback(
    store: Store, number: int | None = None, *, check: Callable[[Store, Release], object] = check_found
) -> Release:
    """Publish the refs of an older release again: of `number`, or of what was live before the models that are live.

    Args:
        store: where.
        number: the release to go back to; None: the parent of the live one, or, where that is itself a rollback, the
            parent of the release that it restored. So a second rollback goes one further back, and never forth.
        check: raises if the release is not to be published.

    Raises:
        InputError: there is nothing older, it is live already, or its models are gone.
        StoreError: that release is damaged, with a `number`, the live one may be; or another was published meanwhile.
    """
    newest = None
    if number is None:
        live = live_release(store)
        number, newest = _before(store, live), live.number
    old = read_release(store, number)
    if number == release_numbers(store)[-1]:
        raise InputError(f"Release {number} is live already: nothing was published.")
    for ref in old.refs.values():
        mark_used(store, ref.kind, ref.key)  # before the look, so that garbage collection leaves it alone from now on
    check(store, old)
    return publish_release(
        store,
        old.refs,
        old.figures,
        reason=f"{ROLLBACK}{number}",
        recipe_sha256=old.recipe_sha256,
        after=newest,
        restores=number,
    )


def _before(store: Store, live: Release) -> int:
    """The release before the one whose models are live.

    Raises:
        InputError: there is none.
        StoreError: a release on the way there is damaged.
    """
    first = live
    while first.restores is not None and first.restores < first.number:
        first = read_release(store, first.restores)
    if first.parent is not None:
        return first.parent
    if first is live:
        raise InputError(f"Release {live.number} is the first one: there is nothing to roll back to.")
    raise InputError(
        f"Release {live.number} is release {first.number} again, the first one: there is nothing older to roll back "
        "to. Name the release you want: 'rhapsody releases rollback NUMBER'; 'rhapsody releases list' shows them."
    )
