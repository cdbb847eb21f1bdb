"""Single objects and files of a store, written so that a crash or a rival leaves nothing half-done; and who writes.

`ObjectStore` is a folder or an address such as `s3://bucket/prefix` with a handful of operations, each tried again
while the store does not answer (`rhapsody_lib.remote`). An object is named by its parts: `store.read("releases",
"000001.json")`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem

from rhapsody_lib import remote
from rhapsody_lib.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")

#: Parts of a large file, and how many travel at once: 64 MiB of memory, and nearly the speed of s3fs's own 500 MiB.
PART_BYTES, PARTS_AT_ONCE = 16 << 20, 4


@dataclass(frozen=True)
class Entry:
    """One object of a listing: its name below what was listed, its size, when it was written by the store's clock."""

    name: str
    size_bytes: int
    modified: datetime


class ObjectStore:
    """The objects below an address.

    May be used from several threads, and in forked children: the connections are found anew for each call.

    Raises:
        StoreError: `root` is no address.
    """

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        try:
            protocol, _ = fsspec.core.split_protocol(self.root)
            self._protocol = protocol or "file"
            self._base = str(fsspec.get_filesystem_class(self._protocol)._strip_protocol(self.root))
        except (ValueError, ImportError) as error:
            raise StoreError(f"{root}: is not an address of a store ({error}).") from error
        self.is_local = self._protocol in ("file", "local")
        large = {"chunksize": PART_BYTES, "max_concurrency": PARTS_AT_ONCE}
        self._large: dict[str, Any] = large if self._protocol in ("s3", "s3a") else {}
        self._small: dict[str, Any] = {"max_concurrency": 1} if self._large else {}  # else a HEAD before each GET

    @property
    def fs(self) -> fsspec.AbstractFileSystem:
        """The file system; what it raises is not translated and not tried again."""
        return remote.file_system(self._protocol)

    def path_of(self, *parts: str) -> str:
        """Path of an object inside the store's file system."""
        return "/".join([self._base, *parts])

    def remote(self, what: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that speaks to this store, as `rhapsody_lib.remote.call` does; `what` follows "could not"."""
        return remote.call(self.root, what, function, *args, **kwargs)

    # -- reading ------------------------------------------------------------------------------------------------------

    def read(self, *parts: str) -> bytes:
        """The bytes of a small object.

        Raises:
            FileNotFoundError: there is none.
        """
        path = self.path_of(*parts)
        data: bytes = self.remote(f"read {'/'.join(parts)}", lambda: self.fs.cat_file(path, **self._small))
        return data

    def read_part(self, start: int, end: int, *parts: str) -> bytes:
        """The bytes of an object from `start` up to `end`.

        Raises:
            FileNotFoundError: there is no such object.
        """
        path = self.path_of(*parts)
        data: bytes = self.remote(f"fetch {'/'.join(parts)}", lambda: self.fs.cat_file(path, start=start, end=end))
        return data

    def size_bytes(self, *parts: str) -> int:
        """Size of an object.

        Raises:
            FileNotFoundError: there is no such object.
        """
        path = self.path_of(*parts)
        return _entry(self.remote(f"look for {'/'.join(parts)}", lambda: self.fs.info(path)), path).size_bytes

    def exists(self, *parts: str) -> bool:
        """Whether there is such an object."""
        path = self.path_of(*parts)
        return bool(self.remote(f"look for {'/'.join(parts)}", lambda: self.fs.exists(path)))

    def modified(self, *parts: str) -> datetime | None:
        """When an object was written, by the store's clock; None if there is none."""
        path = self.path_of(*parts)
        try:
            return _entry(self.remote(f"look for {'/'.join(parts)}", lambda: self.fs.info(path)), path).modified
        except FileNotFoundError:
            return None

    def listing(self, *parts: str) -> list[Entry]:
        """Every object below a folder, by name; none where there is no such folder."""
        path = self.path_of(*parts)

        def find() -> list[Entry]:
            found = self.fs.find(path, detail=True).values()
            return [_entry(info, path) for info in found if info["type"] == "file" and info["name"] != path]

        with suppress(FileNotFoundError):  # a folder that went while it was listed
            return sorted(self.remote(f"list {'/'.join(parts) or self.root}", find), key=lambda entry: entry.name)
        return []

    def get_file(self, target: Path, *parts: str) -> None:
        """Fetch an object into a local file.

        Raises:
            FileNotFoundError: there is no such object.
        """
        path, what = self.path_of(*parts), f"fetch {'/'.join(parts)} into {target.parent}"
        target.parent.mkdir(parents=True, exist_ok=True)
        self.remote(what, lambda: self.fs.get_file(path, str(target), **self._large))

    # -- writing ------------------------------------------------------------------------------------------------------

    def write(self, data: bytes, *parts: str) -> None:
        """Write a small object, over one that is there."""
        path, what = self.path_of(*parts), f"write {'/'.join(parts)}"
        if self.is_local:
            self.remote(what, _replace, Path(path), lambda temporary: temporary.write_bytes(data))
        else:
            self.remote(what, lambda: self.fs.pipe_file(path, data))

    def put_file(self, source: Path, *parts: str) -> None:
        """Copy a local file into the store, over one that is there; large ones in parts, and never half."""
        path, what = self.path_of(*parts), f"put {'/'.join(parts)}"
        if self.is_local:
            self.remote(what, _replace, Path(path), lambda temporary: shutil.copyfile(source, temporary))
        else:
            self.remote(what, lambda: self.fs.put_file(str(source), path, **self._large))

    def put_if_absent(self, data: bytes, *parts: str) -> bool:
        """Write a small object unless one is there; tells whether the one that is there now has these bytes.

        When a connection breaks after the store took the object, s3fs and aiohttp put it again unseen and find their
        own. So equal bytes count as ours: who has to know which of two writers it is puts something of its own in.
        """
        path = self.path_of(*parts)

        def put() -> bool:
            if self.is_local:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            if put_if_absent(self.fs, path, data):
                return True
            with suppress(FileNotFoundError):  # it was removed just now
                return bool(self.fs.cat_file(path, **self._small) == data)
            return False

        return self.remote(f"write {'/'.join(parts)}", put)

    def address(self, lasts_s: int, *parts: str) -> str:
        """A signed address of a remote object, which anybody may read for so many seconds.

        It is valid no longer than the credentials that signed it.
        """
        path = self.path_of(*parts)
        return str(self.remote(f"sign {'/'.join(parts)}", lambda: self.fs.sign(path, expiration=lasts_s)))

    def remove(self, *parts: str) -> None:
        """Remove an object, or all below a folder; what is gone already is no failure."""
        path = self.path_of(*parts)
        with suppress(FileNotFoundError):
            self.remote(f"remove {'/'.join(parts)}", lambda: self.fs.rm(path, recursive=True))

    def copy(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Copy every object below a folder of a remote store, within the store."""
        what = f"copy {'/'.join(source)} to {'/'.join(target)}"
        for entry in self.listing(*source):
            with suppress(FileNotFoundError):  # it was removed just now
                self.remote(what, self._copy, self.path_of(*source, entry.name), self.path_of(*target, entry.name))

    def rename(self, source: tuple[str, ...], target: tuple[str, ...]) -> None:
        """Rename a folder of a local store.

        Raises:
            FileNotFoundError: there is none.
        """
        what = f"move {'/'.join(source)} to {'/'.join(target)}"
        Path(self.path_of(*target)).parent.mkdir(parents=True, exist_ok=True)
        self.remote(what, os.rename, self.path_of(*source), self.path_of(*target))

    # -- uploads in parts that were broken off ------------------------------------------------------------------------

    def uploads(self) -> list[tuple[tuple[str, ...], str, datetime]]:
        """Unfinished uploads of large files, which take room unseen: name, id, and when they were begun."""
        if not self._large:
            return []
        bucket, prefix, _ = self.fs.split_path(f"{self._base}/")
        found = self.remote("list unfinished uploads", self.fs.list_multipart_uploads, bucket)
        mine = [upload for upload in found or [] if upload["Key"].startswith(prefix)]
        return [
            (tuple(str(upload["Key"]).removeprefix(prefix).split("/")), upload["UploadId"], upload["Initiated"])
            for upload in mine
        ]

    def abort_upload(self, parts: tuple[str, ...], upload_id: str) -> None:
        """Give up an unfinished upload; one that is gone is no failure."""
        bucket, key, _ = self.fs.split_path(self.path_of(*parts))
        with suppress(FileNotFoundError):
            self.remote("give up an upload", self.fs.abort_mpu, bucket, key, upload_id)

    def _copy(self, source: str, target: str) -> None:
        self.fs.copy(source, target)


def _entry(info: dict[str, Any], folder: str) -> Entry:
    # S3, a disk, and memory each have a word of their own for it.
    when = next((info[word] for word in ("LastModified", "mtime", "created") if word in info), 0.0)
    moment = when if isinstance(when, datetime) else datetime.fromtimestamp(float(when), timezone.utc)
    name = str(info["name"])
    return Entry(name.removeprefix(folder).lstrip("/"), int(info["size"] or 0), moment)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a local file beside its place and rename it: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file is on the disk, so that a loss of power cannot leave a manifest without its files."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def put_if_absent(fs: fsspec.AbstractFileSystem, path: str, data: bytes) -> bool:
    """Write a small object unless one is there; tells whether it was written. Atomic on a local disk and on S3."""
    if isinstance(fs, LocalFileSystem):
        temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True
    try:
        fs.pipe_file(path, data, mode="create")
    except FileExistsError:
        return False
    except OSError as error:
        # Swift and Ceph answer 412 without a condition, which s3fs turns into EINVAL.
        if error.errno == errno.EINVAL and fs.exists(path):
            return False
        raise
    return True


def host_name() -> str:
    """This machine, as a short name without odd characters."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def process_name() -> str:
    """This process, told apart from those of other machines that share the store's folder."""
    return f"{host_name()}.{os.getpid()}"
