"""`rhapsody base`: a base model's folder from songs, and a training that starts from it."""

from __future__ import annotations

import json

import pytest

from rhapsody_lib.lyrics.base import open_base
from tests.trained import TINY, rhapsody, songs_folder

__all__ = ["rhapsody"]


@pytest.mark.slow
def test_a_base_model_is_made_and_started_from(tmp_path, rhapsody):
    songs, store, out = songs_folder(tmp_path / "songs", each=4), str(tmp_path / "store"), tmp_path / "base"
    options = ("--profile", TINY, "--store", store, "--json")

    code, printed, _ = rhapsody("base", str(songs), "--out", str(out), *options)
    assert code == 0
    figures = json.loads(printed)
    base = open_base(str(out))
    assert figures["digest"] == base.digest
    assert figures["data"]["poems"] >= 8
    assert f"rhapsody base songs --out base --profile {TINY}" in (out / "card.md").read_text(encoding="utf-8")

    code, _, told = rhapsody("base", "nowhere", "--out", str(tmp_path / "none"), *options)
    assert code == 2
    assert "nowhere" in told
    assert not (tmp_path / "none").exists()
