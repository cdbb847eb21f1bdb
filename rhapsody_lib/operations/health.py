"""What `rhapsody doctor` looks at: installed extras, the store, the live release. Imports none of what it looks for.

What each extra needs is read from the metadata of the installed distribution, so that it is stated in pyproject.toml
alone.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.sources import EMBEDDED, EMBEDDED_FOLDER, list_jobs, open_source
from rhapsody_lib.errors import MissingExtraError, NoReleaseError, StoreError
from rhapsody_lib.operations.usable import missing_pieces, open_release
from rhapsody_lib.release import live_release
from rhapsody_lib.settings import PROFILES_FOLDER
from rhapsody_lib.song.render import SOUNDFONT_NAME, find_soundfont

DISTRIBUTION = "rhapsody"
#: `all` names others, `dev` is for work on Rhapsody itself, `dask` and `scale` are for clusters and replicated servers.
_NOT_LOOKED_AT = ("all", "dask", "dev", "scale")
#: Shown, but nothing is amiss where it is not installed.
_BY_CHOICE = ("vocal",)
PURPOSES = {
    "corpus": "reading lead sheets and MIDI",
    "lyrics": "training lyrics",
    "retrieval": "finding the matched song",
    "index": "an inverted file for catalogues of millions of songs",
    "backing": "training the backing",
    "song": "writing and rendering songs",
    "vocal": "a synthesizer that sings the words (--vocal)",
    "offline": "sentence encoder without a download",
    "orchestrate": "flows on a Prefect server",
}
#: Stands in no extra, for its declared dependency pyaudio is neither needed nor easily installed (docs/decisions/0005).
SYNTHESIZER = "tinysoundfont"
SYNTHESIZER_REMEDY = f"pip install --no-deps {SYNTHESIZER}"
RELEASE_REMEDY = (
    "No song can be made from it: 'rhapsody train' with the same sources and settings ('rhapsody releases show' names "
    "them) makes it whole, 'rhapsody releases rollback NUMBER' publishes an older release."
)


@dataclass(frozen=True)
class Extra:
    """One extra.

    Args:
        name: as in pyproject.toml, or `audio` for what song.mp3 needs.
        purpose: what it is for.
        found: distributions with their versions.
        missing: requirements that no installed distribution meets.
        remedy: the command that installs what is missing; empty where nothing is.
    """

    name: str
    purpose: str
    found: tuple[str, ...]
    missing: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Health:
    """What was found; `facts` are short lines for a person, `release_problems` what the live release lacks."""

    extras: tuple[Extra, ...]
    facts: dict[str, str]
    store_error: str
    release_problems: tuple[str, ...] = ()

    @property
    def missing_extras(self) -> tuple[str, ...]:
        """Extras of which something is not installed, but those that a song is whole without."""
        return tuple(extra.name for extra in self.extras if extra.missing and extra.name not in _BY_CHOICE)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "missing_extras": list(self.missing_extras)}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def requirements_of_extras() -> dict[str, list[Requirement]]:
    """What each extra adds on this platform to the base installation, by the extra's name."""
    names = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    declared = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or []]
    optional = [(need, need.marker) for need in declared if need.marker and not need.marker.evaluate({"extra": ""})]
    return {
        name: [need for need, marker in optional if marker.evaluate({"extra": name})]
        for name in names
        if name not in _NOT_LOOKED_AT
    }


def _extra(name: str, requirements: list[Requirement]) -> Extra:
    found, missing = [], []
    for need in requirements:
        version = _version(need.name)
        if version is not None:
            found.append(f"{need.name} {version}")
        if version is None or not need.specifier.contains(version, prereleases=True):
            missing.append(f"{need.name}{need.specifier}")
    remedy = f"pip install '{DISTRIBUTION}[{name}]'" if missing else ""
    return Extra(name, PURPOSES.get(name, ""), tuple(found), tuple(missing), remedy)


def _audio() -> Extra:
    """What song.mp3 needs: the synthesizer, which no extra brings, and the encoder and soundfont of `song`."""
    versions = {name: _version(name) for name in (SYNTHESIZER, "lameenc")}
    found = [f"{name} {version}" for name, version in versions.items() if version]
    missing = [name for name, version in versions.items() if version is None]
    try:
        found.append(find_soundfont().name)
    except MissingExtraError:
        missing.append(SOUNDFONT_NAME)
    remedies = [SYNTHESIZER_REMEDY] if SYNTHESIZER in missing else []
    if set(missing) - {SYNTHESIZER}:
        remedies.append(f"pip install '{DISTRIBUTION}[song]'")
    return Extra("audio", "song.mp3", tuple(found), tuple(missing), " && ".join(remedies))


def examine(store: str, *, verify: bool = False) -> Health:
    """Look at this installation and at the store; never raises for what it finds.

    Args:
        store: its address.
        verify: whether to fetch the live release, compare every digest and open what a song opens; else its artifacts
            are only looked for.
    """
    extras = [*(_extra(name, needs) for name, needs in requirements_of_extras().items()), _audio()]
    songs = sum(isinstance(item, Job) for item in list_jobs(open_source(EMBEDDED)))
    facts = {
        "rhapsody": metadata.version(DISTRIBUTION),
        "python": platform.python_version(),
        "songbook": f"{EMBEDDED_FOLDER} ({songs} songs)",
        "profiles": str(PROFILES_FOLDER),
        "store": store,
        "prefect": os.environ.get("PREFECT_API_URL") or "no server configured: steps run directly",
    }
    error, problems = "", list[str]()
    try:
        opened = Store(store)
        facts["work"] = str(opened.scratch)
        if opened.is_local and not os.access(opened.path_of(), os.W_OK):
            facts["read-only"] = "the store cannot be written: songs can be made from it, nothing can be trained"
        release = live_release(opened)
        facts["release"] = f"{release.number} ({release.reason})"
        problems = [f"release {release.number}: {lack}. {RELEASE_REMEDY}" for lack in missing_pieces(opened, release)]
        if verify and not problems:
            found = open_release(opened, release)
            problems = [f"release {release.number}: {problem}. {RELEASE_REMEDY}" for problem in found.problems]
            what = "not whole, as said below" if problems else "every digest"
            facts["verified"] = f"{what}; not opened: {', '.join(found.not_opened or ('nothing',))}"
    except NoReleaseError:
        facts["release"] = "none yet: 'rhapsody train' makes the first"
    except StoreError as problem:
        error = str(problem)
    return Health(tuple(extras), facts, error, tuple(problems))
