"""One root seed a run, split by name: each stage draws from its own stream, and adding a stage moves no other."""

from __future__ import annotations

import hashlib

import numpy as np

MAX_SEED = 2**63 - 1


def split_seed(root_seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) that depends on the root seed and on every name."""
    text = "\x1f".join([str(root_seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(root_seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator (PCG64) seeded by `split_seed`."""
    return np.random.Generator(np.random.PCG64(split_seed(root_seed, *names)))
