"""Opening the catalogue of a store: its segments are artifacts of their own, fetched when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.recipe import ARTIFACTS, BUILD_AGAIN

if TYPE_CHECKING:
    from rhapsody_lib.retrieval.opened import Catalogue, Locate, ReadPart

#: Manifests of segments read at once: on S3 each is a request.
_FOUND_AT_ONCE = 16


def locate_segments(
    store: Store, refs: Sequence[ArtifactRef], *, make_again: Callable[[ArtifactRef], ArtifactRef] | None = None
) -> Locate:
    """Where the files of segments are on this machine.

    A file is fetched and verified when it is asked for, by itself: a search needs the vectors and the terms of all
    songs, but not their stanzas.

    Args:
        store: where they are.
        refs: the segments in order.
        make_again: makes one anew that is found damaged; none: that is an error.
    """

    def locate(number: int, name: str) -> Path:
        try:
            return store.fetch(refs[number], (name,)) / name
        except DamagedArtifactError:
            if make_again is None:
                raise
            return store.fetch(make_again(refs[number]), (name,)) / name

    return locate


def read_segments(store: Store, refs: Sequence[ArtifactRef]) -> ReadPart:
    """Reads parts of files of segments where they are, in the store: no whole file is fetched for a few bytes.

    What is read is verified by its reader, who has its digest.
    """
    places: dict[int, tuple[str, ...]] = {}

    def read_part(number: int, name: str, start: int, end: int) -> bytes:
        ref = refs[number]
        if number not in places:
            places[number] = (ARTIFACTS, ref.kind, ref.key, str(store.manifest(ref)["data"]))
        try:
            return store.read_part(start, end, *places[number], name)
        except FileNotFoundError as error:
            path = store.path_of(*places[number], name)
            raise DamagedArtifactError(f"{path}: is gone. {BUILD_AGAIN}") from error

    return read_part


def open_catalogue(store: Store, ref: ArtifactRef) -> Catalogue:
    """The catalogue of a ref, ready to be searched.

    Raises:
        DamagedArtifactError: it, or one of its segments, is gone or damaged.
    """
    from rhapsody_lib.retrieval.opened import Catalogue

    folder = store.fetch(ref)
    with ThreadPoolExecutor(_FOUND_AT_ONCE) as pool:
        parts = list(pool.map(lambda part: store.part(*part), store.parts(ref)))
    return Catalogue.load(folder, locate_segments(store, parts), read_segments(store, parts))
