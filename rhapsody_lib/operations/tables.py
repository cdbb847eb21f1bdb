"""The steps that go through every song: reading the sources into tables, embedding the catalogue.

Where there are many songs they go in shards, spread over threads, processes or machines by `spread`; the result does
not depend on it (docs/decisions/0019).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError, RhapsodyError
from rhapsody_lib.operations.opening import locate_segments
from rhapsody_lib.operations.recipes import STAGE_VERSIONS, catalogue_recipe, corpus_recipe
from rhapsody_lib.operations.sharding import (
    ShardStep,
    Spread,
    Work,
    earlier_shards,
    find_shards,
    in_turn,
    intact_folders,
    overlapping,
    shard_recipe,
    side_by_side,
    stored_shards,
)
from rhapsody_lib.operations.songs_shards import songs_folders
from rhapsody_lib.parts import write_parts
from rhapsody_lib.progress import Progress, reporter
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings

if TYPE_CHECKING:
    from rhapsody_lib.corpus.shards import SongShard
    from rhapsody_lib.retrieval.opened import Locate
    from rhapsody_lib.retrieval.shards import VectorShard

VECTORS_SHARD, _WHAT = "vectors-shard", "vectors shard"
#: Earlier catalogues that are looked at, the newest first.
_CATALOGUES_COMPARED = 4


def prepare_corpus(store: str, settings: Settings, sources: Sequence[str], *, spread: Spread = in_turn) -> ArtifactRef:
    """Read, clean and split the sources into `songs`, `tracks` and `rejects` tables."""
    from rhapsody_lib.corpus import prepare
    from rhapsody_lib.corpus.source_file import with_choices

    settings = settings.model_copy(update={"corpus": with_choices(settings.corpus, sources)})

    def read_shards(plan: Sequence[SongShard]) -> Iterator[Path]:
        return songs_folders(store, settings, plan, spread)

    def make(folder: Path) -> None:
        seed, progress = split_seed(settings.seed, "corpus"), reporter("Preparing songs")
        prepare.prepare_corpus(sources, folder, settings.corpus, seed=seed, progress=progress, read_shards=read_shards)

    return Store(store).build(corpus_recipe(settings, sources), make)


def embed_catalogue(
    store: str, settings: Settings, corpus: ArtifactRef, encoder: ArtifactRef, *, spread: Spread = in_turn
) -> ArtifactRef:
    """Embed the lyrics of every song of the corpus, in shards that are the segments of the catalogue.

    Those of the same songs and encoder are kept, whichever catalogue they were made for.
    """
    opened = Store(store)
    step = partial(make_vectors_shard, store, corpus, encoder, texts_at_once=0 if spread is in_turn else 1)

    def make(folder: Path) -> None:
        from rhapsody_lib.retrieval import catalogue

        def make_segments(plan: Sequence[VectorShard], progress: Progress) -> Locate:
            refs = _vectors_shards(opened, encoder, plan, step, spread)
            write_parts(folder, refs)
            progress(plan[-1].stop, plan[-1].stop, "songs embedded")
            again = {ref.key: Work(part, ()) for part, ref in zip(plan, refs, strict=True)}
            return locate_segments(opened, refs, make_again=lambda ref: step(again[ref.key]))

        songs, served, progress = opened.fetch(corpus), opened.fetch(encoder), reporter("Embedding catalogue")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(_verify_segments, opened, recipe)
            catalogue.embed_catalogue(
                songs,
                served,
                folder,
                settings.catalogue,
                progress=progress,
                make_segments=make_segments,
                earlier=[figures for _, figures in _earlier_catalogues(opened, recipe)],
            )

    recipe = catalogue_recipe(settings, corpus, encoder)
    return opened.build(recipe, make)


def _verify_segments(store: Store, like: Recipe) -> None:
    """Compare the digests of the segments of the newest earlier catalogue, most of which will be those of the next one.

    That takes about as long as planning, beside which it is done; where the store is elsewhere they would be fetched
    for it, so there it is left to whoever needs them. What is wrong with one is told by whoever needs it.
    """
    from rhapsody_lib.retrieval.layout import SONG_VECTORS_FILE

    if not store.is_local:
        return
    with suppress(RhapsodyError):
        for newest, _ in itertools.islice(_earlier_catalogues(store, like), 1):
            for part in store.parts(newest):
                with suppress(DamagedArtifactError):
                    store.fetch(store.part(*part), (SONG_VECTORS_FILE,))


def _earlier_catalogues(store: Store, like: Recipe) -> Iterator[tuple[ArtifactRef, Path]]:
    """Earlier catalogues of the same encoder and settings, the newest first, with what they hold of their figures."""
    from rhapsody_lib.retrieval.sample import REUSED_FILES

    for ref, manifest in store.described(like.kind, most=_CATALOGUES_COMPARED):
        recipe = Recipe(**manifest["recipe"])
        same = (recipe.version, dict(recipe.settings)) == (like.version, dict(like.settings))
        if same and recipe.inputs["encoder"] == like.inputs["encoder"]:
            with suppress(DamagedArtifactError):
                yield ref, store.fetch(ref, REUSED_FILES)


def _vectors_shards(
    store: Store,
    encoder: ArtifactRef,
    plan: Sequence[VectorShard],
    step: ShardStep[VectorShard],
    spread: Spread,
) -> list[ArtifactRef]:
    """The shards of a plan: those that the store has, without a look into them, and the others made."""
    recipes = [_vectors_recipe(encoder, part) for part in plan]
    found = find_shards(store, recipes)
    missing = [part for part, ref in zip(plan, found, strict=True) if ref is None]
    if missing:
        held = earlier_shards(stored_shards(store, VECTORS_SHARD), _vectors_like(encoder))
        work = [Work(part, overlapping(held, part.bounds)) for part in missing]
        made = iter(_made_here(step, work) if spread is in_turn else spread(step, work, _WHAT))
        return [ref or next(made) for ref in found]
    return [ref for ref in found if ref]


def _made_here(step: ShardStep[VectorShard], work: Sequence[Work[VectorShard]]) -> list[ArtifactRef]:
    """Make shards in this process: side by side where most take over what earlier ones hold, and embed little.

    Others have all processors one after another, so that Ctrl-C waits for one alone.
    """
    if 2 * sum(bool(item.earlier) for item in work) < len(work):
        return in_turn(step, work, _WHAT)
    progress, told = reporter(f"Making {_WHAT}s"), itertools.count(1)
    return side_by_side(step, work, lambda: progress(next(told), len(work)))


def _vectors_like(encoder: ArtifactRef) -> Recipe:
    return Recipe(VECTORS_SHARD, STAGE_VERSIONS["catalogue"], {}, {"encoder": encoder.sha256})


def _vectors_recipe(encoder: ArtifactRef, part: VectorShard) -> Recipe:
    like = _vectors_like(encoder)
    made_of = Recipe(like.kind, like.version, like.settings, {**like.inputs, "texts": part.digest})
    return shard_recipe(made_of, part.bounds)


def make_vectors_shard(
    store: str, corpus: ArtifactRef, encoder: ArtifactRef, work: Work[VectorShard], *, texts_at_once: int
) -> ArtifactRef:
    """Embed one shard of songs; a shard of the same words is kept.

    Args:
        store: address of the store.
        corpus: where the songs are.
        encoder: what embeds them.
        work: the shard.
        texts_at_once: texts embedded side by side; 0 is one for each processor.
    """
    from rhapsody_lib.retrieval import shards
    from rhapsody_lib.retrieval.corpus_songs import melodies_in

    opened = Store(store)

    def make(folder: Path) -> None:
        songs, served = opened.fetch(corpus), opened.fetch(encoder)
        shards.write_shard(
            work.shard.songs(songs),
            served,
            folder,
            earlier=intact_folders(opened, work.earlier),
            texts_at_once=texts_at_once,
            melodies=melodies_in(songs),
        )

    return opened.build(_vectors_recipe(encoder, work.shard), make)
