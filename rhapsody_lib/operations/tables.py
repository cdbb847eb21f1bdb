"""The steps that go through every song: reading the sources into tables, embedding the catalogue.

Where there are many songs they go in shards, spread over threads, processes or machines by `spread`; the result does
not depend on it (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.operations.opening import locate_segments
from rhapsody_lib.operations.recipes import STAGE_VERSIONS, catalogue_recipe, corpus_recipe
from rhapsody_lib.operations.sharding import (
    ShardStep,
    Spread,
    Work,
    earlier_shards,
    in_turn,
    intact_folders,
    overlapping,
    shard_folders,
    shard_recipe,
    stored_shards,
)
from rhapsody_lib.parts import write_parts
from rhapsody_lib.progress import Progress, reporter
from rhapsody_lib.seeding import split_seed
from rhapsody_lib.settings import Settings

if TYPE_CHECKING:
    from rhapsody_lib.corpus.shards import SongShard
    from rhapsody_lib.retrieval.opened import Locate
    from rhapsody_lib.retrieval.shards import VectorShard

SONGS_SHARD, VECTORS_SHARD = "songs-shard", "vectors-shard"
#: Shards looked for at once: on S3 each is a request.
_FOUND_AT_ONCE = 16


def prepare_corpus(store: str, settings: Settings, sources: Sequence[str], *, spread: Spread = in_turn) -> ArtifactRef:
    """Read, clean and split the sources into `songs`, `tracks` and `rejects` tables."""
    from rhapsody_lib.corpus import prepare

    opened = Store(store)
    # Shards that are made one after another have all processors, those made side by side one each.
    step = partial(make_songs_shard, store, settings, workers=0 if spread is in_turn else 1)

    def read_shards(plan: Sequence[SongShard]) -> Iterator[Path]:
        stored, names = stored_shards(opened, SONGS_SHARD), {part.source for part in plan}
        held = {name: earlier_shards(stored, _songs_like(settings, name)) for name in names}
        work = [Work(part, overlapping(held[part.source], part.bounds)) for part in plan]
        return shard_folders(opened, step, work, spread, "songs shard")

    def make(folder: Path) -> None:
        seed, progress = split_seed(settings.seed, "corpus"), reporter("Preparing songs")
        prepare.prepare_corpus(sources, folder, settings.corpus, seed=seed, progress=progress, read_shards=read_shards)

    return opened.build(corpus_recipe(settings, sources), make)


def _songs_like(settings: Settings, source: str) -> Recipe:
    from rhapsody_lib.corpus.shards import shard_settings

    values = {"corpus": shard_settings(settings.corpus), "source": source}
    return Recipe(SONGS_SHARD, STAGE_VERSIONS["corpus"], values, {})


def make_songs_shard(store: str, settings: Settings, work: Work[SongShard], *, workers: int) -> ArtifactRef:
    """Read and clean one shard of songs; a shard of the same files is kept.

    Args:
        store: address of the store.
        settings: of the run.
        work: the shard.
        workers: files parsed at once; 0 is one for each processor.
    """
    from rhapsody_lib.corpus import shards

    opened, digests = Store(store), shards.file_digests(work.shard)
    like = _songs_like(settings, work.shard.source)
    made_of = Recipe(like.kind, like.version, like.settings, {"files": shards.digest_of(digests)})

    def make(folder: Path) -> None:
        earlier = intact_folders(opened, work.earlier)
        shards.write_shard(work.shard, folder, settings.corpus, digests=digests, earlier=earlier, workers=workers)

    return opened.build(shard_recipe(made_of, work.shard.bounds), make)


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
        catalogue.embed_catalogue(
            songs, served, folder, settings.catalogue, progress=progress, make_segments=make_segments
        )

    return opened.build(catalogue_recipe(settings, corpus, encoder), make)


def _vectors_shards(
    store: Store,
    encoder: ArtifactRef,
    plan: Sequence[VectorShard],
    step: ShardStep[VectorShard],
    spread: Spread,
) -> list[ArtifactRef]:
    """The shards of a plan: those that the store has, without a look into them, and the others made."""
    recipes = [_vectors_recipe(encoder, part) for part in plan]
    with ThreadPoolExecutor(_FOUND_AT_ONCE) as pool:
        found = list(pool.map(lambda recipe: store.find(recipe.kind, recipe.key), recipes))
    missing = [part for part, ref in zip(plan, found, strict=True) if ref is None]
    if missing:
        held = earlier_shards(stored_shards(store, VECTORS_SHARD), _vectors_like(encoder))
        work = [Work(part, overlapping(held, part.bounds)) for part in missing]
        made = iter(spread(step, work, "vectors shard"))
        return [ref or next(made) for ref in found]
    return [ref for ref in found if ref]


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

    opened = Store(store)

    def make(folder: Path) -> None:
        songs, served = work.shard.songs(opened.fetch(corpus)), opened.fetch(encoder)
        earlier = intact_folders(opened, work.earlier)
        shards.write_shard(songs, served, folder, earlier=earlier, texts_at_once=texts_at_once)

    return opened.build(_vectors_recipe(encoder, work.shard), make)
