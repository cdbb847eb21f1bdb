"""Filters of the catalogue before the match: which songs may be found at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
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
    """

    language: str = ""
    style: str = ""
    tempo_bpm: tuple[float, float] | None = None
    key: str = ""
    licence: str = ""

    def passing(self, songs: pa.Table) -> Mask:
        """Which songs of a catalogue pass [songs].

        Raises:
            InputError: none does; the message says how many each filter leaves.
        """
        masks = {name: self._mask(songs, column, test) for name, column, test in self._tests()}
        passing: Mask = np.logical_and.reduce([np.ones(songs.num_rows, bool), *masks.values()])
        if masks and not passing.any():
            left = ", ".join(f"{name} leaves {int(mask.sum()):,}" for name, mask in masks.items())
            raise InputError(
                f"No song of the catalogue passes the filters: of {songs.num_rows:,} songs {left}. Leave out or widen "
                f"one of them.{self._known(songs, masks)}"
            )
        return passing

    def _tests(self) -> list[tuple[str, str, Callable[[object], bool]]]:
        """Name, column and test of each filter that is set."""
        tests: list[tuple[str, str, Callable[[object], bool]]] = []
        if self.language:
            tests.append((f"language {self.language}", "language", _equals(self.language)))
        if self.style:
            tests.append((f"style {self.style}", "genres", self._has_style))
        if self.tempo_bpm is not None:
            low, high = self.tempo_bpm
            tests.append((f"tempo {low:g} to {high:g}", "tempo_bpm", self._in_tempo))
        if self.key:
            tests.append((f"key {self.key}", "key", _equals(self.key)))
        if self.licence:
            tests.append((f"licence {self.licence}", "licence", self._has_licence))
        return tests

    @staticmethod
    def _mask(songs: pa.Table, column: str, test: Callable[[object], bool]) -> Mask:
        values = songs.column(column).to_pylist()
        return np.fromiter(map(test, values), bool, len(values))

    def _has_style(self, value: object) -> bool:
        wanted = self.style.strip().casefold()
        return any(wanted == str(genre).strip().casefold() for genre in (value if isinstance(value, list) else ()))

    def _has_licence(self, value: object) -> bool:
        return value is not None and str(value).strip().casefold().startswith(self.licence.strip().casefold())

    def _in_tempo(self, value: object) -> bool:
        low, high = self.tempo_bpm or (0.0, 0.0)
        return isinstance(value, float) and low <= value <= high

    def _known(self, songs: pa.Table, masks: dict[str, Mask]) -> str:
        """What there is to choose from, of a filter by name that nothing passes."""
        for set_to, column in ((self.language, "language"), (self.style, "genres"), (self.licence, "licence")):
            name = next((name for name in masks if set_to and name.endswith(set_to)), "")
            if not name or masks[name].any():
                continue
            values = songs.column(column).to_pylist()
            flat = (item for value in values for item in (value if isinstance(value, list) else [value]))
            there = sorted({str(item) for item in flat if item})
            return f" There is: {', '.join(there[:_MOST_NAMED])}." if there else f" No song has a {column}."
        return ""


_MOST_NAMED = 12


def _equals(wanted: str) -> Callable[[object], bool]:
    plain = wanted.strip().casefold()
    return lambda value: value is not None and str(value).strip().casefold() == plain
