"""The large JSON files of Lakh, an entry at a time: `{key: {..}, key: {..}}` with entries that hold no objects.

`json.load` of `match_scores.json` takes eight times the file in memory, and of a stranger's file whatever it asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rhapsody_lib.corpus.lakh.tree import MD5, TRACK_ID

#: Characters of one entry: a track has some hundred matches at most, of 60 characters each.
MAX_ENTRY_CHARACTERS = 1 << 20
_BLOCK_CHARACTERS = 1 << 18
#: Always matches, so that no run of spaces is looked at twice.
_BETWEEN = re.compile(r"\s*(?:,\s*)?")
_ENTRY = re.compile(r'("(?:[^"\\]|\\.){0,200}")\s*:\s*(\{[^{}]*\})')
_END = re.compile(r"\s*\}\s*")


def json_entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys and values of a JSON file, in order, in bounded memory.

    Raises:
        ValueError: it is no such JSON from here on; entries before it have been given.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        text = stream.read(_BLOCK_CHARACTERS).lstrip()
        if not text.startswith("{"):
            raise ValueError("it is no JSON object")
        text, place = text[1:], 0
        while True:
            between = _BETWEEN.match(text, place)
            entry = _ENTRY.match(text, between.end() if between is not None else place)
            if entry is not None:
                place = entry.end()
                yield str(json.loads(entry[1])), _object(entry[2])
                continue
            more = stream.read(_BLOCK_CHARACTERS)
            text, place = text[place:] + more, 0
            if not more:
                break
            if len(text) > MAX_ENTRY_CHARACTERS + _BLOCK_CHARACTERS:
                raise ValueError(f"it has an entry of more than {MAX_ENTRY_CHARACTERS:,} characters")
    if not _END.fullmatch(text):
        raise ValueError("it breaks off, or is no JSON of tracks")


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("it has an entry that is nested too deep") from error
    assert isinstance(values, dict)  # noqa: S101  # the text starts with a brace
    return values


def read_scores(path: Path, md5s: Collection[str]) -> Iterator[tuple[str, str, float]]:
    """(MSD id, md5, score) of the files asked for, from `match_scores.json`.

    Raises:
        ValueError, OSError: as `json_entries`.
    """
    for track_id, scores in json_entries(path):
        if TRACK_ID.fullmatch(track_id):
            for md5, score in scores.items():
                if md5.lower() in md5s and isinstance(score, (int, float)) and 0 <= score <= 1:
                    yield track_id, md5.lower(), float(score)


@dataclass(frozen=True)
class MidiInfo:
    """What `midi_info.json` says of a MIDI file: tempo and metre if they never change, else 0 and ''."""

    tempo_bpm: float
    time_signature: str


def read_midi_info(path: Path, md5s: Collection[str]) -> Iterator[tuple[str, MidiInfo]]:
    """The files asked for that are in `midi_info.json`.

    Raises:
        ValueError, OSError: as `json_entries`.
    """
    for md5, values in json_entries(path):
        if MD5.fullmatch(md5) and md5.lower() in md5s:
            yield md5.lower(), _info(values)


def _info(values: Mapping[str, Any]) -> MidiInfo:
    tempo, metre = values.get("constant_tempo"), values.get("constant_time_signature")
    known = isinstance(tempo, (int, float)) and 1 <= tempo <= 1000
    return MidiInfo(float(tempo) if known and tempo else 0.0, metre[:8] if isinstance(metre, str) else "")
