"""Piano rolls as pypianoroll writes them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

FAMILIES = (("Drums", 0, True), ("Piano", 0, False), ("Guitar", 24, False), ("Bass", 32, False), ("Strings", 48, False))
#: (step, pitch, steps, velocity) of a note.
RollNote = tuple[int, int, int, int]


def dense(notes: list[RollNote], steps: int) -> np.ndarray:
    """Notes merged by their maximum. Shape [steps x 128]."""
    roll = np.zeros((steps, 128), np.uint8)
    for start, pitch, length, velocity in notes:
        place = roll[start : start + length, pitch]
        np.maximum(place, velocity, out=place)
    return roll


def sparse(roll: np.ndarray) -> dict[str, np.ndarray]:
    """A matrix by compressed columns, as SciPy has them."""
    columns, rows = np.nonzero(roll.T)
    return {
        "data": roll.T[columns, rows],
        "indices": rows.astype(np.int32),
        "indptr": np.searchsorted(columns, np.arange(129)).astype(np.int32),
        "shape": np.array(roll.shape, np.int64),
    }


def roll_arrays(parts: dict[str, list[RollNote]], steps: int) -> dict[str, np.ndarray]:
    """The arrays of a file of five families; those without notes have the shape (0, 128)."""
    arrays: dict[str, np.ndarray] = {}
    for index, (name, _, _) in enumerate(FAMILIES):
        notes = parts.get(name, [])
        roll = dense(notes, steps) if notes else np.zeros((0, 128), bool)
        arrays |= {f"pianoroll_{index}_csc_{key}": value for key, value in sparse(roll).items()}
    return arrays


def info_json(**changes: Any) -> dict[str, Any]:
    tracks = {
        str(index): {"program": program, "is_drum": drum, "name": name}
        for index, (name, program, drum) in enumerate(FAMILIES)
    }
    return {"beat_resolution": 24, "name": "0" * 32, **tracks, **changes}


def npz_bytes(arrays: dict[str, np.ndarray], info: object = None) -> bytes:
    """An npz file with its info.json."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("info.json", json.dumps(info_json() if info is None else info))
    return stream.getvalue()


def tune() -> dict[str, list[RollNote]]:
    """Eight bars of 4/4: a bass note a bar, piano chords, drums on the beats."""
    bars = range(0, 8 * 96, 96)
    return {
        "Drums": [(start + beat * 24, 36, 1, 100) for start in bars for beat in range(4)],
        "Piano": [(start, pitch, 90, 80) for start in bars for pitch in (60, 64, 67)],
        "Bass": [(start, 36, 90, 90) for start in bars],
    }


def tune_bytes(*, tempo: np.ndarray | None = None, info: object = None) -> bytes:
    """The file of `tune`."""
    arrays = roll_arrays(tune(), 8 * 96)
    return npz_bytes({"tempo": np.full(8 * 96, 96.0) if tempo is None else tempo, **arrays}, info)
