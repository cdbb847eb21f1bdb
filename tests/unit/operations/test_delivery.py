"""Addresses of a song's files: given where they can be, and never a reason to lose the song."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.operations.delivery import song_addresses


def song(store: Store) -> ArtifactRef:
    return store.build(Recipe("song", 1, {}, {}), lambda folder: (folder / "song.mid").write_bytes(b"MThd"))


def test_files_in_a_folder_have_no_address(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert song_addresses(store.root, song(store)) == {}


def test_files_have_an_address_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(f"memory://{tmp_path.name}", scratch=tmp_path)
    ref = song(store)
    monkeypatch.setattr(type(store.fs), "sign", lambda self, path, expiration: f"https://store{path}?{expiration}")
    (address,) = song_addresses(store.root, ref).values()
    assert (
        address
        == f"https://store{store.path_of('artifacts', 'song', ref.key)}/{store.manifest(ref)['data']}/song.mid?604800"
    )


@pytest.mark.parametrize("error", [NotImplementedError("sign"), PermissionError(13, "no signing key")])
def test_a_song_whose_files_cannot_be_signed_is_made_all_the_same(tmp_path, monkeypatch, caplog, error) -> None:
    store = Store(f"memory://{tmp_path.name}", scratch=tmp_path)
    ref = song(store)

    def refused(self, path, expiration):
        raise error

    monkeypatch.setattr(type(store.fs), "sign", refused)
    assert song_addresses(store.root, ref) == {}
    assert "the song is made" in caplog.text
