"""A run of rows of a large table, which is read on its own: where it lies, and what a reader must know of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TablePart:
    """Rows of a table of lyrics, from byte `start` up to byte `stop` of its file; a record begins at each.

    `header` is the table's first line, `linked` whether all rows before these start with a link. `before` counts the
    records before these: the first of these is number `before + 1` of the file. `artists` are those that the rows
    refer to: link, name, genres. `state` is the size and the time of change (ns) of the file when it was cut. Two parts
    with the same rows are read alike whatever `before` and `state` are.
    """

    start: int
    stop: int
    header: str
    linked: bool
    before: int
    artists: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    state: tuple[int, int] = (0, 0)

    @classmethod
    def from_message(cls, values: dict[str, Any]) -> TablePart:
        """The inverse of `dataclasses.asdict`, also after a way through JSON."""
        artists = tuple((link, name, tuple(genres)) for link, name, genres in values["artists"])
        return cls(**{**values, "artists": artists, "state": tuple(values["state"])})
