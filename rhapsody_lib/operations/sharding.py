"""Steps cut into shards: how they are spread over workers, and how a shard finds what earlier ones have done.

A shard is an artifact of its own. So a step that was killed goes on with the shards that are missing, and one whose
input has grown makes the changed shards alone; of these, it takes over whatever an earlier shard holds unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.processors import available_processors
from rhapsody_lib.progress import reporter

Shard = TypeVar("Shard")

#: Shards looked for at once: on S3 each is a request.
_FOUND_AT_ONCE = 16


@dataclass(frozen=True)
class Work(Generic[Shard]):
    """A shard to be made, and the earlier shards that may hold some of it."""

    shard: Shard
    earlier: tuple[ArtifactRef, ...]


#: Makes one shard and returns its ref. It is shipped to other processes: a function of a module, or a `partial` of one.
ShardStep = Callable[[Work[Shard]], ArtifactRef]


class Spread(Protocol):
    """Maps a step over shards; the results come in the order of the shards."""

    def __call__(self, step: ShardStep[Shard], work: Sequence[Work[Shard]], what: str) -> list[ArtifactRef]:
        """Make every shard; `what` is what a shard is called, such as `songs shard`."""


def in_turn(step: ShardStep[Shard], work: Sequence[Work[Shard]], what: str) -> list[ArtifactRef]:
    """Make the shards in this process, one after another."""
    progress, refs = reporter(f"Making {what}s"), list[ArtifactRef]()
    for number, item in enumerate(work, start=1):
        refs.append(step(item))
        progress(number, len(work))
    return refs


def side_by_side(
    step: ShardStep[Shard], work: Sequence[Work[Shard]], done: Callable[[], object] = lambda: None
) -> list[ArtifactRef]:
    """Make the shards in this process, as many at once as it has processors; `done` is called after each."""
    refs = list[ArtifactRef]()
    with ThreadPoolExecutor(available_processors(), thread_name_prefix="shards") as pool:
        try:
            for ref in pool.map(step, work):
                refs.append(ref)
                done()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return refs


@dataclass(frozen=True)
class EarlierShard:
    """A shard of the store, and the lowest and the highest name in it."""

    ref: ArtifactRef
    bounds: tuple[str, str]


def shard_recipe(like: Recipe, bounds: tuple[str, str]) -> Recipe:
    """The recipe with the bounds of its shard: they say which earlier shards are worth a look."""
    return Recipe(like.kind, like.version, {**like.settings, "bounds": list(bounds)}, like.inputs)


def find_shards(store: Store, recipes: Sequence[Recipe]) -> list[ArtifactRef | None]:
    """The shard of each recipe, without a look into it; None where the store has none."""
    with ThreadPoolExecutor(_FOUND_AT_ONCE) as pool:
        return list(pool.map(lambda recipe: store.find(recipe.kind, recipe.key), recipes))


def stored_shards(store: Store, kind: str) -> list[tuple[ArtifactRef, Recipe]]:
    """All shards of a kind that the store has, with their recipes, the newest first."""
    return [(ref, Recipe(**manifest["recipe"])) for ref, manifest in store.described(kind)]


def earlier_shards(stored: Iterable[tuple[ArtifactRef, Recipe]], like: Recipe) -> list[EarlierShard]:
    """Those shards with the version, settings and inputs of a recipe, whatever else they were made of.

    Args:
        stored: `stored_shards`, read once a run: each is a request of its own on S3.
        like: a recipe without bounds, and without the input that differs from shard to shard.
    """

    def matching(ref: ArtifactRef, recipe: Recipe) -> EarlierShard | None:
        settings = dict(recipe.settings)
        bounds = settings.pop("bounds", None)
        same = recipe.version == like.version and settings == dict(like.settings)
        if bounds is None or not same or not like.inputs.items() <= recipe.inputs.items():
            return None
        return EarlierShard(ref, (bounds[0], bounds[1]))

    return [found for found in (matching(*shard) for shard in stored) if found is not None]


def overlapping(shards: Sequence[EarlierShard], bounds: tuple[str, str]) -> tuple[ArtifactRef, ...]:
    """Those shards that may hold a name within the bounds."""
    low, high = bounds
    return tuple(shard.ref for shard in shards if shard.bounds[0] <= high and shard.bounds[1] >= low)


def intact_folders(store: Store, refs: Sequence[ArtifactRef]) -> Iterator[Path]:
    """A local folder for each of these artifacts that is still there and whole."""
    for ref in refs:
        try:
            yield store.fetch(ref)
        except DamagedArtifactError:
            continue
