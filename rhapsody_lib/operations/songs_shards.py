"""Shards of songs in a store: those that it has are found by the digests of their files, the others are read.

Shards that are found cost no task and no process of their own, so that a large corpus that grew by some songs is
prepared again in about the time that these take.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.operations.recipes import STAGE_VERSIONS
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
from rhapsody_lib.progress import reporter
from rhapsody_lib.settings import Settings

if TYPE_CHECKING:
    from rhapsody_lib.corpus.shards import SongShard

SONGS_SHARD = "songs-shard"
_WHAT = "songs shard"


def songs_folders(store: str, settings: Settings, plan: Sequence[SongShard], spread: Spread) -> Iterator[Path]:
    """Read the shards of a plan that the store lacks, then give the folder of each in turn.

    One found damaged is made again by this process.
    """
    opened = Store(store)
    # Shards that are made one after another have all processors, those made side by side one each.
    step = partial(make_songs_shard, store, settings, workers=0 if spread is in_turn else 1)
    refs = _refs(opened, settings, plan, step, spread)
    for part, ref in zip(plan, refs, strict=True):
        try:
            folder = opened.fetch(ref)
        except DamagedArtifactError:
            folder = opened.fetch(step(Work(part, ())))
        yield folder


def _refs(
    store: Store, settings: Settings, plan: Sequence[SongShard], step: ShardStep[SongShard], spread: Spread
) -> list[ArtifactRef]:
    from rhapsody_lib.corpus import shard_children, shards, table_cuts
    from rhapsody_lib.corpus.found import Job

    digests = list(shards.plan_digests(plan))
    jobs = [shard.items[0] for shard in plan if shard.part is not None]
    table_cuts.check_unchanged(job for job in jobs if isinstance(job, Job))
    recipes = [_songs_recipe(settings, part, digest) for part, digest in zip(plan, digests, strict=True)]
    found = find_shards(store, recipes)
    missing = [part for part, ref in zip(plan, found, strict=True) if ref is None]
    if not missing:
        return [ref for ref in found if ref]
    stored = stored_shards(store, SONGS_SHARD)
    held = {name: earlier_shards(stored, _songs_like(settings, name)) for name in {part.source for part in missing}}
    work = [Work(part, () if part.part else overlapping(held[part.source], part.bounds)) for part in missing]
    try:
        made = iter(_side_by_side(step, work) if spread is in_turn else spread(step, work, _WHAT))
    finally:
        shard_children.close_children()
    refs = [ref or next(made) for ref in found]
    for shard, recipe, ref in zip(plan, recipes, refs, strict=True):
        # Where other bytes were read than planned, the part may begin within a song. Times of change are not compared:
        # another machine may have a copy.
        if shard.part is not None and ref.key != recipe.key:
            raise table_cuts.changed(str(shard.opened().files[0]))
    return refs


def _side_by_side(step: ShardStep[SongShard], work: Sequence[Work[SongShard]]) -> list[ArtifactRef]:
    """Make shards of files one after another, each with all processors, and parts of tables on one processor each."""
    refs, files = dict[int, ArtifactRef](), [number for number, item in enumerate(work) if item.shard.part is None]
    progress = reporter(f"Making {_WHAT}s")
    for number in files:
        refs[number] = step(work[number])
        progress(len(refs), len(work))
    parts = [number for number in range(len(work)) if number not in refs]
    told = itertools.count(len(refs) + 1)
    made = side_by_side(step, [work[number] for number in parts], lambda: progress(next(told), len(work)))
    refs |= zip(parts, made, strict=True)
    return [refs[number] for number in range(len(work))]


def _songs_like(settings: Settings, source: str) -> Recipe:
    from rhapsody_lib.corpus.shards import shard_settings

    values = {"corpus": shard_settings(settings.corpus), "source": source}
    return Recipe(SONGS_SHARD, STAGE_VERSIONS["corpus"], values, {})


def _songs_recipe(settings: Settings, shard: SongShard, digest: str) -> Recipe:
    like = _songs_like(settings, shard.source)
    return shard_recipe(Recipe(like.kind, like.version, like.settings, {"files": digest}), shard.bounds)


def make_songs_shard(store: str, settings: Settings, work: Work[SongShard], *, workers: int) -> ArtifactRef:
    """Read and clean one shard of songs; a shard of the same files is kept.

    Args:
        store: address of the store.
        settings: of the run.
        work: the shard.
        workers: files parsed at once; 0 is one for each processor.
    """
    from rhapsody_lib.corpus import shard_children, shards

    opened, digests = Store(store), shards.file_digests(work.shard)

    def make(folder: Path) -> None:
        if work.shard.part is not None:
            shard_children.write_shard_apart(work.shard, folder, settings.corpus, digests)
            return
        earlier = intact_folders(opened, work.earlier)
        shards.write_shard(work.shard, folder, settings.corpus, digests=digests, earlier=earlier, workers=workers)

    return opened.build(_songs_recipe(settings, work.shard, shards.digest_of(digests)), make)
