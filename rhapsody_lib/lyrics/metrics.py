"""Figures about written lyrics."""

from __future__ import annotations

from collections.abc import Sequence


def distinct(lines: Sequence[Sequence[str]], order: int) -> float:
    """Distinct-n (Li et al. 2016): different runs of `order` words by all runs within lines; 1 where there are none."""
    runs = [tuple(line[start : start + order]) for line in lines for start in range(len(line) - order + 1)]
    return len(set(runs)) / len(runs) if runs else 1.0
