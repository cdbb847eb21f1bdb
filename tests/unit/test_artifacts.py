"""The store: published whole or not at all, built once, never served stale or damaged."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib import lineage
from rhapsody_lib.artifacts import MANIFEST, STORE_VERSION, ArtifactRef, Recipe, Store, canonical_json
from rhapsody_lib.errors import DamagedArtifactError, StoreAccessError, StoreError
from rhapsody_lib.objects import process_name, put_if_absent

RECIPE = Recipe("lyrics", 1, {"epochs": 3}, {"corpus": "ab" * 32})


def write(text: str):
    def make(folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "weights.txt").write_text(text)
        (folder / "sub" / "vocabulary.json").write_text("[]")

    return make


def never(folder: Path) -> None:
    raise AssertionError("built although it was there")


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path) -> Store:
    root = str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path.name}/store"
    return Store(root, scratch=tmp_path / "scratch")


def test_an_artifact_is_built_once_and_read_back(store):
    first = store.build(RECIPE, write("one"))
    assert store.build(RECIPE, never) == first
    folder = store.fetch(first)
    assert (folder / "weights.txt").read_text() == "one"
    assert (folder / "sub" / "vocabulary.json").read_text() == "[]"
    assert list(store.artifacts()) == [first]


def test_a_failed_build_leaves_nothing(store):
    def fail(folder: Path) -> None:
        (folder / "weights.txt").write_text("half")
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        store.build(RECIPE, fail)
    assert store.find(RECIPE.kind, RECIPE.key) is None
    assert not list((store.scratch / "building").iterdir())


def test_the_first_writer_wins(store):
    def slow(folder: Path) -> None:
        store.build(RECIPE, write("first"))
        (folder / "weights.txt").write_text("second")

    ref = store.build(RECIPE, slow)
    assert (store.fetch(ref) / "weights.txt").read_text() == "first"


@pytest.mark.parametrize("damage", ["change", "truncate", "remove"])
def test_a_damaged_file_is_noticed_and_built_again(tmp_path, damage):
    store = Store(str(tmp_path / "store"))
    ref = store.build(RECIPE, write("whole"))
    path = store.fetch(ref) / "weights.txt"
    if damage == "remove":
        path.unlink()
    else:
        path.write_text("WHOLE" if damage == "change" else "wh")
    with pytest.raises(DamagedArtifactError, match=r"weights\.txt.*rhapsody train"):
        store.fetch(ref)
    assert (store.fetch(store.build(RECIPE, write("whole"))) / "weights.txt").read_text() == "whole"


def test_a_damaged_file_of_a_remote_store_is_never_served(tmp_path):
    store = Store(f"memory://{tmp_path.name}/damaged", scratch=tmp_path)
    ref = store.build(RECIPE, write("whole"))
    data = store.manifest(ref)["data"]
    store.fs.pipe_file(store.path_of("artifacts", ref.kind, ref.key, data, "weights.txt"), b"WHOLE")
    with pytest.raises(DamagedArtifactError):
        store.fetch(ref)
    with pytest.raises(DamagedArtifactError):
        store.fetch(ref)


def test_a_folder_without_manifest_is_no_artifact(tmp_path):
    store = Store(str(tmp_path / "store"))
    ref = store.build(RECIPE, write("one"))
    (store.fetch(ref).parent / MANIFEST).unlink()
    assert store.find(ref.kind, ref.key) is None
    assert store.build(RECIPE, write("two")).key == ref.key


def test_what_a_killed_process_left_is_swept(tmp_path):
    store = Store(str(tmp_path / "store"))
    host, own = process_name().split(".")
    dead, alive, elsewhere = (
        store.scratch / "building" / f"lyrics-abc-def-{owner}"
        for owner in (f"{host}.999999999", f"{host}.{own}", "0badcafe.999999999")
    )
    for folder in (dead, alive, elsewhere):
        folder.mkdir(parents=True)
    store.build(RECIPE, write("one"))
    assert not dead.exists()
    assert alive.exists()
    assert elsewhere.exists()


def damage(store: Store, ref: ArtifactRef) -> None:
    data = store.manifest(ref)["data"]
    store.write(b"WHOLE", "artifacts", ref.kind, ref.key, data, "weights.txt")


@pytest.mark.parametrize(
    ("method", "call"), [("_second_look", 1), ("manifest", 2), ("modified", 2)], ids=["found", "looked", "set aside"]
)
def test_what_another_process_built_again_meanwhile_is_left_alone(store, tmp_path, monkeypatch, method, call):
    """Just before this call of a method, another process that saw the same damage has already mended it."""
    rival = Store(store.root, scratch=tmp_path / "rival")
    ref = store.build(RECIPE, write("whole"))
    damage(store, ref)
    plain, calls = getattr(store, method), []

    def mended_first(*args):
        calls.append(args)
        if len(calls) == call:
            assert rival.build(RECIPE, write("whole")) == ref
        return plain(*args)

    monkeypatch.setattr(store, method, mended_first)
    store.intact(RECIPE)
    assert len(calls) >= call
    assert (rival.fetch(ref) / "weights.txt").read_text() == "whole"
    assert len({entry.name.split("/")[0] for entry in store.listing("damaged")}) == 1


def test_a_remote_artifact_built_again_during_its_copy_is_left_alone(tmp_path, monkeypatch):
    store = Store(f"memory://{tmp_path.name}/store", scratch=tmp_path / "own")
    rival = Store(store.root, scratch=tmp_path / "rival")
    ref = store.build(RECIPE, write("whole"))
    damage(store, ref)
    copy = store.copy

    def late(*args):
        copy(*args)
        assert rival.build(RECIPE, write("whole")) == ref

    monkeypatch.setattr(store, "copy", late)
    assert store.intact(RECIPE) is None
    assert (rival.fetch(ref) / "weights.txt").read_text() == "whole"
    assert len({entry.name.split("/")[0] for entry in store.listing("damaged")}) == 1


def test_what_was_damaged_is_built_because_it_was(store):
    damage(store, store.build(RECIPE, write("whole")))
    assert store.provenance(store.build(RECIPE, write("whole"))).because == lineage.DAMAGED


def test_a_damaged_artifact_is_kept_for_a_person_to_look_at(store):
    ref = store.build(RECIPE, write("whole"))
    damage(store, ref)
    assert store.build(RECIPE, write("other")).key == ref.key
    (aside,) = {entry.name.split("/")[0] for entry in store.listing("damaged")}
    names = {entry.name.rpartition("/")[2] for entry in store.listing("damaged", aside)}
    assert names == {"weights.txt", "vocabulary.json", "manifest.json", "provenance.json"}
    assert (store.fetch(store.find(ref.kind, ref.key)) / "weights.txt").read_text() == "other"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": {}}', "\x00"])
def test_a_damaged_manifest_is_noticed_and_built_again(tmp_path, content):
    store = Store(str(tmp_path / "store"))
    ref = store.build(RECIPE, write("whole"))
    (store.fetch(ref).parent / MANIFEST).write_text(content)
    for damaged in (ref, store.find(ref.kind, ref.key)):
        with pytest.raises(DamagedArtifactError, match="rhapsody train"):
            store.fetch(damaged)
    assert store.build(RECIPE, write("whole")) == ref


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "store.json").write_text(json.dumps({"store_version": STORE_VERSION + 1}))
    with pytest.raises(StoreError, match="newer Rhapsody"):
        Store(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"store_version": "x"}', "not json"])
def test_a_damaged_store_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "store.json").write_text(content)
    with pytest.raises(StoreError, match=r"store\.json|newer"):
        Store(str(tmp_path))


def test_a_root_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be written.*--store"):
        Store(str(tmp_path / "file" / "store"))


def test_a_store_that_became_read_only_is_one_clear_error(store, monkeypatch):
    def read_only(path: Path, **_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(StoreAccessError, match=r"'lyrics' cannot be built there .*Read-only.*RHAPSODY_STORE"):
        store.build(RECIPE, never)


def test_a_source_that_may_not_be_read_is_no_fault_of_the_store(store):
    def refused(_folder: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/songs/one.mid")

    with pytest.raises(PermissionError):
        store.build(RECIPE, refused)


def test_put_if_absent_keeps_the_first(store):
    path = store.path_of("releases.json")
    assert put_if_absent(store.fs, path, b"first")
    assert not put_if_absent(store.fs, path, b"second")
    assert store.fs.cat_file(path) == b"first"


settings = st.dictionaries(
    st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5), st.booleans()), max_size=4
)


@given(settings, settings)
def test_a_key_is_the_recipe(one, other):
    keys = [Recipe("lyrics", 1, values, {}).key for values in (one, dict(reversed(one.items())), other)]
    assert keys[0] == keys[1]
    assert (keys[0] == keys[2]) == (canonical_json(one) == canonical_json(other))


def test_every_part_of_a_recipe_changes_the_key():
    changed = [
        Recipe("backing", 1, {"epochs": 3}, {"corpus": "ab" * 32}),
        Recipe("lyrics", 2, {"epochs": 3}, {"corpus": "ab" * 32}),
        Recipe("lyrics", 1, {"epochs": 4}, {"corpus": "ab" * 32}),
        Recipe("lyrics", 1, {"epochs": 3}, {"corpus": "cd" * 32}),
    ]
    assert len({recipe.key for recipe in [RECIPE, *changed]}) == 5
