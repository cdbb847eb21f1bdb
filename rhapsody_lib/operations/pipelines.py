"""The two compositions: how models are trained, and how a song is made. Each is one function over a namespace of steps.

On a laptop the namespace is `rhapsody_lib.operations`; in a flow it is `tasks`, which wraps each step under the same
name. So nothing is composed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.release import Release
from rhapsody_lib.settings import Settings, SongSettings


class TrainingSteps(Protocol):
    """What training is composed of; the steps are those of `rhapsody_lib.operations`."""

    @property
    def prepare_corpus(self) -> Callable[[str, Settings, Sequence[str]], ArtifactRef]: ...
    @property
    def train_lyrics(self) -> Callable[[str, Settings, ArtifactRef], ArtifactRef]: ...
    @property
    def train_encoder(self) -> Callable[[str, Settings], ArtifactRef]: ...
    @property
    def embed_catalogue(self) -> Callable[[str, Settings, ArtifactRef, ArtifactRef], ArtifactRef]: ...
    @property
    def train_backing(self) -> Callable[[str, Settings, ArtifactRef], ArtifactRef]: ...
    @property
    def release_models(self) -> Callable[[str, Mapping[str, ArtifactRef], str], Release]: ...


class SongSteps(Protocol):
    """What a song is composed of; the steps are those of `rhapsody_lib.operations.generation`."""

    @property
    def write_lyrics(self) -> Callable[..., Any]: ...
    @property
    def find_match(self) -> Callable[..., Any]: ...
    @property
    def compose_backing(self) -> Callable[..., Any]: ...
    @property
    def write_song(self) -> Callable[..., SongResult]: ...


def train_all(steps: TrainingSteps, store: str, settings: Settings, sources: Sequence[str], reason: str) -> Release:
    """Prepare, train the three stages, embed the catalogue, release. What was made before from the same is kept."""
    corpus = steps.prepare_corpus(store, settings, tuple(sources))
    lyrics = steps.train_lyrics(store, settings, corpus)
    encoder = steps.train_encoder(store, settings)
    catalogue = steps.embed_catalogue(store, settings, corpus, encoder)
    backing = steps.train_backing(store, settings, corpus)
    refs = {"corpus": corpus, "lyrics": lyrics, "encoder": encoder, "catalogue": catalogue, "backing": backing}
    return steps.release_models(store, refs, reason)


def make_song(steps: SongSteps, store: str, release: Release, request: SongSettings, out: Path) -> SongResult:
    """Words, the matched song, music primed with it, and the files."""
    draft = steps.write_lyrics(store, release, request)
    matches = steps.find_match(store, release, draft)
    composition = steps.compose_backing(store, release, request, draft, matches)
    return steps.write_song(release, request, draft, matches, composition, out)
