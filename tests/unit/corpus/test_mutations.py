"""Files broken at random: the run ends and accounts for every one of them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rhapsody_lib.corpus.found import Found
from rhapsody_lib.settings import CorpusSettings
from tests.mutations import write_mutated
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes, pack_mxl, sung_measures, xml_score
from tests.watched import read_watched

FILES = 240
MEMORY_MB = 300


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small good file of each kind."""
    folder = tmp_path_factory.mktemp("good")
    sheet = xml_score(sung_measures(WORDS))
    (folder / "song.mid").write_bytes(midi_bytes(WORDS))
    (folder / "song.kar").write_bytes(midi_bytes(WORDS))
    (folder / "song.musicxml").write_text(sheet)
    pack_mxl(folder / "song.mxl", sheet)
    rows = [f'/ann/,Song {number},/ann/{number}.html,"{WORDS}\n\n{WORDS}",en' for number in range(5)]
    (folder / "song.csv").write_text("\n".join(["ALink,SName,SLink,Lyric,language", *rows, ""]))
    (folder / "song.npz").write_bytes(_roll())
    return sorted(folder.iterdir())


def _roll() -> bytes:
    """A piano roll of one track in the format of pypianoroll 0.x."""
    roll = np.zeros((128, 96), np.uint8)
    roll[60, :48] = roll[64, 48:] = 90
    columns, indices = np.nonzero(roll)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(columns, minlength=128))])
    parts = {"data": roll[columns, indices], "indices": indices.astype(np.int32), "indptr": pointers.astype(np.int32)}
    arrays = {f"pianoroll_0_csc_{name}": values for name, values in parts.items()}
    arrays |= {"pianoroll_0_csc_shape": np.array([96, 128]), "tempo": np.full(96, 120.0)}
    info = {"beat_resolution": 24, "name": "x", "0": {"program": 0, "is_drum": False, "name": "Piano"}}
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("info.json", json.dumps(info))
    return out.getvalue()


def test_every_mutated_file_is_read_or_rejected(good: list[Path], tmp_path: Path) -> None:
    names = write_mutated(tmp_path / "mutated", good, FILES, seed=7)
    watched = read_watched(tmp_path / "mutated", CorpusSettings())
    told = {path.partition("#")[0] for path in watched.items}
    assert told == set(names)
    assert watched.rejected("crashed", "timeout") == {}
    assert max(watched.peak_mb.values()) < MEMORY_MB
    assert sum(isinstance(item, Found) for item in watched.items.values()) > FILES / 10  # it is no folder of noise


def test_mutations_are_the_same_for_the_same_seed_and_change_the_files(good: list[Path], tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    names = write_mutated(first, good, 24, seed=3)
    assert write_mutated(second, good, 24, seed=3) == names
    contents = [(first / name).read_bytes() for name in names]
    assert contents == [(second / name).read_bytes() for name in names]
    originals = {path.read_bytes() for path in good}
    assert sum(content not in originals for content in contents) >= 20
