"""The files of an artifact on their way to a remote store and back: several small ones at once, large ones in parts."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.objects import PART_BYTES, PARTS_AT_ONCE, ObjectStore
from rhapsody_lib.recipe import BUILD_AGAIN

#: Small files that travel at once, each in memory as a whole. Large ones go one by one, in parts that travel at once.
SMALL_AT_ONCE, SMALL_BYTES = 4, 2 * PART_BYTES


def sha256_of_all(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Digest of each file of a folder, by name."""
    found = list(names)
    with ThreadPoolExecutor(SMALL_AT_ONCE) as pool:
        return dict(zip(found, pool.map(lambda name: file_sha256(folder / name), found), strict=True))


def put_all(store: ObjectStore, folder: Path, files: Mapping[str, Mapping[str, Any]], target: tuple[str, ...]) -> None:
    """Put files of a folder below `target`."""
    _for_each(files, lambda name: store.put_file(folder / name, *target, name))


def fetch_verified(
    store: ObjectStore, source: tuple[str, ...], files: Mapping[str, Mapping[str, Any]], folder: Path
) -> None:
    """Fetch files below `source` into a folder and verify the digest of each.

    Raises:
        DamagedArtifactError: one is missing in the store, or does not have its digest there.
    """

    def fetch(name: str) -> None:
        for _ in range(2):  # what was damaged on the way is whole the second time
            try:
                if _fetch(store, (*source, name), files[name]["bytes"], folder / name) == files[name]["sha256"]:
                    return
            except FileNotFoundError:
                break
        raise DamagedArtifactError(
            f"{store.root}/{'/'.join(source)}/{name}: is missing or damaged in the store. {BUILD_AGAIN}"
        )

    _for_each(files, fetch)


def _for_each(files: Mapping[str, Mapping[str, Any]], function: Callable[[str], None]) -> None:
    large = [name for name, entry in files.items() if entry["bytes"] >= SMALL_BYTES]
    for name in large:
        function(name)
    with ThreadPoolExecutor(SMALL_AT_ONCE) as pool:
        for _ in pool.map(function, [name for name in files if name not in large]):
            pass


def _fetch(store: ObjectStore, source: tuple[str, ...], size_bytes: int, target: Path) -> str:
    """Fetch a file; its digest, or nothing if it does not have the size that it should."""
    if size_bytes < SMALL_BYTES:
        return store.remote(f"fetch {source[-1]} into {target.parent}", _fetch_whole, store, source, target)
    if store.size_bytes(*source) != size_bytes:
        return ""
    target.parent.mkdir(parents=True, exist_ok=True)
    return store.remote(f"fetch {source[-1]} into {target.parent}", _fetch_parts, store, source, size_bytes, target)


def _fetch_whole(store: ObjectStore, source: tuple[str, ...], target: Path) -> str:
    """Fetch a small file with one request: its size is known, so nobody is asked for it first."""
    data = store.read(*source)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _fetch_parts(store: ObjectStore, source: tuple[str, ...], size_bytes: int, target: Path) -> str:
    """Fetch a large file, a few parts ahead of where it is written; its digest is computed meanwhile."""
    digest, coming = hashlib.sha256(), deque[Future[bytes]]()
    with ThreadPoolExecutor(PARTS_AT_ONCE) as pool, target.open("wb") as stream:

        def write_next() -> None:
            part = coming.popleft().result()
            stream.write(part)
            digest.update(part)

        for start in range(0, size_bytes, PART_BYTES):
            end = min(start + PART_BYTES, size_bytes)
            coming.append(pool.submit(store.read_part, start, end, *source))
            if len(coming) > PARTS_AT_ONCE:
                write_next()
        while coming:
            write_next()
    return digest.hexdigest()
