"""Piano rolls of the Lakh Pianoroll Dataset to a score: `.npz` files of pypianoroll 0.x and 1.x.

A file holds a sparse matrix a track (steps x pitches, columns compressed), `beat_resolution` steps a beat (1.x:
`resolution`), and a tempo for each step. What its maker did is undone:

- Notes are runs of steps. Where a run grows louder another note of the family begins: tracks of a family were merged
  by their maximum. A track that is silent may have the shape (0, 128).
- The tempi of the beats were tiled, not repeated (`np.tile(bpm, 24)`): the first of them are those of the beats.
- `downbeat` is set at step 0 alone unless the metre changes, so it says nothing of the metre.

Nothing is made dense and no index is believed before it is checked: what points beyond a matrix crashes SciPy.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.foreign import (
    BELIEVED_BPM,
    DEFAULT_BPM,
    DEFAULT_LIMITS,
    MAX_CHANGES,
    Conductor,
    MidiLimits,
    assembled,
)
from rhapsody_lib.music.note_tables import DURATION, PART, START, Ints, NoteTable, ScoreTables, in_order, joined
from rhapsody_lib.music.npz import NpzFile
from rhapsody_lib.music.parts import RawTrack
from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre, Score, Tempo

INFO = "info.json"
_MAX_INFO_BYTES = 1 << 20
PITCHES = 128
MAX_RESOLUTION = 960
#: What a shape may say: 128 times that is still an integer of 64 bits.
_MOST_STEPS = 1 << 48
#: A roll that tells only whether a note sounds is played this loud.
_BINARY_VELOCITY = 100
#: Tempi closer than this are one, rounded differently.
_SAME_BPM = 0.02


@dataclass(frozen=True)
class _Info:
    resolution: int
    name: str
    tracks: tuple[tuple[str, int, bool], ...]


def _info_of(npz: NpzFile) -> _Info:
    try:
        values = json.loads(npz.read(INFO, _MAX_INFO_BYTES))
    except (ValueError, RecursionError) as error:
        raise npz.refusal(f"has an {INFO} that is no JSON.") from error
    if not isinstance(values, dict):
        raise npz.refusal(f"has an {INFO} that says nothing.")
    resolution = values.get("beat_resolution", values.get("resolution"))
    if not isinstance(resolution, int) or isinstance(resolution, bool) or not 1 <= resolution <= MAX_RESOLUTION:
        raise npz.refusal(f"has {str(resolution)[:40]!r} steps a beat.")
    tracks: list[tuple[str, int, bool]] = []
    while isinstance(track := values.get(str(len(tracks))), dict):
        program = track.get("program", 0)
        known = isinstance(program, int) and 0 <= program < 128
        tracks.append((str(track.get("name", ""))[:80], int(program) if known else 0, bool(track.get("is_drum"))))
    return _Info(resolution, str(values.get("name", ""))[:120], tuple(tracks))


def _steps(npz: NpzFile, key: str) -> int:
    shape = npz.array(f"{key}_csc_shape")
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise npz.refusal(f"has no shape of {key}.")
    steps, pitches = int(shape[0]), int(shape[1])
    if not 0 <= steps < _MOST_STEPS or pitches != PITCHES:
        raise npz.refusal(f"says that {key} has {steps} steps and {pitches} pitches.")
    return steps


def _velocities(npz: NpzFile, key: str, data: npt.NDArray[Any]) -> Ints:
    """As integers of 0 to 127, from 0 to 1 in floats, or true and false."""
    if data.dtype.kind == "b":
        return data.astype(np.int64) * _BINARY_VELOCITY
    if data.dtype.kind == "f":
        if not np.isfinite(data).all():
            raise npz.refusal(f"has no numbers in {key}.")
        data = np.ceil(data * 127) if data.size and float(data.max()) <= 1 else np.rint(np.clip(data, 0, 127))
    return np.asarray(np.clip(data, 0, 127), dtype=np.int64)


def _cells(npz: NpzFile, key: str) -> tuple[Ints, Ints, Ints]:
    """Pitch, step and velocity of each cell that sounds, by pitch, then step."""
    steps = _steps(npz, key)
    data, indices, pointers = (npz.array(f"{key}_csc_{part}") for part in ("data", "indices", "indptr"))
    if any(array.ndim != 1 for array in (data, indices, pointers)) or "f" in indices.dtype.kind + pointers.dtype.kind:
        raise npz.refusal(f"has no sparse matrix in {key}.")
    indices, pointers = indices.astype(np.int64), pointers.astype(np.int64)
    counts = np.diff(pointers)
    whole = len(pointers) == PITCHES + 1 and pointers[0] == 0 and pointers[-1] == len(indices) == len(data)
    if not whole or (counts < 0).any():
        raise npz.refusal(f"has columns in {key} that do not follow one another.")
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < steps:
        raise npz.refusal(f"has steps in {key} that lie outside of it.")
    pitch, velocity = np.repeat(np.arange(PITCHES), counts), _velocities(npz, key, data)
    place = pitch * max(1, steps) + indices
    if (np.diff(place) <= 0).any():
        place, first = np.unique(place, return_index=True)
        pitch, indices, velocity = pitch[first], indices[first], velocity[first]
    sounds = velocity > 0
    return pitch[sounds], indices[sounds], velocity[sounds]


def _notes(pitch: Ints, step: Ints, velocity: Ints) -> NoteTable:
    """Runs of cells as notes, times in steps."""
    begins = np.ones(len(step), dtype=bool)
    begins[1:] = (np.diff(pitch) != 0) | (np.diff(step) != 1) | (np.diff(velocity) > 0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(step))[: len(first)] - 1
    return np.stack([step[first], pitch[first], step[last] - step[first] + 1, velocity[first], np.zeros_like(first)])


def _tempi(npz: NpzFile, resolution: int) -> tuple[Tempo, ...]:
    """The tempo of each beat, changes alone; one tempo where the order of the steps cannot be told."""
    if "tempo.npy" not in npz:
        return ()
    tempo = npz.array("tempo").reshape(-1).astype(np.float64)
    tempo = np.where(np.isfinite(tempo), tempo, 0.0)
    believed = tempo[(tempo >= BELIEVED_BPM[0]) & (tempo <= BELIEVED_BPM[1])]
    if not believed.size:
        return ()
    beats, rest = divmod(len(tempo), resolution)
    one = (Tempo(0, round(float(np.median(believed)), 2)),)
    if rest or len(believed) < len(tempo):
        return one
    tiled, repeated = tempo.reshape(resolution, beats), tempo.reshape(beats, resolution)
    if np.ptp(tiled, axis=0).max() <= _SAME_BPM:
        return _changes(tiled[0])
    return _changes(repeated[:, 0]) if np.ptp(repeated, axis=1).max() <= _SAME_BPM else one


def _changes(beats: npt.NDArray[np.float64]) -> tuple[Tempo, ...]:
    tempi: list[Tempo] = []
    for beat, bpm in enumerate(beats.tolist()):
        if not tempi or abs(bpm - tempi[-1].bpm) > _SAME_BPM:
            tempi.append(Tempo(beat * TICKS_PER_BEAT, round(bpm, 2)))
        if len(tempi) >= MAX_CHANGES:
            break
    return tuple(tempi)


def _beat_ticks(metre: Metre) -> int:
    """What the maker's beat is (`pretty_midi.get_beats`): the denominator's note, three of them in compound metres."""
    compound = metre.numerator > 3 and metre.numerator % 3 == 0
    return metre.bar_ticks // metre.numerator * (3 if compound else 1)


def _first_metre(conductor: Conductor) -> Metre:
    """The metre at the first time signature: before it the default stands, which its maker did not count by."""
    first = conductor.first_metre_ticks or 0
    return next((metre for metre in reversed(conductor.metres) if metre.start_ticks <= first), conductor.metres[0])


def _from_first_step(conductor: Conductor, first_note_ticks: int) -> Conductor:
    """Tempi and metres counted from the first step of a roll.

    Its maker put it at the first time signature, or where he thought the beat began: then the first notes tell.
    """
    first = conductor.first_metre_ticks
    if first is None:
        first = max(0, conductor.first_note_ticks - first_note_ticks)
    if not first:
        return conductor
    tempi = {max(0, tempo.start_ticks - first): tempo.bpm for tempo in conductor.tempi}
    metres = {max(0, metre.start_ticks - first): metre for metre in conductor.metres}
    return replace(
        conductor,
        tempi=tuple(Tempo(start, bpm) for start, bpm in tempi.items()),
        metres=tuple(replace(metre, start_ticks=start) for start, metre in metres.items()),
    )


def constant_conductor(bpm: float, time_signature: str) -> Conductor | None:
    """A conductor of one tempo and metre (`4/4`); None if no such music can be."""
    numerator, _, denominator = time_signature.partition("/")
    known = numerator.isdecimal() and denominator in {"1", "2", "4", "8", "16", "32"} and 1 <= int(numerator) <= 32
    if not BELIEVED_BPM[0] <= bpm <= BELIEVED_BPM[1]:
        return None
    metre = Metre(0, int(numerator), int(denominator)) if known else Metre(0, 4, 4)
    return Conductor((Tempo(0, round(bpm, 2)),), (metre,), names_metre=metre.numerator > 1)


def pianoroll_to_tables(
    data: bytes, name: str, *, title: str = "", conductor: Conductor | None = None, limits: MidiLimits = DEFAULT_LIMITS
) -> ScoreTables:
    """Read a piano roll file; its tracks become parts as those of MIDI files do.

    Args:
        data: the file's bytes.
        name: what messages call the file.
        title: of the score; the name in the file if empty.
        conductor: the true tempi and metre, such as those of the MIDI file that the roll was made of.
        limits: what it may ask for.

    Raises:
        UnreadableFileError: with code `bad_npz`, `no_notes` or `too_large`.
    """
    if len(data) > limits.max_bytes:
        raise UnreadableFileError(name, "too_large", f"has {len(data):,} bytes; {limits.max_bytes:,} are allowed.")
    npz = NpzFile(data, name)
    info = _info_of(npz)
    if len(info.tracks) > limits.max_tracks:
        raise UnreadableFileError(name, "too_large", f"has more than {limits.max_tracks:,} tracks.")
    rolls = [_notes(*_cells(npz, f"pianoroll_{index}")) for index in range(len(info.tracks))]
    if sum(roll.shape[1] for roll in rolls) > limits.max_notes:
        raise UnreadableFileError(name, "too_large", f"has more than {limits.max_notes:,} notes.", "Is it one song?")
    if conductor is None:
        conductor = Conductor(_tempi(npz, info.resolution) or (Tempo(0, DEFAULT_BPM),), (Metre(0, 4, 4),))
    table = _in_ticks(rolls, _beat_ticks(_first_metre(conductor)), info.resolution, limits, name)
    conductor = _from_first_step(conductor, int(table[START].min()) if table.size else 0)
    return assembled(
        lambda moved: _raw_tracks(moved, info.tracks),
        table,
        conductor,
        title=title or info.name or name,
        name=name,
        limits=limits,
    )


def pianoroll_to_score(
    data: bytes, name: str, *, title: str = "", conductor: Conductor | None = None, limits: MidiLimits = DEFAULT_LIMITS
) -> Score:
    """`pianoroll_to_tables` as a score with its notes."""
    return pianoroll_to_tables(data, name, title=title, conductor=conductor, limits=limits).score()


def _in_ticks(rolls: Sequence[NoteTable], beat_ticks: int, resolution: int, limits: MidiLimits, name: str) -> NoteTable:
    table = joined(list(rolls))
    table[PART] = np.repeat(np.arange(len(rolls)), [roll.shape[1] for roll in rolls])
    if table.size and int(table[START].max()) > limits.max_seconds * 10 * resolution:
        raise UnreadableFileError(name, "too_large", f"lasts longer than {limits.max_seconds:.0f} seconds.")
    ends = table[START] + table[DURATION]
    ends, table[START] = ((2 * steps * beat_ticks + resolution) // (2 * resolution) for steps in (ends, table[START]))
    table[DURATION] = np.maximum(1, ends - table[START])
    return in_order(table)


def _raw_tracks(table: NoteTable, tracks: Sequence[tuple[str, int, bool]]) -> list[RawTrack]:
    cuts = table[PART].searchsorted(np.arange(len(tracks) + 1)).tolist()
    return [
        RawTrack(*track, table[:, begin:end]) for track, begin, end in zip(tracks, cuts[:-1], cuts[1:], strict=True)
    ]
