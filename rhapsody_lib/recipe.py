"""What an artifact is made from, and the ref by which it is passed on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from rhapsody_lib.errors import DamagedArtifactError

#: Where artifacts are in a store, where damaged ones are put, and the file that makes a folder an artifact.
ARTIFACTS, DAMAGED, MANIFEST = "artifacts", "damaged", "manifest.json"
#: What to do about a damaged artifact.
BUILD_AGAIN = (
    "Run 'rhapsody train' with the same sources and settings to build it again ('rhapsody releases show' names them)."
)


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


def parse_manifest(path: str, data: bytes) -> dict[str, Any]:
    """The manifest in an object: it has a recipe and names files.

    Raises:
        DamagedArtifactError: it does not.
    """
    try:
        manifest: dict[str, Any] = json.loads(data)
        if not isinstance(manifest["data"], str) or not isinstance(manifest["files"], dict):
            raise TypeError("no files")
        Recipe(**manifest["recipe"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedArtifactError(f"{path}: is damaged. {BUILD_AGAIN}") from error
    return manifest
