"""Songs for the stand-ins: real ones cut, transposed and re-timed, as Lakh MIDI files and as LPD-5 piano rolls."""

from __future__ import annotations

import io
import json
import random
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import symusic
from numpy.typing import NDArray

#: The families of LPD-5 in order: name and General MIDI program.
FAMILIES = (("Drums", 0), ("Piano", 0), ("Guitar", 24), ("Bass", 32), ("Strings", 48))
_DRUMS, _PIANO, _GUITAR, _BASS, _STRINGS = range(5)
BEAT_RESOLUTION = 24
_TICKS = 480
_MOST_BEATS = 600
#: Shares of songs with a tempo that changes and with a family missing.
TEMPO_CHANGES, FAMILY_MISSING = 0.3, 0.2
#: A bar of drums where a song has none: (beat, pitch, velocity).
_BEAT = ((0.0, 36, 100), (1.0, 38, 90), (2.0, 36, 95), (3.0, 38, 90), *((half / 2, 42, 60) for half in range(8)))

Notes = NDArray[np.float64]


@dataclass(frozen=True)
class Base:
    """A real song: for each family rows of (start beat, length in beats, pitch, velocity), and its tempo."""

    families: tuple[Notes, ...]
    tempo_bpm: float


@dataclass(frozen=True)
class Song:
    """A song made of a base: notes by family as in `Base`, and tempi as (beat, quarter notes a minute)."""

    families: tuple[Notes, ...]
    tempi: tuple[tuple[float, float], ...]


def _family(program: int, *, drums: bool) -> int:
    if drums:
        return _DRUMS
    return {0: _PIANO, 1: _PIANO, 3: _GUITAR, 4: _BASS}.get(program // 8, _STRINGS)


def _base(data: bytes) -> Base:
    score: Any = symusic.Score.from_midi(data)
    notes: list[list[Notes]] = [[] for _ in FAMILIES]
    pop = [track.name for track in score.tracks] == ["MELODY", "BRIDGE", "PIANO"]  # all program 0 there
    for number, track in enumerate(score.tracks):
        family = (_STRINGS, _GUITAR, _PIANO)[number] if pop else _family(track.program, drums=track.is_drum)
        columns = track.notes.numpy()
        starts, lengths = columns["time"] / score.tpq, columns["duration"] / score.tpq
        notes[family].append(np.stack([starts, lengths, columns["pitch"], columns["velocity"]], axis=1))
    joined = [np.concatenate(rows) if rows else np.empty((0, 4)) for rows in notes]
    if pop:
        joined[_BASS] = _bass_of(joined[_PIANO])
        end = max((float(rows[:, 0].max()) for rows in joined if len(rows)), default=0.0)
        bars = [
            (bar * 4 + beat, 0.25, pitch, velocity) for bar in range(int(end) // 4) for beat, pitch, velocity in _BEAT
        ]
        joined[_DRUMS] = np.array(bars).reshape(-1, 4)
    return Base(tuple(joined), score.tempos[0].qpm if score.tempos else 120.0)


def _bass_of(piano: Notes) -> Notes:
    """The lowest note of each two beats, in the bass."""
    lowest: dict[int, Notes] = {}
    for row in piano:
        place = int(row[0] // 2)
        if place not in lowest or row[2] < lowest[place][2]:
            lowest[place] = row
    rows = [(2.0 * place, 1.9, 28 + row[2] % 12, 90) for place, row in sorted(lowest.items())]
    return np.array(rows).reshape(-1, 4)


@lru_cache(maxsize=1)
def read_bases(datasets: Path, *, pop_songs: int = 150) -> list[Base]:
    """Songs of the Lakh-like tree and the first of POP909, those with notes."""
    found = [path.read_bytes() for path in sorted((datasets / "mini_lpd" / "lmd_matched").rglob("*.mid"))]
    with zipfile.ZipFile(datasets / "pop909.zip") as archive:
        names = [name for name in sorted(archive.namelist()) if Path(name).stem == Path(name).parent.name]
        found += [archive.read(name) for name in names[:pop_songs] if name.endswith(".mid")]
    bases = [_base(data) for data in found]
    return [base for base in bases if sum(map(len, base.families)) > 50]


def make_song(dice: random.Random, bases: list[Base]) -> Song:
    """One song: some bars of a base, transposed, at another tempo, perhaps without one of its families."""
    base = dice.choice(bases)
    end = max(float((rows[:, 0] + rows[:, 1]).max()) for rows in base.families if len(rows))
    bars = max(8, int(end / 4))
    first = dice.randrange(max(1, bars // 3))
    last = dice.randint(min(bars, first + max(8, bars // 2)), min(bars, first + _MOST_BEATS // 4) + 1)
    key, louder = dice.randint(-6, 5), dice.randint(-10, 10)
    present = [number for number, rows in enumerate(base.families) if len(rows)]
    missing = dice.choice(present) if len(present) > 2 and dice.random() < FAMILY_MISSING else -1
    families = []
    for number, rows in enumerate(base.families):
        inside = (rows[:, 0] >= 4 * first) & (rows[:, 0] < 4 * last) & (number != missing)
        shifted = rows[inside] - (4 * first, 0, 0, 0) + (0, 0, 0 if number == _DRUMS else key, louder)
        shifted[:, 2:] = np.clip(shifted[:, 2:], 1, 127)
        families.append(shifted)
    tempo = min(240.0, max(40.0, base.tempo_bpm * dice.uniform(0.85, 1.18)))
    tempi = [(0.0, round(tempo, 3))]
    if dice.random() < TEMPO_CHANGES:
        tempi += [(4.0 * dice.randint(1, max(1, last - first - 1)), round(tempo * dice.uniform(0.8, 1.2), 3))]
    return Song(tuple(families), tuple(tempi))


def midi_of(song: Song) -> bytes:
    """A MIDI file of type 1, a track a family."""
    score: Any = symusic.Score(_TICKS)
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    for beat, bpm in song.tempi:
        score.tempos.append(symusic.Tempo(int(beat * _TICKS), qpm=bpm))
    for number, ((name, program), rows) in enumerate(zip(FAMILIES, song.families, strict=True)):
        if len(rows):
            track = symusic.Track(name, program, number == _DRUMS)
            starts, lengths = np.rint(rows[:, :2].T * _TICKS).astype(np.int32)
            track.notes = symusic.Note.from_numpy(
                starts, np.maximum(lengths, 1), rows[:, 2].astype(np.int8), rows[:, 3].astype(np.int8)
            )
            score.tracks.append(track)
    return bytes(score.dumps_midi())


def npz_of(song: Song, name: str) -> bytes:
    """A piano roll as pypianoroll 0.x wrote it for LPD-5, with its defects.

    A missing family has shape (0, 128) and type bool. `tempo` holds the tempi of the beats one after another, 24 times
    over, where each should stand for the 24 steps of its beat.
    """
    steps = 1 + max(int((rows[:, 0] + rows[:, 1]).max() * BEAT_RESOLUTION) for rows in song.families if len(rows))
    steps += -steps % (4 * BEAT_RESOLUTION)
    places = np.searchsorted([beat for beat, _ in song.tempi], np.arange(steps // BEAT_RESOLUTION), side="right") - 1
    tempi = np.array([bpm for _, bpm in song.tempi])[places]
    arrays: dict[str, NDArray[Any]] = {"tempo": np.tile(tempi, BEAT_RESOLUTION)}
    arrays["downbeat"] = np.zeros(steps, bool)
    arrays["downbeat"][0] = True
    info: dict[str, Any] = {"beat_resolution": BEAT_RESOLUTION, "name": name}
    for number, ((family, program), rows) in enumerate(zip(FAMILIES, song.families, strict=True)):
        info[str(number)] = {"program": program, "is_drum": number == _DRUMS, "name": family}
        roll = np.zeros((steps, 128), np.uint8) if len(rows) else np.zeros((0, 128), bool)
        for start, length, pitch, velocity in rows:
            first = int(start * BEAT_RESOLUTION)
            roll[first : first + max(1, int(length * BEAT_RESOLUTION)), int(pitch)] = int(velocity)
        columns, indices = np.nonzero(roll.T)
        pointers = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=128))])
        parts = (roll.T[columns, indices], indices.astype(np.int32), pointers.astype(np.int32), np.array(roll.shape))
        for part, values in zip(("data", "indices", "indptr", "shape"), parts, strict=True):
            arrays[f"pianoroll_{number}_csc_{part}"] = values
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]  # names of arrays, none is an option of it
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("info.json"), json.dumps(info), zipfile.ZIP_DEFLATED)
    return out.getvalue()
