"""Artifacts that are made of other artifacts, such as a catalogue of its segments.

Such an artifact has a file `parts.json`: a list of the kind and the key of each part, in order. The parts are shared:
where most of them stay the same, only the others are made, put into the store and fetched. An artifact is intact if its
parts are, and garbage collection keeps the parts of what it keeps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.objects import ObjectStore
from rhapsody_lib.recipe import ARTIFACTS, BUILD_AGAIN, ArtifactRef

PARTS_FILE = "parts.json"
#: Kind and key of an artifact.
Part = tuple[str, str]


def write_parts(folder: Path, parts: Sequence[ArtifactRef]) -> None:
    """Say in an artifact's folder, while it is built, what parts it has."""
    names = [[part.kind, part.key] for part in parts]
    (folder / PARTS_FILE).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")


def parts_of(store: ObjectStore, ref: ArtifactRef, manifest: Mapping[str, Any]) -> list[Part]:
    """The parts of an artifact with this manifest; most artifacts have none.

    Raises:
        DamagedArtifactError: the file is gone, or is no list of parts.
        OSError: it cannot be read now: nothing is known of the parts, which may well be in use.
    """
    if PARTS_FILE not in manifest["files"]:
        return []
    place = (ARTIFACTS, ref.kind, ref.key, str(manifest["data"]), PARTS_FILE)
    try:
        return [(str(kind), str(key)) for kind, key in json.loads(store.read(*place))]
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise DamagedArtifactError(f"{store.path_of(*place)}: is missing or damaged. {BUILD_AGAIN}") from error
