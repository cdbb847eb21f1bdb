"""Recipe-keyed artifacts: what was built from what, built once, published whole or not at all.

An artifact is a folder of files below `artifacts/<kind>/<key>/` of the store, beside its manifest. `key` is the SHA-256
of the recipe: stage name, stage version, canonical settings, digests of the inputs. Files are put first and
`manifest.json` last and create-only, so that the first writer wins and a half-written artifact is never seen. A reader
verifies the digests; a damaged artifact is set aside and built again. The root is a folder or an address such as
`s3://bucket/prefix` (fsspec). A remote artifact is fetched into a local folder to be read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from rhapsody_lib import lineage
from rhapsody_lib.cache import FetchedCopies
from rhapsody_lib.errors import DamagedArtifactError, FullDiskError, StoreError
from rhapsody_lib.hashing import VerifiedFiles
from rhapsody_lib.objects import Entry, ObjectStore, host_name, process_name
from rhapsody_lib.parts import Part, parts_of
from rhapsody_lib.publishing import publish, set_aside
from rhapsody_lib.recipe import (
    ARTIFACTS,
    BUILD_AGAIN,
    MANIFEST,
    ArtifactRef,
    Recipe,
    canonical_json,
    parse_manifest,
)
from rhapsody_lib.remote import is_full
from rhapsody_lib.transfer import fetch_verified
from rhapsody_lib.uses import mark_used

__all__ = ["MANIFEST", "STORE_VERSION", "ArtifactRef", "Recipe", "Store", "canonical_json"]

logger = logging.getLogger(__name__)

#: Version of the store's layout. A store written by a newer Rhapsody is refused, never guessed at.
STORE_VERSION = 1
#: Manifests read at once, and how many earlier artifacts of a kind are looked at for what differs.
_READ_AT_ONCE, _COMPARED = 16, 12

_verified = VerifiedFiles()


class Store(ObjectStore):
    """A store of artifacts at `root`, with a local folder for work in progress and fetched copies.

    Raises:
        StoreError: the root cannot be written, or was written by a newer version.
    """

    def __init__(self, root: str, scratch: Path | None = None) -> None:
        super().__init__(root)
        if scratch is None:
            name = hashlib.sha256(self.root.encode()).hexdigest()[:12]
            scratch = Path(self.path_of("work")) if self.is_local else default_scratch() / name
        self.scratch = scratch
        self._copies = FetchedCopies(self.scratch / "fetched")
        self._check_version()

    def _check_version(self) -> None:
        try:
            if self.is_local:
                self.scratch.mkdir(parents=True, exist_ok=True)
            data = self._version_file()
        except (OSError, StoreError) as error:
            if not self.is_local:
                raise
            reason = error.__cause__ or error
            raise StoreError(
                f"{self.root}: the store cannot be written ({reason}). Choose another with --store or RHAPSODY_STORE."
            ) from error
        try:
            found = json.loads(data)["store_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self.root}/store.json: is damaged. Remove it if this folder is a Rhapsody store."
            ) from error
        if not isinstance(found, int) or found > STORE_VERSION:
            raise StoreError(
                f"{self.root}: was written by a newer Rhapsody (store version {found}, not {STORE_VERSION}). "
                "Upgrade Rhapsody, or choose another store with --store or RHAPSODY_STORE."
            )

    def _version_file(self) -> bytes:
        try:
            return self.read("store.json")
        except FileNotFoundError:
            self.put_if_absent(canonical_json({"store_version": STORE_VERSION}).encode(), "store.json")
            return self.read("store.json")

    def ref(self, kind: str, key: str, sha256: str) -> ArtifactRef:
        """The ref of an artifact of this store."""
        return ArtifactRef(kind=kind, key=key, uri=f"{self.root}/{ARTIFACTS}/{kind}/{key}", sha256=sha256)

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, kind: str, key: str) -> ArtifactRef | None:
        """The artifact of a recipe key, or None if it was never published."""
        try:
            return self.ref(kind, key, hashlib.sha256(self.read(ARTIFACTS, kind, key, MANIFEST)).hexdigest())
        except FileNotFoundError:
            return None

    def manifest(self, ref: ArtifactRef) -> dict[str, Any]:
        """The manifest of an artifact.

        Raises:
            DamagedArtifactError: it is gone or does not have the digest in `ref`.
        """
        path = self.path_of(ARTIFACTS, ref.kind, ref.key, MANIFEST)
        try:
            data = self.read(ARTIFACTS, ref.kind, ref.key, MANIFEST)
        except FileNotFoundError as error:
            raise DamagedArtifactError(f"{path}: is gone. {BUILD_AGAIN}") from error
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise DamagedArtifactError(f"{path}: is not the manifest that was published. {BUILD_AGAIN}")
        return parse_manifest(path, data)

    def fetch(self, ref: ArtifactRef, only: tuple[str, ...] = ()) -> Path:
        """A local folder with the artifact's files, every digest verified.

        From a remote store they are fetched once a machine. What is damaged in a remote store itself is set aside.

        Args:
            ref: the artifact.
            only: names of the files that are needed; the others are neither fetched nor verified. Empty: all.

        Raises:
            DamagedArtifactError: a file is missing or does not have its digest.
            StoreError: the store does not answer, or there is no room for the files.
        """
        mark_used(self, ref.kind, ref.key)
        manifest = self.manifest(ref)
        try:
            return self._fetched(ref, manifest, only)
        except DamagedArtifactError:
            again = None
            with suppress(StoreError):  # whoever may only read leaves it to those who write
                again = None if self.is_local else self._second_look(ref.kind, ref.key)
            if again != ref:
                raise
            return self._fetched(ref, manifest, only)

    def parts(self, ref: ArtifactRef) -> list[Part]:
        """Kind and key of each artifact that this one is made of, in order; most have none.

        Raises:
            DamagedArtifactError: the manifest or the list of parts is gone or damaged.
        """
        return parts_of(self, ref, self.manifest(ref))

    def part(self, kind: str, key: str) -> ArtifactRef:
        """The ref of a part.

        Raises:
            DamagedArtifactError: it is gone.
        """
        found = self.find(kind, key)
        if found is None:
            raise DamagedArtifactError(f"{self.path_of(ARTIFACTS, kind, key)}: is gone. {BUILD_AGAIN}")
        return found

    def _second_look(self, kind: str, key: str) -> ArtifactRef | None:
        """The artifact, where another process built it again since it was found damaged; else it is set aside."""
        seen, found = self.modified(ARTIFACTS, kind, key, MANIFEST), self.find(kind, key)
        if seen is None or found is None:
            return None
        try:
            self._fetched(found, self.manifest(found))
        except DamagedArtifactError:
            logger.warning("%s: damaged in the store, to be set aside and built again (%s)", kind, key[:12])
            set_aside(self, kind, key, seen=seen)
            return None
        return found

    def _fetched(self, ref: ArtifactRef, manifest: dict[str, Any], only: tuple[str, ...] = ()) -> Path:
        missing = [name for name in only if name not in manifest["files"]]
        if missing:
            raise DamagedArtifactError(f"{ref.uri}/{missing[0]}: there is no such file. {BUILD_AGAIN}")
        if only:
            manifest = {**manifest, "files": {name: manifest["files"][name] for name in only}}
        if not self.is_local:
            return self._fetch_copy(ref, manifest, "".join(f"-{name}" for name in only))
        folder = Path(self.path_of(ARTIFACTS, ref.kind, ref.key, manifest["data"]))
        damaged = _first_damaged(folder, manifest)
        if damaged:
            raise DamagedArtifactError(f"{folder / damaged}: is missing or damaged. {BUILD_AGAIN}")
        return folder

    def _fetch_copy(self, ref: ArtifactRef, manifest: dict[str, Any], which: str) -> Path:
        name, fresh = f"{ref.kind}-{ref.key}-{ref.sha256[:12]}{which}", False
        size_bytes = sum(entry["bytes"] for entry in manifest["files"].values())

        def download(folder: Path) -> None:
            nonlocal fresh
            fetch_verified(self, (ARTIFACTS, ref.kind, ref.key, manifest["data"]), manifest["files"], folder)
            fresh = True

        folder = self._copies.get(name, size_bytes, download)
        damaged = None if fresh else _first_damaged(folder, manifest)
        if damaged:
            logger.warning("%s: the copy on this machine is damaged and is fetched again", folder / damaged)
            self._copies.drop(name)
            folder = self._copies.get(name, size_bytes, download)
        return folder

    def artifacts(self, kind: str = "") -> Iterator[ArtifactRef]:
        """Every published artifact, or every one of a kind, by kind and key."""
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
            for ref in pool.map(lambda name: self.find(*name), self.keys(kind)):
                if ref is not None:
                    yield ref

    def described(self, kind: str = "", *, most: int | None = None) -> Iterator[tuple[ArtifactRef, dict[str, Any]]]:
        """Every artifact, or every one of a kind, with its manifest: the newest first, damaged ones left out.

        Args:
            kind: only these; empty: all.
            most: only so many of the newest; None: all.
        """

        def read(entry: Entry) -> tuple[ArtifactRef, dict[str, Any]] | None:
            kind, key, _ = entry.name.split("/")
            with suppress(FileNotFoundError, DamagedArtifactError):
                data = self.read(ARTIFACTS, kind, key, MANIFEST)
                return self.ref(kind, key, hashlib.sha256(data).hexdigest()), parse_manifest(entry.name, data)
            return None

        newest = sorted(self._manifests(kind), key=lambda entry: entry.modified, reverse=True)[:most]
        with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
            yield from filter(None, pool.map(read, newest))

    def keys(self, kind: str = "") -> list[tuple[str, str]]:
        """Kind and key of every published artifact, or of every one of a kind."""
        return [(entry.name.split("/")[0], entry.name.split("/")[1]) for entry in self._manifests(kind)]

    def _manifests(self, kind: str) -> list[Entry]:
        """Manifests of a kind or of all, named `<kind>/<key>/manifest.json`."""
        found = self.listing(ARTIFACTS, *filter(None, [kind]))
        named = [
            Entry(f"{kind}/{entry.name}" if kind else entry.name, entry.size_bytes, entry.modified) for entry in found
        ]
        return [entry for entry in named if entry.name.count("/") == 2 and entry.name.endswith(f"/{MANIFEST}")]

    def recipe_of(self, ref: ArtifactRef) -> Recipe:
        """The recipe of an artifact.

        Raises:
            DamagedArtifactError: its manifest is gone or damaged.
        """
        return Recipe(**self.manifest(ref)["recipe"])

    def provenance(self, ref: ArtifactRef) -> lineage.Provenance | None:
        """Who built an artifact and why; None if its builder was killed before it could say."""
        try:
            return lineage.Provenance.from_bytes(self.read(ARTIFACTS, ref.kind, ref.key, lineage.PROVENANCE))
        except FileNotFoundError:
            return None

    # -- writing ------------------------------------------------------------------------------------------------------

    def intact(self, recipe: Recipe) -> ArtifactRef | None:
        """The artifact of a recipe, its files fetched and verified, or None; a damaged one is set aside."""
        mark_used(self, recipe.kind, recipe.key)
        found = self.find(recipe.kind, recipe.key)
        if found is None:
            return None
        try:
            self._fetched(found, self.manifest(found))
        except DamagedArtifactError:
            return self._second_look(recipe.kind, recipe.key)
        return found if self._parts_are_intact(found) else None

    def _parts_are_intact(self, ref: ArtifactRef) -> bool:
        """Whether the parts of an artifact are there; a damaged one is set aside. Remote ones are not fetched."""
        for kind, key in self.parts(ref):
            found = self.find(kind, key)
            if found is None:
                return False
            if self.is_local:
                try:
                    self._fetched(found, self.manifest(found))
                except DamagedArtifactError:
                    self._second_look(kind, key)
                    return False
        return True

    def why_missing(self, recipe: Recipe) -> str:
        """Why there is no artifact of a recipe: what differs from the nearest of the last ones of its kind."""
        if recipe.kind in lineage.NOT_COMPARED:
            return lineage.NEW
        last = self.described(recipe.kind, most=_COMPARED)
        return lineage.why(recipe, [Recipe(**manifest["recipe"]) for _, manifest in last])

    def build(self, recipe: Recipe, make: Callable[[Path], object]) -> ArtifactRef:
        """The artifact of a recipe: found and intact, or made by `make(folder)` and published.

        What `make` writes is seen by nobody before it has returned. If two make the same, the first to publish wins.

        Raises:
            StoreError: the store does not answer or cannot be written, or a disk is full.
        """
        found = self.intact(recipe)
        if found is not None:
            logger.info("%s: unchanged, kept (%s)", recipe.kind, recipe.key[:12])
            return found
        because = self.why_missing(recipe)
        logger.info("%s: building (%s), because: %s", recipe.kind, recipe.key[:12], because)
        self._sweep()
        folder = self.scratch / "building" / f"{recipe.kind}-{recipe.key[:12]}-{uuid.uuid4().hex[:8]}-{process_name()}"
        started = time.monotonic()
        try:
            with self._room_for(recipe.kind):
                (folder / "data").mkdir(parents=True)
                make(folder / "data")
                story = lineage.provenance(because, seconds=time.monotonic() - started)
                ref = publish(self, recipe, folder, story)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        logger.info("%s: built in %.0f s (%s)", recipe.kind, story.seconds, recipe.key[:12])
        return ref

    @contextmanager
    def _room_for(self, kind: str) -> Iterator[None]:
        """Say of a disk that fills up in the block that it is full, whatever library met it."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            if not is_full(error):
                raise
            raise FullDiskError(
                f"{self.scratch}: the disk is full while the artifact '{kind}' is built ({error}). Free some space, or "
                "set RHAPSODY_CACHE (RHAPSODY_STORE for a local store) to a folder on another disk."
            ) from error

    def _sweep(self) -> None:
        """Remove what killed processes of this machine left half-built."""
        for folder in (self.scratch / "building").glob(f"*-{host_name()}.*"):
            if not psutil.pid_exists(int(folder.name.rsplit(".", 1)[-1])):
                shutil.rmtree(folder, ignore_errors=True)


def _first_damaged(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    """Name of a file that is missing or damaged, if there is one."""
    for name, entry in manifest["files"].items():
        if not _verified.matches(folder / name, entry["bytes"], entry["sha256"]):
            return str(name)
    return None


def default_scratch() -> Path:
    """Where fetched copies of a remote store live."""
    import platformdirs

    return Path(os.environ.get("RHAPSODY_CACHE") or platformdirs.user_cache_dir("rhapsody"))


def default_root() -> str:
    """Address of the store: RHAPSODY_STORE, or the user's data folder."""
    import platformdirs

    return os.environ.get("RHAPSODY_STORE") or str(Path(platformdirs.user_data_dir("rhapsody")) / "store")
