"""How long work tells how far it is: one callback, shown as a bar on a terminal and as log lines in a worker."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with what has been done of how much, and a short note such as `perplexity 151`."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` units are done."""


def silent(done: int, total: int, note: str = "") -> None:
    """A progress callback that shows nothing."""
