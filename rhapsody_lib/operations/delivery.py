"""A song as an artifact: published whole or not at all, and the same request to the same release made once."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import InputError, StoreError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.operations.ahead import matches_from
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
from rhapsody_lib.recipe import ARTIFACTS
from rhapsody_lib.release import Release
from rhapsody_lib.settings import NO_PRIMER, SongSettings

logger = logging.getLogger(__name__)

SONG = "song"
#: A signed address is valid for a week, the longest that S3 allows.
ADDRESSES_LAST_S = 7 * 24 * 3600


def song_recipe(release: Release, request: SongSettings) -> Recipe:
    """What a song is made from: the request, the release's artifacts, and the user's own primer.

    Raises:
        InputError: the primer cannot be read.
    """
    inputs = {kind: ref.sha256 for kind, ref in release.refs.items()}
    settings: dict[str, Any] = {**request.model_dump(mode="json"), "release": release.number}
    if request.primer and request.primer != NO_PRIMER:
        primer = Path(request.primer)
        try:
            inputs["primer"] = file_sha256(primer)
        except OSError as error:
            raise InputError(f"{primer}: cannot be read ({error.strerror}). Give the path of a MIDI file.") from error
        settings["primer"] = primer.name
    return Recipe(SONG, STAGE_VERSIONS[SONG], settings, inputs)


def deliver_song(
    store: str, release: Release, request: SongSettings, make: Callable[[Path], object]
) -> tuple[ArtifactRef, SongResult]:
    """The song of a request, made by `make(folder)` unless the store has it, and what a songwriter is shown of it."""
    opened = Store(store)
    ref = opened.build(song_recipe(release, request), make)
    return ref, read_song(opened.fetch(ref))


def song_addresses(store: str, song: ArtifactRef) -> dict[str, str]:
    """Addresses of a song's files for a browser, by name; none where the store is a folder or cannot sign them.

    They are valid for a week, or as long as the credentials that sign them.
    """
    opened = Store(store)
    if opened.is_local:
        return {}
    try:
        manifest = opened.manifest(song)
        return {
            name: opened.address(ADDRESSES_LAST_S, ARTIFACTS, song.kind, song.key, manifest["data"], name)
            for name in manifest["files"]
        }
    except (StoreError, NotImplementedError) as error:  # not every kind of store has addresses
        logger.warning("the song is made, but cannot be shown here: %s", error)
        return {}


def read_song(folder: Path) -> SongResult:
    """What a songwriter is shown, read from the files of a song."""
    info = json.loads((folder / "song.json").read_text(encoding="utf-8"))
    _, _, lyrics = (folder / "lyrics.txt").read_text(encoding="utf-8").partition("\n\n")
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return SongResult(
        info["title"],
        lyrics,
        tuple(matches_from(info["matches"])),
        folder,
        files,
        info["music"]["duration_s"],
        info["release"]["number"],
        info["scores"],
    )
