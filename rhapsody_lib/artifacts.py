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
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fsspec
import psutil
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict

from rhapsody_lib.errors import DamagedArtifactError, StoreError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.objects import flush, host_name, process_name, put_if_absent, remote_failures

logger = logging.getLogger(__name__)

#: Version of the store's layout. A store written by a newer Rhapsody is refused, never guessed at.
STORE_VERSION = 1
MANIFEST = "manifest.json"


class ArtifactRef(BaseModel):
    """All that passes between tasks: what it is, its recipe key, where it is, and the digest of its manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    key: str
    uri: str
    sha256: str


@dataclass(frozen=True)
class Recipe:
    """What an artifact is made from.

    Args:
        kind: stage name, e.g. `lyrics`.
        version: version of the stage's code; raised when the same settings give other results.
        settings: the stage's settings as plain values.
        inputs: digest of each input, by name (an artifact's `sha256`, or the fingerprint of a source).
    """

    kind: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON of the recipe, in hex."""
        return hashlib.sha256(canonical_json(asdict(self)).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: the same value is always the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class Store:
    """A store of artifacts at `root`, with a local folder for work in progress and fetched copies.

    Raises:
        StoreError: the root cannot be written, or was written by a newer version.
    """

    def __init__(self, root: str, scratch: Path | None = None) -> None:
        self.root = root.rstrip("/")
        try:
            self.fs, self._base = fsspec.core.url_to_fs(self.root)
        except (ValueError, ImportError) as error:
            raise StoreError(f"{root}: is not an address of a store ({error}).") from error
        self.is_local = isinstance(self.fs, LocalFileSystem)
        self._failures: tuple[type[Exception], ...] = (OSError,) if self.is_local else (OSError, *remote_failures())
        if scratch is None:
            name = hashlib.sha256(self.root.encode()).hexdigest()[:12]
            scratch = Path(self._base) / "work" if self.is_local else default_scratch() / name
        self.scratch = scratch
        self._check_version()

    def _check_version(self) -> None:
        path = f"{self._base}/store.json"
        try:
            self.scratch.mkdir(parents=True, exist_ok=True)
            self.fs.makedirs(self._base, exist_ok=True)
            if not self.fs.exists(path):
                put_if_absent(self.fs, path, canonical_json({"store_version": STORE_VERSION}).encode())
            found = json.loads(self.fs.cat_file(path))["store_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self.root}/store.json: is damaged. Remove it if this folder is a Rhapsody store."
            ) from error
        except self._failures as error:
            raise StoreError(
                f"{self.root}: the store cannot be written ({error}). Choose another with --store or RHAPSODY_STORE."
            ) from error
        if not isinstance(found, int) or found > STORE_VERSION:
            raise StoreError(
                f"{self.root}: was written by a newer Rhapsody (store version {found}, not {STORE_VERSION}). "
                "Upgrade Rhapsody, or choose another store with --store or RHAPSODY_STORE."
            )

    def path_of(self, *parts: str) -> str:
        """Path of an object inside the store's file system."""
        return "/".join([self._base, *parts])

    def ref(self, kind: str, key: str, sha256: str) -> ArtifactRef:
        """The ref of an artifact of this store."""
        return ArtifactRef(kind=kind, key=key, uri=f"{self.root}/artifacts/{kind}/{key}", sha256=sha256)

    # -- reading ------------------------------------------------------------------------------------------------------

    def find(self, kind: str, key: str) -> ArtifactRef | None:
        """The artifact of a recipe key, or None if it was never published."""
        path = self.path_of("artifacts", kind, key, MANIFEST)
        try:
            data = self.fs.cat_file(path)
        except FileNotFoundError:
            return None
        except self._failures as error:
            raise StoreError(f"{path}: cannot be read ({error}).") from error
        return self.ref(kind, key, hashlib.sha256(data).hexdigest())

    def manifest(self, ref: ArtifactRef) -> dict[str, Any]:
        """The manifest of an artifact.

        Raises:
            DamagedArtifactError: it is gone or does not have the digest in `ref`.
        """
        path = self.path_of("artifacts", ref.kind, ref.key, MANIFEST)
        try:
            data = self.fs.cat_file(path)
        except OSError as error:
            raise DamagedArtifactError(
                f"{path}: cannot be read ({error}). Run 'rhapsody train' to build it again."
            ) from error
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise DamagedArtifactError(
                f"{path}: is not the manifest that was published. Run 'rhapsody train' to build it again."
            )
        try:
            manifest: dict[str, Any] = json.loads(data)
            if not isinstance(manifest["data"], str) or not isinstance(manifest["files"], dict):
                raise TypeError("no files")
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedArtifactError(f"{path}: is damaged. Run 'rhapsody train' to build it again.") from error
        return manifest

    def is_intact(self, ref: ArtifactRef) -> bool:
        """Whether all files of an artifact are there: by their digests in a local store, by their sizes in a remote one."""
        try:
            if self.is_local:
                self.fetch(ref)
                return True
            manifest = self.manifest(ref)
            base = self.path_of("artifacts", ref.kind, ref.key, manifest["data"])
            sizes = self.fs.find(base, detail=True)
            return all(
                sizes.get(f"{base}/{name}", {}).get("size") == entry["bytes"]
                for name, entry in manifest["files"].items()
            )
        except DamagedArtifactError:
            return False

    def fetch(self, ref: ArtifactRef) -> Path:
        """A local folder with the artifact's files, every digest verified.

        Raises:
            DamagedArtifactError: a file is missing or does not have its digest.
        """
        manifest = self.manifest(ref)
        if self.is_local:
            folder = Path(self.path_of("artifacts", ref.kind, ref.key, manifest["data"]))
        else:
            folder = self.scratch / "fetched" / ref.kind / f"{ref.key}-{ref.sha256[:12]}"
            if not folder.exists():
                self._download(ref, manifest, folder)
        for name, entry in manifest["files"].items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != entry["bytes"] or file_sha256(path) != entry["sha256"]:
                if not self.is_local:
                    shutil.rmtree(folder, ignore_errors=True)
                raise DamagedArtifactError(f"{path}: is missing or damaged. Run 'rhapsody train' to build it again.")
        return folder

    def _download(self, ref: ArtifactRef, manifest: dict[str, Any], folder: Path) -> None:
        partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.part")
        try:
            for name in manifest["files"]:
                target = partial / name
                target.parent.mkdir(parents=True, exist_ok=True)
                self.fs.get_file(self.path_of("artifacts", ref.kind, ref.key, manifest["data"], name), str(target))
            if not folder.exists():
                partial.rename(folder)
        except FileNotFoundError as error:
            raise DamagedArtifactError(
                f"{ref.uri}: a file is missing ({error}). Run 'rhapsody train' to build it again."
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def artifacts(self) -> Iterator[ArtifactRef]:
        """Every published artifact, by kind and key."""
        for path in sorted(self.fs.glob(self.path_of("artifacts", "*", "*", MANIFEST))):
            kind, key = str(path).split("/")[-3:-1]
            ref = self.find(kind, key)
            if ref is not None:
                yield ref

    # -- writing ------------------------------------------------------------------------------------------------------

    def checkpoint(self, recipe: Recipe) -> Path:
        """A local folder that outlives a killed run of this recipe: training keeps its state there until it is done."""
        folder = self.scratch / "checkpoints" / f"{recipe.kind}-{recipe.key}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def build(self, recipe: Recipe, make: Callable[[Path], object]) -> ArtifactRef:
        """The artifact of a recipe: found and intact, or made by `make(folder)` and published.

        What `make` writes is seen by nobody before it has returned. If two make the same, the first to publish wins.
        """
        found = self.find(recipe.kind, recipe.key)
        if found is not None:
            try:
                self.fetch(found)
            except DamagedArtifactError:
                logger.warning("%s: damaged, set aside and built again (%s)", recipe.kind, recipe.key[:12])
                self._set_aside(found.kind, found.key)
            else:
                logger.info("%s: unchanged, kept (%s)", recipe.kind, recipe.key[:12])
                return found
        self._sweep()
        folder = self.scratch / "building" / f"{recipe.kind}-{recipe.key[:12]}-{uuid.uuid4().hex[:8]}-{process_name()}"
        started = time.monotonic()
        try:
            with self._writing(recipe.kind):
                (folder / "data").mkdir(parents=True)
            make(folder / "data")
            with self._writing(recipe.kind):
                ref = self._publish(recipe, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.scratch / "checkpoints" / f"{recipe.kind}-{recipe.key}", ignore_errors=True)
        logger.info("%s: built in %.0f s (%s)", recipe.kind, time.monotonic() - started, recipe.key[:12])
        return ref

    @contextmanager
    def _writing(self, kind: str) -> Iterator[None]:
        """Say of what goes wrong in the block that the store could not be written."""
        try:
            yield
        except self._failures as error:
            raise StoreError(f"{self.root}: the artifact '{kind}' could not be written ({error}).") from error

    def _sweep(self) -> None:
        """Remove what killed processes of this machine left half-built."""
        for folder in (self.scratch / "building").glob(f"*-{host_name()}.*"):
            if not psutil.pid_exists(int(folder.name.rsplit(".", 1)[-1])):
                shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, recipe: Recipe, folder: Path) -> ArtifactRef:
        data = folder / "data"
        names = sorted(path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file())
        for name in names:
            (data / name).chmod(0o644)  # safetensors writes 0600, which shuts out whoever shares the store
        files = {name: {"bytes": (data / name).stat().st_size, "sha256": file_sha256(data / name)} for name in names}
        # The data folder is named by its contents: two builders whose bytes differ never write the same object.
        contents = hashlib.sha256(canonical_json(files).encode()).hexdigest()[:16]
        body = {"recipe": asdict(recipe), "key": recipe.key, "data": contents, "files": files}
        manifest, target = canonical_json(body).encode(), self.path_of("artifacts", recipe.kind, recipe.key)
        if self.is_local:
            data.rename(folder / contents)
            for name in names:
                flush(folder / contents / name)
            (folder / MANIFEST).write_bytes(manifest)
            flush(folder / MANIFEST)
            self._move_into_place(folder, Path(target))
        else:
            for name in names:
                self.fs.put_file(str(data / name), f"{target}/{contents}/{name}")
            put_if_absent(self.fs, f"{target}/{MANIFEST}", manifest)
        ref = self.find(recipe.kind, recipe.key)
        if ref is None:
            raise StoreError(f"{target}: the manifest vanished while it was published.")
        return ref

    def _move_into_place(self, folder: Path, target: Path) -> None:
        """Rename a finished folder to its final name: atomic, and nothing happens if another published first."""
        kind, key = target.parts[-2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and self.find(kind, key) is None:
            self._set_aside(kind, key)
        try:
            folder.rename(target)
        except OSError:
            if self.find(kind, key) is None:
                raise

    def _set_aside(self, kind: str, key: str) -> None:
        """Move a damaged artifact out of the way, for a person to look at, so that it can be built again."""
        source = self.path_of("artifacts", kind, key)
        target = self.path_of("damaged", f"{kind}-{key[:12]}-{uuid.uuid4().hex[:8]}")
        self.fs.makedirs(self.path_of("damaged"), exist_ok=True)
        self.fs.mv(source, target, recursive=True)


def default_scratch() -> Path:
    """Where fetched copies of a remote store live."""
    import platformdirs

    return Path(os.environ.get("RHAPSODY_CACHE") or platformdirs.user_cache_dir("rhapsody"))


def default_root() -> str:
    """Address of the store: RHAPSODY_STORE, or the user's data folder."""
    import platformdirs

    return os.environ.get("RHAPSODY_STORE") or str(Path(platformdirs.user_data_dir("rhapsody")) / "store")
