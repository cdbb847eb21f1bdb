"""The two compositions: how models are trained, and how a song is made. Each is one function over a namespace of steps.

On a laptop the namespace is `rhapsody_lib.operations`; in a flow it is `tasks`, which wraps each step under the same
name. So nothing is composed twice.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.drift import CorpusVerdict
from rhapsody_lib.errors import DamagedArtifactError, InputError, SourceError
from rhapsody_lib.gate import Verdict
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.operations.matching import check_filters, tell_unsearched
from rhapsody_lib.operations.releasing import corpus_summary, is_made_of, newest_release, refuse_rolled_back
from rhapsody_lib.operations.training import check_encoder_files
from rhapsody_lib.release import RELEASE_KINDS, Release
from rhapsody_lib.settings import Settings, SongSettings

logger = logging.getLogger(__name__)


class TrainingSteps(Protocol):
    """What training is composed of; the steps are those of `rhapsody_lib.operations`."""

    @property
    def prepare_corpus(self) -> Callable[[str, Settings, Sequence[str]], ArtifactRef]: ...
    @property
    def check_corpus(self) -> Callable[[str, Settings, ArtifactRef, bool], CorpusVerdict]: ...
    @property
    def train_lyrics(self) -> Callable[[str, Settings, ArtifactRef], ArtifactRef]: ...
    @property
    def train_encoder(self) -> Callable[[str, Settings, ArtifactRef], ArtifactRef]: ...
    @property
    def embed_catalogue(self) -> Callable[[str, Settings, ArtifactRef, ArtifactRef], ArtifactRef]: ...
    @property
    def train_backing(self) -> Callable[[str, Settings, ArtifactRef], ArtifactRef]: ...
    @property
    def at_once(self) -> Callable[..., list[Any]]: ...
    @property
    def evaluate_models(
        self,
    ) -> Callable[[str, Mapping[str, ArtifactRef], Mapping[str, ArtifactRef] | None], ArtifactRef]: ...
    @property
    def check_gate(self) -> Callable[[str, ArtifactRef, Settings], Verdict]: ...
    @property
    def release_models(
        self,
    ) -> Callable[[str, Mapping[str, ArtifactRef], str, ArtifactRef | None, int | None], Release]: ...


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


def at_once(*branches: Callable[[], Any]) -> list[Any]:
    """Run branches one after another: what a namespace of steps does that has one process."""
    return [branch() for branch in branches]


def without_asking(verdict: Verdict) -> None:
    """Release without asking a person."""


def train_all(
    steps: TrainingSteps,
    store: str,
    settings: Settings,
    sources: Sequence[str],
    reason: str,
    *,
    gate: bool = True,
    approve: Callable[[Verdict], None] = without_asking,
) -> Release:
    """Prepare, train the three stages, embed the catalogue, evaluate, release. What was made before is kept.

    Args:
        steps: the namespace of steps.
        store: address of the store.
        settings: of all stages and of the gate.
        sources: of songs.
        reason: said of the release.
        gate: whether a candidate that is worse than the live release is refused, and a corpus that drifted from the
            live release's before anything is trained on it.
        approve: asked before the release; raises to refuse it.

    Raises:
        RefusedError: the corpus is not whole or drifted too far; the candidate is worse than the live release, cannot
            make a song, or was not approved.
    """
    try:
        return _train_and_release(steps, store, settings, sources, reason, gate=gate, approve=approve)
    except DamagedArtifactError as error:
        logger.warning("%s It was set aside and is made again.", error)
        return _train_and_release(steps, store, settings, sources, reason, gate=gate, approve=approve)


def _train_and_release(
    steps: TrainingSteps,
    store: str,
    settings: Settings,
    sources: Sequence[str],
    reason: str,
    *,
    gate: bool,
    approve: Callable[[Verdict], None],
) -> Release:
    refs = train_models(steps, store, settings, sources, compare=gate)
    newest, live = newest_release(Store(store))
    if live is not None and is_made_of(live, refs):
        return steps.release_models(store, refs, reason, None, None)
    if gate:
        refuse_rolled_back(Store(store), refs)
    evaluation = steps.evaluate_models(store, refs, live.refs if live else None)
    verdict = steps.check_gate(store, evaluation, settings)
    if gate:
        verdict.enforce()
    approve(verdict)
    return steps.release_models(store, refs, reason, evaluation, newest)


def refuse_seed_network(settings: Settings) -> None:
    """Do nothing if the settings are of a lyrics model that writes songs: said before hours of training.

    Raises:
        InputError: they are of the notebooks' network.
    """
    if settings.lyrics.architecture == "bilstm-seed":
        raise InputError(
            "lyrics.architecture 'bilstm-seed': is for comparison only and writes no songs, so nothing can be made of "
            "it. Use lyrics.architecture=lstm; 'rhapsody evaluate lyrics --with-seed-network' measures the other one "
            "beside it."
        )


def train_models(
    steps: TrainingSteps, store: str, settings: Settings, sources: Sequence[str], *, compare: bool = True
) -> dict[str, ArtifactRef]:
    """The five artifacts of a release. What does not depend on one another is made at once where there are workers.

    Args:
        steps: the namespace of steps.
        store: address of the store.
        settings: of all stages.
        sources: of songs.
        compare: whether the corpus is held against the live release's before anything is trained on it.

    Raises:
        InputError: the settings' lyrics model writes no songs, or their encoder cannot be had.
        RefusedError: the corpus is not whole, or drifted too far from the live release's.
        SourceError: no song of the sources has music, which the backing is trained on.
    """
    refuse_seed_network(settings)
    check_encoder_files(settings)
    encoder = settings.encoder
    if encoder.generated_pairs and not encoder.tunes:
        logger.warning(
            "encoder.generated_pairs=%d does nothing, for the encoder is not tuned. Set encoder.tuning=pairs too.",
            encoder.generated_pairs,
        )
    corpus = steps.prepare_corpus(store, settings, tuple(sources))
    summary = corpus_summary(store, corpus)
    if not summary["tracks"]:  # said before the hours that lyrics and catalogue may take
        raise SourceError(
            f"{', '.join(map(repr, sources))}: none of the {summary['songs']:,} songs has music, only words, so the "
            "backing cannot be trained. Name a source with music beside it, such as songbook: "
            f"{shlex.join(['rhapsody', 'train', *sources, 'songbook'])} (or rhapsody song ... "
            f"{shlex.join([part for source in (*sources, 'songbook') for part in ('--source', source)])})"
        )
    steps.check_corpus(store, settings, corpus, compare).enforce()

    def lyrics() -> dict[str, ArtifactRef]:
        return {"lyrics": steps.train_lyrics(store, settings, corpus)}

    def catalogue() -> dict[str, ArtifactRef]:
        encoder = steps.train_encoder(store, settings, corpus)
        return {"encoder": encoder, "catalogue": steps.embed_catalogue(store, settings, corpus, encoder)}

    def backing() -> dict[str, ArtifactRef]:
        return {"backing": steps.train_backing(store, settings, corpus)}

    def words() -> dict[str, ArtifactRef]:
        return lyrics() | catalogue()

    # An encoder that is tuned on written lyrics has them trained itself: beside that branch two would train the same.
    # The encoder comes first: of one that is to be downloaded only this tells whether it can be.
    branches = [words] if encoder.tunes and encoder.generated_pairs else [catalogue, lyrics]
    made = {kind: ref for branch in steps.at_once(*branches, backing) for kind, ref in branch.items()}
    return {kind: made.get(kind, corpus) for kind in RELEASE_KINDS}


def make_song(steps: SongSteps, store: str, release: Release, request: SongSettings, out: Path) -> SongResult:
    """Words, the matched song, music primed with it, and the files.

    Raises:
        InputError: no song of the catalogue passes the filters of the match, or the primer cannot be used.
    """
    check_filters(store, release, request)
    tell_unsearched(store, release)
    draft = steps.write_lyrics(store, release, request)
    matches = steps.find_match(store, release, draft, request)
    composition = steps.compose_backing(store, release, request, draft, matches)
    return steps.write_song(release, request, draft, matches, composition, out)
