"""`rhapsody base`: a base model's folder from songs, and a training that starts from it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from rhapsody_lib.backing import base as backing_base
from rhapsody_lib.corpus.songbook import read_song, songbook_files
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.lyrics.base import BASE_FILES, open_base
from rhapsody_lib.music.midi import score_to_midi
from rhapsody_lib.operations.base_backing import song_of
from tests.trained import SONGBOOK, TINY, rhapsody, songs_folder

__all__ = ["rhapsody"]


@pytest.mark.slow
def test_a_base_model_is_made_and_started_from(tmp_path, rhapsody):
    songs, store, out = songs_folder(tmp_path / "songs", each=4), str(tmp_path / "store"), tmp_path / "base"
    options = ("--profile", TINY, "--store", store, "--json")

    code, printed, _ = rhapsody("base", "lyrics", str(songs), "--out", str(out), *options)
    assert code == 0
    figures = json.loads(printed)
    base = open_base(str(out))
    assert figures["digest"] == base.digest
    assert figures["data"]["kept"]["songs"] >= 8
    card = (out / "card.md").read_text(encoding="utf-8")
    assert f"rhapsody base lyrics songs --out base --profile {TINY}" in card
    assert f"- songs: {figures['data']['kept']['songs']}\n" in card

    again = ("base", "lyrics", str(songs), "--out")
    code, _, _ = rhapsody(*again, str(out), *options)
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(BASE_FILES)

    code, _, told = rhapsody("base", "lyrics", "nowhere", "--out", str(tmp_path / "none"), *options)
    assert code == 2
    assert "nowhere" in told
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_a_base_model_of_music_is_made_from_midi_without_words(tmp_path, rhapsody):
    music, store, out = tmp_path / "music", str(tmp_path / "store"), tmp_path / "base"
    for number, path in enumerate(itertools.islice(songbook_files(SONGBOOK), 4)):
        (music / f"{number:03}").mkdir(parents=True)
        midi = score_to_midi(read_songbook_track(read_song(path)))
        (music / f"{number:03}" / f"{number:03}.mid").write_bytes(midi)
    (music / "broken.mid").write_bytes(b"no music")
    options = (
        "--profile",
        TINY,
        "--set",
        "corpus.heldout_share=0.4",
        "--set",
        "backing.epoch_tokens=4000",
        "--store",
        store,
        "--json",
    )

    code, printed, told = rhapsody("base", "backing", str(music), "--out", str(out), *options)
    assert code == 0, told
    figures = json.loads(printed)
    base = backing_base.open_base(str(out))
    assert base is not None
    assert figures["digest"] == base.digest
    assert figures["sources"] == {"music": 4}
    assert abs(figures["heldout_nll"]["stored"] - figures["heldout_nll"]["float32"]) < 0.05
    assert "rhapsody base backing music --out base" in (out / "card.md").read_text(encoding="utf-8")

    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, told = rhapsody("base", "backing", str(empty), "--out", str(tmp_path / "none"), *options)
    assert code == 2
    assert "no MIDI files" in told


def test_versions_of_a_song_are_one_song():
    root = Path("pop")
    assert song_of(root / "001" / "001.mid", root) == "001"
    assert song_of(root / "001" / "versions" / "001-v2.mid", root) == "001"
    assert song_of(root / "flat.mid", root) == "flat"
