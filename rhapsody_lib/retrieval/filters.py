"""Filters of the catalogue before the match: which songs may be found at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from rhapsody_lib.errors import InputError

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class MatchFilters:
    """What a song must be to be matched; an empty filter lets all pass, and a song without the fact passes none.

    Args:
        language: ISO 639-1 code, such as 'en'.
        style: one of the song's genres, upper or lower case.
        tempo_bpm: lowest and highest quarter notes a minute of its track.
        key: of its track, such as 'G major' or 'A minor'.
        licence: the beginning of its licence, upper or lower case, such as 'CC0' or 'public domain'.
        melody: whether its track must have a melody.
    """

    language: str = ""
    style: str = ""
    tempo_bpm: tuple[float, float] | None = None
    key: str = ""
    licence: str = ""
    melody: bool = False

    def passing(self, songs: pa.Table) -> Mask:
        """Which songs of a catalogue pass [songs].

        Raises:
            InputError: none does; the message says how many each filter leaves.
        """
        masks = {name: test(songs) for name, test in self._tests()}
        passing: Mask = np.logical_and.reduce([np.ones(songs.num_rows, bool), *masks.values()])
        if masks and not passing.any():
            left = ", ".join(f"{name} leaves {int(mask.sum()):,}" for name, mask in masks.items())
            raise InputError(
                f"No song of the catalogue passes the filters: of {songs.num_rows:,} songs {left}. Leave out or widen "
                f"one of them.{self._known(songs, masks)}"
            )
        return passing

    def _tests(self) -> list[tuple[str, Callable[[pa.Table], Mask]]]:
        """Name and test of each filter that is set."""
        tests: list[tuple[str, Callable[[pa.Table], Mask]]] = []
        if self.language:
            tests.append((f"language {self.language}", _equal("language", self.language)))
        if self.style:
            tests.append((f"style {self.style}", self._has_style))
        if self.tempo_bpm is not None:
            low, high = self.tempo_bpm
            tests.append((f"tempo {low:g} to {high:g}", self._in_tempo))
        if self.key:
            tests.append((f"key {self.key}", _equal("key", self.key)))
        if self.licence:
            tests.append((f"licence {self.licence}", self._has_licence))
        if self.melody:
            tests.append(("a melody", lambda songs: _mask(songs.column("has_melody"))))
        return tests

    def _has_style(self, songs: pa.Table) -> Mask:
        mask = np.zeros(songs.num_rows, bool)
        column = songs.column("genres").combine_chunks()
        named = _mask(pc.equal(_plain(column.flatten()), self.style.strip().lower()))
        mask[column.value_parent_indices().to_numpy()[named]] = True
        return mask

    def _has_licence(self, songs: pa.Table) -> Mask:
        return _mask(pc.starts_with(_plain(songs.column("licence")), self.licence.strip().lower()))

    def _in_tempo(self, songs: pa.Table) -> Mask:
        low, high = self.tempo_bpm or (0.0, 0.0)
        tempo = songs.column("tempo_bpm")
        return _mask(pc.and_(pc.greater_equal(tempo, low), pc.less_equal(tempo, high)))

    def _known(self, songs: pa.Table, masks: dict[str, Mask]) -> str:
        """What there is to choose from, of each filter that nothing passes."""
        facts = {
            f"language {self.language}": ("language", "language", _MOST_NAMED),
            f"style {self.style}": ("style", "genres", _MOST_NAMED),
            f"key {self.key}": ("key", "key", _MOST_KEYS),
            f"licence {self.licence}": ("licence", "licence", _MOST_NAMED),
        }
        told = []
        for name in (name for name, mask in masks.items() if not mask.any()):
            if name in facts:
                fact, column, most = facts[name]
                told.append(_choices(fact, songs.column(column), most))
            elif name.startswith("tempo "):
                told.append(_tempos(songs.column("tempo_bpm")))
        return "".join(told)


_MOST_NAMED, _MOST_KEYS = 20, 12


def _choices(fact: str, values: pa.ChunkedArray, most: int) -> str:
    """The values of a fact that songs have, of which so many are named."""
    flat = values.combine_chunks().flatten() if pa.types.is_list(values.type) else values
    there = sorted(filter(None, flat.unique().to_pylist()))
    more = f" and {len(there) - most:,} more" if len(there) > most else ""
    return f" Of {fact}s there is: {', '.join(there[:most])}{more}." if there else f" No song has a {fact}."


def _tempos(values: pa.ChunkedArray) -> str:
    """From where to where the tempos of songs go."""
    ends = pc.min_max(values).as_py()
    if ends["min"] is None:
        return " No song has a tempo."
    return f" Of tempos there is: {ends['min']:.1f} to {ends['max']:.1f} quarter notes a minute."


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return pc.utf8_lower(pc.utf8_trim_whitespace(values))


def _mask(values: pa.Array | pa.ChunkedArray) -> Mask:
    """Where values are true; null is not."""
    mask: Mask = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return mask


def _equal(column: str, wanted: str) -> Callable[[pa.Table], Mask]:
    return lambda songs: _mask(pc.equal(_plain(songs.column(column)), wanted.strip().lower()))
