"""Opening the catalogue of a store: its segments are artifacts of their own, fetched when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import DamagedArtifactError

if TYPE_CHECKING:
    from rhapsody_lib.retrieval.opened import Catalogue, Locate


def locate_segments(
    store: Store, refs: Sequence[ArtifactRef], *, make_again: Callable[[ArtifactRef], ArtifactRef] | None = None
) -> Locate:
    """Where the files of segments are on this machine.

    A file is fetched and verified when it is asked for, by itself: a search needs the vectors of all songs, but of the
    stanzas only those of the segments that the matches are in.

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


def open_catalogue(store: Store, ref: ArtifactRef) -> Catalogue:
    """The catalogue of a ref, ready to be searched.

    Raises:
        DamagedArtifactError: it, or one of its segments, is gone or damaged.
    """
    from rhapsody_lib.retrieval.opened import Catalogue

    folder = store.fetch(ref)
    return Catalogue.load(folder, locate_segments(store, [store.part(*part) for part in store.parts(ref)]))
