"""A base model of music: what is kept of it, what a training takes from it, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rhapsody_lib.backing.base import (
    READ_FILE,
    BackingBase,
    base_digest,
    open_base,
    save_base,
)
from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.copying import MelodyIndex
from rhapsody_lib.backing.dataset import song_mark
from rhapsody_lib.backing.tokens import HEADER_TOKENS
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.base_files import QUANTISED_FILE
from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.settings import BackingSettings

EMBEDDING, HIDDEN = 8, 12


def _mark(seed: int, header: int = 1) -> str:
    ids = np.random.default_rng(seed).integers(20, 300, size=40).astype(np.int16)
    ids[:HEADER_TOKENS] = header
    return song_mark(ids)


MELODIES = MelodyIndex.build([[(0, 60), (4, 62), (8, 64)]], [])


def _weights(size: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = {
        "embedding.weight": (COLUMNS * size, EMBEDDING),
        "gru.weight_ih_l0": (3 * HIDDEN, EMBEDDING),
        "gru.weight_hh_l0": (3 * HIDDEN, HIDDEN),
        "gru.bias_ih_l0": (3 * HIDDEN,),
        "gru.bias_hh_l0": (3 * HIDDEN,),
        "output.weight": (size, HIDDEN + EMBEDDING),
        "output.bias": (size,),
    }
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vocabulary = Vocabulary(("folk", "rock"))
    save_base(tmp_path / "base", vocabulary, _weights(len(vocabulary)), [_mark(1), _mark(2)], MELODIES)
    return tmp_path / "base"


def _opened(folder: Path) -> BackingBase:
    base = open_base(str(folder))
    assert base is not None
    return base


def test_weights_come_back_within_half_a_level(folder: Path) -> None:
    base = _opened(folder)
    for name, array in _weights(len(base.vocabulary)).items():
        step = np.abs(array).max(axis=-1, keepdims=True) / 127 if array.ndim > 1 else 0.0
        assert (np.abs(base.weights[name] - array) <= 0.51 * step).all()
    sized = base.sized(BackingSettings(hidden_size=64, layers=2, dropout=0.3))
    assert (sized.embedding_size, sized.hidden_size, sized.layers, sized.dropout) == (EMBEDDING, HIDDEN, 1, 0.3)


def test_tokens_keep_their_weights_under_other_styles(folder: Path) -> None:
    base, other = _opened(folder), Vocabulary(("rock", "salsa", "waltz"))
    weights = base.weights_for(other)
    assert weights["embedding.weight"].shape == (COLUMNS * len(other), EMBEDDING)
    own, old = (
        array.reshape(COLUMNS, -1, EMBEDDING)
        for array in (weights["embedding.weight"], base.weights["embedding.weight"])
    )
    for name in ("Bar_1", "Melody_60", "Style_rock", "Style_other"):
        new, before = other.names.index(name), base.vocabulary.names.index(name)
        assert (own[:, new] == old[:, before]).all()
        assert (weights["output.weight"][new] == base.weights["output.weight"][before]).all()
    unknown, rest = other.style("salsa"), base.vocabulary.style("other")
    assert (own[:, unknown] == old[:, rest]).all()


def test_a_song_is_known_in_any_style(folder: Path) -> None:
    base = _opened(folder)
    assert _mark(1, header=9) in base.read
    assert _mark(3) not in base.read
    assert base.melodies.tolist() == MELODIES.codes.tolist()


def test_the_digest_is_of_the_contents(folder: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    weights = _weights(len(Vocabulary(("folk", "rock"))))
    save_base(twin, Vocabulary(("folk", "rock")), weights, [_mark(2), _mark(1)], MELODIES)
    assert base_digest(str(twin)) == base_digest(str(folder)) != ""
    (twin / READ_FILE).write_text(json.dumps([]), encoding="utf-8")
    assert base_digest(str(twin)) != base_digest(str(folder))
    assert base_digest("none") == ""
    assert open_base("none") is None


def test_what_is_no_base_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"backing\.base 'packaged'.*Use 'none'.*'rhapsody base backing'"):
        open_base("packaged")
    with pytest.raises(InputError, match="nowhere"):
        base_digest(str(tmp_path / "nowhere"))
    (folder / READ_FILE).unlink()
    with pytest.raises(DamagedArtifactError, match="Make it again"):
        open_base(str(folder))
    (folder / READ_FILE).write_text("[]", encoding="utf-8")
    (folder / QUANTISED_FILE).write_bytes(b"no weights")
    with pytest.raises(DamagedArtifactError, match="Make it again"):
        open_base(str(folder))
