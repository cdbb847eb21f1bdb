"""Recipes depend on what things are, not on where they lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rhapsody_lib import hashing
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.errors import InputError
from rhapsody_lib.hashing import file_sha256, known_sha256
from rhapsody_lib.operations.recipes import encoder_recipe
from rhapsody_lib.settings import EncoderSettings, LyricsSettings, Settings


def encoder(model: str) -> Settings:
    return Settings(encoder=EncoderSettings(model=model))


def test_a_model_given_as_a_folder_is_known_by_its_contents(tmp_path: Path) -> None:
    for name, weights in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weights)
    keys = [encoder_recipe(encoder(str(tmp_path / name))).key for name in "abc"]
    assert keys[0] == keys[1] != keys[2]


def test_a_folder_that_this_machine_does_not_see_is_refused_and_a_name_is_not(tmp_path: Path) -> None:
    for model in (str(tmp_path / "gone"), "./gone", "~/gone", "../gone"):
        with pytest.raises(InputError, match="no such folder on this machine"):
            encoder_recipe(encoder(model))
    assert encoder_recipe(encoder("sentence-transformers/all-MiniLM-L6-v2")).inputs == {}


def test_only_a_tuned_encoder_depends_on_its_corpus_and_the_tuning(tmp_path: Path) -> None:
    one, other = (ArtifactRef(kind="corpus", key=key * 64, uri="x", sha256=key * 64) for key in "ab")
    plain = Settings(seed=1, encoder=EncoderSettings(epoch_songs=7))
    assert encoder_recipe(plain, one) == encoder_recipe(plain) == encoder_recipe(Settings())
    tuned = Settings(encoder=EncoderSettings(tuning="pairs"))
    keys = {encoder_recipe(tuned, corpus).key for corpus in (one, other)}
    keys |= {encoder_recipe(Settings(seed=1, encoder=tuned.encoder), one).key, encoder_recipe(plain).key}
    keys |= {encoder_recipe(Settings(encoder=EncoderSettings(tuning="pairs", epoch_songs=7)), one).key}
    assert len(keys) == 5
    assert encoder_recipe(tuned, one).inputs == {"corpus": "a" * 64}
    written = Settings(encoder=EncoderSettings(tuning="pairs", generated_pairs=9))
    by_another = Settings(encoder=written.encoder, lyrics=LyricsSettings(max_epochs=1))
    assert len({encoder_recipe(each, one).key for each in (tuned, written, by_another)}) == 3
    assert not EncoderSettings(tuning="pairs", max_epochs=0).tunes
    with pytest.raises(InputError, match=r"encoder\.tuning=none"):
        encoder_recipe(tuned)


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_digests", {})
    monkeypatch.setattr(hashing, "_TICK_NS", -(10**12))  # as if the file were long unchanged
    read: list[Path] = []
    monkeypatch.setattr(hashing, "file_sha256", lambda path: read.append(path) or file_sha256(path))
    path = tmp_path / "song.txt"
    path.write_text("la")
    first = known_sha256(path)
    assert (known_sha256(path), len(read)) == (first, 1)
    stat = path.stat()
    path.write_text("lo")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size and mtime: ctime tells
    assert known_sha256(path) == file_sha256(path) != first
    assert len(read) == 2


def test_a_file_changed_just_now_is_not_taken_as_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_digests", {})
    path = tmp_path / "song.txt"
    path.write_text("la")
    known_sha256(path)
    assert hashing._digests == {}
