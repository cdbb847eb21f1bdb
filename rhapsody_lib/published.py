"""The published artifacts of a store: found by kind and key, listed, described, and fetched with every digest verified.

A local artifact is read where it lies; a remote one is fetched into a local folder to be read (`rhapsody_lib.cache`).
What is damaged in a remote store is set aside by whoever meets it, so that it is built again.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from rhapsody_lib import lineage
from rhapsody_lib.cache import FetchedCopies
from rhapsody_lib.errors import DamagedArtifactError, StoreError
from rhapsody_lib.hashing import VerifiedFiles
from rhapsody_lib.objects import Entry, ObjectStore
from rhapsody_lib.parts import Part, parts_of
from rhapsody_lib.publishing import set_aside
from rhapsody_lib.recipe import ARTIFACTS, BUILD_AGAIN, MANIFEST, ArtifactRef, Recipe, parse_manifest
from rhapsody_lib.transfer import fetch_verified
from rhapsody_lib.uses import mark_used

logger = logging.getLogger(__name__)

#: Manifests read at once.
_READ_AT_ONCE = 16

_verified = VerifiedFiles()


class PublishedArtifacts(ObjectStore):
    """What was published in the store at `root`, with a local folder where fetched copies go.

    Args:
        root: address of the store.
        scratch: the folder; None: the store's own, or for a remote store one of this machine.

    Raises:
        StoreError: `root` is no address.
    """

    def __init__(self, root: str, scratch: Path | None = None) -> None:
        super().__init__(root)
        if scratch is None:
            name = hashlib.sha256(self.root.encode()).hexdigest()[:12]
            scratch = Path(self.path_of("work")) if self.is_local else default_scratch() / name
        self.scratch = scratch
        self._copies = FetchedCopies(self.scratch / "fetched")

    # -- finding and describing ----------------------------------------------------------------------------------------

    def ref(self, kind: str, key: str, sha256: str) -> ArtifactRef:
        """The ref of an artifact of this store."""
        return ArtifactRef(kind=kind, key=key, uri=f"{self.root}/{ARTIFACTS}/{kind}/{key}", sha256=sha256)

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

    # -- fetching ------------------------------------------------------------------------------------------------------

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
