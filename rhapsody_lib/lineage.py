"""Where an artifact comes from: who built it, when, with what, and why it had to be built.

Kept beside the manifest as `provenance.json`. It is no part of the manifest, whose bytes are the same whoever builds.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from rhapsody_lib.recipe import Recipe

PROVENANCE = "provenance.json"
#: Said of what was there and could not be read.
DAMAGED = "the stored one was damaged"
FIRST = "first of its kind"
#: Kinds of which there are many, none made because another was: songs, the parts that a step is cut into, and how far
#: any two corpora are apart.
NOT_COMPARED = ("song", "songs-shard", "vectors-shard", "drift")
NEW = "not made before"

#: What a build says of who asked for it, besides user, host and process: for instance the address of its flow run.
builder: ContextVar[Mapping[str, str]] = ContextVar("rhapsody_builder", default=MappingProxyType({}))

_PACKAGES = (
    "keras",
    "numpy",
    "onnxruntime",
    "openvino",
    "pyarrow",
    "sentence_transformers",
    "symusic",
    "tensorflow",
    "torch",
)


@contextmanager
def built_by(**facts: str) -> Iterator[None]:
    """Within the block, add facts to what artifacts say of their builder: `built_by(flow_run="https://...")`."""
    token = builder.set({**builder.get(), **facts})
    try:
        yield
    finally:
        builder.reset(token)


@dataclass(frozen=True)
class Provenance:
    """Who built an artifact and why.

    Args:
        because: why it had to be built, as a phrase.
        built_by: user, host, process, and what `built_by` added.
        built_at: UTC, in ISO 8601.
        seconds: how long it took, without the time to publish it.
        versions: Rhapsody, Python, and the packages that were loaded.
    """

    because: str
    built_by: Mapping[str, str]
    built_at: str
    seconds: float
    versions: Mapping[str, str]

    @classmethod
    def from_bytes(cls, data: bytes) -> Provenance | None:
        """Read back; None if it is none."""
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return None


def provenance(because: str, *, seconds: float) -> Provenance:
    """The provenance of what this process has just built."""
    who = {"user": _user(), "host": platform.node(), "process": str(os.getpid()), **builder.get()}
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Provenance(because, who, now, round(seconds, 3), _versions())


def why(recipe: Recipe, earlier: Iterable[Recipe]) -> str:
    """Why a recipe has to be built: what differs from the nearest of the earlier ones of its kind."""
    nearest = sorted((differences(old, recipe) for old in earlier), key=len)
    if not nearest:
        return FIRST
    return "; ".join(nearest[0]) or DAMAGED


def differences(old: Recipe, new: Recipe) -> list[str]:
    """What differs between two recipes of a kind, a phrase each, such as `lyrics.dropout 0.5 -> 0.4`."""
    found = [] if old.version == new.version else [f"stage version {old.version} -> {new.version}"]
    before, after = flat(old.settings), flat(new.settings)
    changed = [name for name in sorted({*before, *after}) if _short(before, name) != _short(after, name)]
    found += [f"{name} {_short(before, name)} -> {_short(after, name)}" for name in changed]
    for name in sorted({*old.inputs, *new.inputs}):
        one, other = old.inputs.get(name), new.inputs.get(name)
        if one != other:
            found.append(f"input {name} {_digest(one)} -> {_digest(other)}")
    return found


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by their full names, such as `lyrics.dropout`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _short(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "unset"
    text = json.dumps(values[name], ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:40]}... ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


def _digest(value: str | None) -> str:
    return "none" if value is None else f"{value[:8]}.."


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _versions() -> dict[str, str]:
    """Versions of Rhapsody, Python and those packages that this process has loaded."""
    found = {"python": platform.python_version()}
    for name in ("rhapsody", *(package for package in _PACKAGES if package in sys.modules)):
        try:
            found[name] = version(name.replace("_", "-"))
        except PackageNotFoundError:
            continue
    return found
