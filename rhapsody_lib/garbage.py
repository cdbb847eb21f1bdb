"""Garbage collection: what nobody needs any more is removed from a store, and nothing else.

Kept is what a release names and the parts of it, every song, and whatever was used within the grace period by the
store's own clock: a live process renews what it uses (`rhapsody_lib.uses`). The argument why this is safe is
docs/decisions/0015.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum

from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import DamagedArtifactError, DamagedReleaseError, InputError, StoreAccessError, StoreError
from rhapsody_lib.objects import Entry
from rhapsody_lib.recipe import ARTIFACTS, DAMAGED, MANIFEST
from rhapsody_lib.release import read_release, release_numbers
from rhapsody_lib.uses import FOLDER as USES
from rhapsody_lib.uses import RENEWAL_S, use_name

logger = logging.getLogger(__name__)

SONG = "song"
CHECKPOINTS = "checkpoints"
#: How the kinds of shards end.
_SHARD = "-shard"
#: A shorter grace would not outlast a renewal that failed a few times.
SHORTEST_GRACE = timedelta(seconds=6 * RENEWAL_S)
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class What(str, Enum):
    """What can be removed."""

    ARTIFACT = "artifact"
    FILES = "files without an artifact"
    CHECKPOINT = "saved training"
    DAMAGED = "damaged artifact"
    UPLOAD = "broken-off upload"
    USE = "note of use"


@dataclass(frozen=True)
class Item:
    """Something that may be garbage.

    Args:
        what: its sort.
        parts: where it is in the store.
        size_bytes: what it takes.
        last_used: when it was written or last used, by the store's clock.
        keep: why it is kept; empty if it is garbage.
        upload_id: of a broken-off upload.
    """

    what: What
    parts: tuple[str, ...]
    size_bytes: int
    last_used: datetime
    keep: str
    upload_id: str = ""

    @property
    def name(self) -> str:
        """How it is called in the store."""
        return "/".join(self.parts)


@dataclass(frozen=True)
class Policy:
    """What to keep.

    Args:
        grace: what was used within it is kept; at least `SHORTEST_GRACE`.
        shard_grace: the same for shards, if it is longer. Nobody uses them between two runs, and without them the next
            one reads and embeds every song again.
        keep_releases: so many of the newest releases keep their artifacts; None: all do.
        songs: whether songs may be removed too.

    Raises:
        InputError: the grace is too short, or no release is kept.
    """

    grace: timedelta = timedelta(days=7)
    keep_releases: int | None = None
    songs: bool = False
    shard_grace: timedelta = timedelta(days=90)

    def grace_of(self, kind: str) -> timedelta:
        """The grace of an artifact of a kind."""
        return max(self.grace, self.shard_grace) if kind.endswith(_SHARD) else self.grace

    def __post_init__(self) -> None:
        if self.grace < SHORTEST_GRACE:
            raise InputError(
                f"Less than {SHORTEST_GRACE.total_seconds() / 3600:g} hour of grace could remove what a run is using. "
                "Give --older-than at least 0.05 days."
            )
        if self.keep_releases is not None and self.keep_releases < 1:
            raise InputError("At least the live release must be kept: give --keep-releases 1 or more.")


def store_clock(store: Store) -> datetime:
    """The time by the store's own clock, read off an object that is written for it."""
    name = uuid.uuid4().hex
    store.write(b"", "probes", name)
    now = store.modified("probes", name)
    store.remove("probes", name)
    if now is None:
        raise StoreError(f"{store.root}: an object that was just written is not there. Nothing was removed.")
    return now


def find_garbage(store: Store, policy: Policy) -> list[Item]:
    """Everything that may be garbage, with why it is kept if it is; nothing is removed.

    Raises:
        DamagedReleaseError: a release that is to be kept is damaged, so nobody knows what it needs.
        StoreError: the store does not answer.
    """
    search = _Search(store, policy, store_clock(store), _named_by_releases(store, policy))
    return [*search.artifacts(), *search.checkpoints(), *search.damaged(), *search.uploads(), *search.notes()]


def _named_by_releases(store: Store, policy: Policy) -> dict[tuple[str, str], int]:
    """The artifacts that kept releases name, with the newest release of each."""
    numbers = release_numbers(store)
    named: dict[tuple[str, str], int] = {}
    for number in numbers if policy.keep_releases is None else numbers[-policy.keep_releases :]:
        try:
            release = read_release(store, number)
        except DamagedReleaseError as error:
            raise DamagedReleaseError(_damaged_release(store, number, newest=number == numbers[-1])) from error
        for ref in release.refs.values():
            named[ref.kind, ref.key] = number
            with suppress(DamagedArtifactError):  # it serves nobody, so it needs no parts
                named |= dict.fromkeys(store.parts(ref), number)
    return named


def _damaged_release(store: Store, number: int, *, newest: bool) -> str:
    path = store.path_of("releases", f"{number:06d}.json")
    what = f"{path}: is damaged, so that nobody knows which models release {number} needs. Nothing was removed. "
    if newest:  # no --keep-releases leaves it out
        return what + (
            "It is the newest: run 'rhapsody releases rollback NUMBER', which publishes an older one above it, and "
            "then this again with a --keep-releases that leaves the damaged one out, such as 1."
        )
    return what + (
        "Move this file away, for instance into the store's folder 'damaged', and run it again: what this release "
        "alone names may go then. Or give a --keep-releases that leaves it out."
    )


class _Search:
    """One look at a store, at one time of its clock."""

    def __init__(self, store: Store, policy: Policy, now: datetime, named: dict[tuple[str, str], int]) -> None:
        self._store, self._policy, self._now, self._named = store, policy, now, named
        self._uses = {entry.name: entry for entry in store.listing(USES)}

    def _fresh(self, last: datetime, why: str, kind: str = "") -> str:
        age = self._now - last
        return f"{why} {_ago(age)} ago" if age < self._policy.grace_of(kind) else ""

    def artifacts(self) -> Iterator[Item]:
        """Artifacts, and files that never became one."""
        for parts, entries in _grouped(self._store, ARTIFACTS, depth=2).items():
            kind, key = parts[1:]
            used = _newest(entries, self._uses.get(use_name(kind, key)))
            if not any(entry.name == MANIFEST for entry in entries):
                yield Item(What.FILES, parts, _size_bytes(entries), used, self._fresh(used, "written or used"))
                continue
            keep = ""
            if (kind, key) in self._named:
                keep = f"release {self._named[kind, key]} names it"
            elif kind == SONG and not self._policy.songs:
                keep = "songs are kept"
            yield Item(What.ARTIFACT, parts, _size_bytes(entries), used, keep or self._fresh(used, "used", kind))
            yield from self._other_builders_files(parts, entries)

    def _other_builders_files(self, parts: tuple[str, ...], entries: Sequence[Entry]) -> Iterator[Item]:
        """Files that a builder left who was not the first to publish."""
        folders = {entry.name.split("/")[0] for entry in entries if "/" in entry.name}
        if len(folders) < 2:
            return
        with suppress(DamagedArtifactError):
            ref = self._store.find(parts[1], parts[2])
            if ref is None:
                return
            for folder in sorted(folders - {self._store.manifest(ref)["data"]}):
                own = [entry for entry in entries if entry.name.startswith(f"{folder}/")]
                used = _newest(own, self._uses.get(use_name(parts[1], parts[2])))
                yield Item(What.FILES, (*parts, folder), _size_bytes(own), used, self._fresh(used, "written or used"))

    def checkpoints(self) -> Iterator[Item]:
        """Saved states of trainings that were given up."""
        for parts, entries in _grouped(self._store, CHECKPOINTS, depth=1).items():
            used = _newest(entries, self._uses.get(f"{parts[1]}.json"))
            yield Item(What.CHECKPOINT, parts, _size_bytes(entries), used, self._fresh(used, "written or used"))

    def damaged(self) -> Iterator[Item]:
        """Artifacts that were set aside."""
        for parts, entries in _grouped(self._store, DAMAGED, depth=1).items():
            # A folder that was renamed keeps the times of its files; its own says when it was set aside.
            moved = self._store.modified(*parts) if self._store.is_local else None
            last = moved or _newest(entries)
            yield Item(What.DAMAGED, parts, _size_bytes(entries), last, self._fresh(last, "set aside"))

    def uploads(self) -> Iterator[Item]:
        """Parts of large files whose upload was broken off."""
        try:
            found = self._store.uploads()
        except StoreAccessError as error:
            logger.warning("broken-off uploads are left alone: %s", error)
            return
        for parts, upload_id, started in found:
            used = max(started, self._last_use(parts))
            yield Item(What.UPLOAD, parts, 0, used, self._fresh(used, "begun or used"), upload_id)

    def _last_use(self, parts: tuple[str, ...]) -> datetime:
        note = self._uses.get(_use_note(parts))
        return note.modified if note else _LONG_AGO

    def notes(self) -> Iterator[Item]:
        """Notes of uses that are over."""
        for name, entry in self._uses.items():
            if not self._fresh(entry.modified, "used"):
                yield Item(What.USE, (USES, name), entry.size_bytes, entry.modified, "")


def _grouped(store: Store, folder: str, *, depth: int) -> dict[tuple[str, ...], list[Entry]]:
    """Objects below a folder by their first `depth` parts; the rest of the name is left to each."""
    groups: defaultdict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in store.listing(folder):
        parts = entry.name.split("/")
        if len(parts) > depth:
            name = (folder, *parts[:depth])
            groups[name].append(Entry("/".join(parts[depth:]), entry.size_bytes, entry.modified))
    return dict(groups)


def _newest(entries: Sequence[Entry], use: Entry | None = None) -> datetime:
    return max((entry.modified for entry in (*entries, *filter(None, [use]))), default=_LONG_AGO)


def _size_bytes(entries: Sequence[Entry]) -> int:
    return sum(entry.size_bytes for entry in entries)


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.0f} days"


def collect(store: Store, policy: Policy, items: Sequence[Item]) -> list[Item]:
    """Remove the garbage among `items`, each looked at once more; returns what was removed.

    Raises:
        StoreError: the store does not answer or forbids it; what was removed until then stays removed.
    """
    removed, known = [], release_numbers(store)
    named = _named_by_releases(store, policy)
    for item in items:
        if item.keep:
            continue
        numbers = release_numbers(store)
        if numbers != known:
            known, named = numbers, _named_by_releases(store, policy)
        if _remove(store, item, named):
            removed.append(item)
            logger.debug("%s: removed (%s)", item.name, item.what.value)
    return removed


def _remove(store: Store, item: Item, named: dict[tuple[str, str], int]) -> bool:
    if item.what is What.UPLOAD:
        if _used_since(store, item):  # whoever uploads it may have been at it for longer than the grace
            return False
        store.abort_upload(item.parts, item.upload_id)
        return True
    if item.what is What.ARTIFACT:
        return (item.parts[1], item.parts[2]) not in named and _remove_artifact(store, item)
    if item.what is not What.DAMAGED and _used_since(store, item):
        return False
    store.remove(*item.parts)
    return True


def _remove_artifact(store: Store, item: Item) -> bool:
    """Manifest first, so that no reader sees half of it; if somebody used it meanwhile, the manifest is put back."""
    if _used_since(store, item):
        return False
    try:
        manifest = store.read(*item.parts, MANIFEST)
    except FileNotFoundError:
        return False
    store.remove(*item.parts, MANIFEST)
    if _used_since(store, item):
        store.put_if_absent(manifest, *item.parts, MANIFEST)
        return False
    store.remove(*item.parts)
    return True


def _used_since(store: Store, item: Item) -> bool:
    """Whether it was used after it was found to be garbage."""
    name = item.parts[1] if item.what is What.USE else _use_note(item.parts)
    used = store.modified(USES, name) if name else None
    return used is not None and used > item.last_used


def _use_note(parts: tuple[str, ...]) -> str:
    """Name of the note of use of what is at `parts`; empty if there is none of such."""
    if parts[0] == CHECKPOINTS and len(parts) > 1:
        return f"{parts[1]}.json"
    return use_name(parts[1], parts[2]) if parts[0] == ARTIFACTS and len(parts) > 2 else ""
