"""Recipe-keyed artifacts: what was built from what, built once, published whole or not at all.

An artifact is a folder of files below `artifacts/<kind>/<key>/` of the store, beside its manifest. `key` is the SHA-256
of the recipe: stage name, stage version, canonical settings, digests of the inputs. Files are put first and
`manifest.json` last and create-only, so that the first writer wins and a half-written artifact is never seen. A reader
verifies the digests; a damaged artifact is set aside and built again. The root is a folder or an address such as
`s3://bucket/prefix` (fsspec). How artifacts are found, described and fetched is in `rhapsody_lib.published`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from rhapsody_lib import lineage
from rhapsody_lib.errors import DamagedArtifactError, FullDiskError, StoreAccessError, StoreError
from rhapsody_lib.objects import host_name, process_name
from rhapsody_lib.published import PublishedArtifacts
from rhapsody_lib.publishing import publish
from rhapsody_lib.recipe import DAMAGED, MANIFEST, ArtifactRef, Recipe, canonical_json
from rhapsody_lib.remote import is_forbidden, is_full
from rhapsody_lib.uses import mark_used

__all__ = ["MANIFEST", "STORE_VERSION", "ArtifactRef", "Recipe", "Store", "canonical_json"]

logger = logging.getLogger(__name__)

#: Version of the store's layout. A store written by a newer Rhapsody is refused, never guessed at.
STORE_VERSION = 1
#: How many earlier artifacts of a kind are looked at for what differs.
_COMPARED = 12
#: How many artifacts of each kind this process has built.
built: Counter[str] = Counter()


class Store(PublishedArtifacts):
    """A store of artifacts at `root`, with a local folder for work in progress and fetched copies.

    Raises:
        StoreError: the root cannot be written, or was written by a newer version.
    """

    def __init__(self, root: str, scratch: Path | None = None) -> None:
        super().__init__(root, scratch)
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
        aside = f"{recipe.kind}-{recipe.key[:12]}-"
        if any(entry.name.startswith(aside) for entry in self.listing(DAMAGED)):
            return lineage.DAMAGED
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
        built[recipe.kind] += 1
        logger.info("%s: built in %.0f s (%s)", recipe.kind, story.seconds, recipe.key[:12])
        return ref

    @contextmanager
    def _room_for(self, kind: str) -> Iterator[None]:
        """Say of a disk that fills up in the block, or may not be written, that it is so, whatever library met it."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            if is_forbidden(error) and str(getattr(error, "filename", "")).startswith(str(self.scratch)):
                raise StoreAccessError(
                    f"{self.scratch}: the artifact '{kind}' cannot be built there ({error}). Ask for the right to "
                    "write, or set RHAPSODY_CACHE (RHAPSODY_STORE for a local store) to another folder."
                ) from error
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


def default_root() -> str:
    """Address of the store: RHAPSODY_STORE, or the user's data folder."""
    import platformdirs

    return os.environ.get("RHAPSODY_STORE") or str(Path(platformdirs.user_data_dir("rhapsody")) / "store")
