"""Cuts a long list into shards whose bounds hardly move when the list grows.

A shard is a run of consecutive names. It ends before the name with the lowest hash of those that would give it about
the wanted size (content-defined chunking by local minima): near where a name is added or removed the bounds may move,
and a shard or two later the cuts fall on the same names again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence


def most_in_shard(size: int) -> int:
    """The most names that a shard of about `size` may have."""
    return size + size // 2


def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()


def stable_lengths(names: Iterable[str], size: int) -> Iterator[int]:
    """How many names each shard has, one after another, as the names stream by; `most_in_shard(size)` are held.

    Args:
        names: what decides the cuts, such as paths in order.
        size: how many names a shard has on average; 1 at least.
    """
    least, most, held = max(1, size // 2), most_in_shard(size), list[bytes]()
    for name in names:
        held.append(_hash(name))
        if len(held) > most:
            length = min(range(least, most + 1), key=held.__getitem__)
            yield length
            del held[:length]
    if held:
        yield len(held)


def stable_runs(names: Sequence[str], size: int) -> list[range]:
    """Ranges of indices that cover `names` in order, each of `size / 2` to `1.5 * size` names but the last.

    Args:
        names: what decides the cuts, such as paths in order.
        size: how many names a shard has on average; 1 at least.
    """
    runs, start = list[range](), 0
    for length in stable_lengths(names, size):
        runs.append(range(start, start + length))
        start += length
    return runs
