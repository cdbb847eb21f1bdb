"""Rolling back and `rhapsody doctor` on releases whose models are gone, damaged or of an older format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rhapsody_lib import errors
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.operations import usable
from rhapsody_lib.release import live_release, publish_release, read_release, release_numbers
from rhapsody_lib.retrieval.layout import CARD_FILE


@pytest.fixture
def store(trained, tmp_path) -> Store:
    """Two releases of the same models, so that there is one to go back to."""
    shutil.copytree(trained.store, tmp_path / "store")
    store = Store(str(tmp_path / "store"))
    publish_release(store, live_release(store).refs, {}, reason="second")
    return store


def folder_of(store: Store, kind: str) -> Path:
    ref = read_release(store, 1).refs[kind]
    return Path(store.path_of("artifacts", kind, ref.key, store.manifest(ref)["data"]))


def spoil(path: Path) -> None:
    """As a disk does: the same size, other bytes."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def of_older_layout(store: Store) -> ArtifactRef:
    """The catalogue as an older Rhapsody published it: every digest is right."""
    old = folder_of(store, "catalogue")

    def make(folder: Path) -> None:
        shutil.copytree(old, folder, dirs_exist_ok=True)
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        (folder / CARD_FILE).write_text(json.dumps({**card, "layout": 1}), encoding="utf-8")

    return store.build(Recipe("catalogue", 1, {}, {}), make)


def test_a_release_that_songs_can_be_made_from_is_rolled_back_to(rhapsody, store):
    code, _, stderr = rhapsody("releases", "rollback", "--store", store.root)
    assert code == 0, stderr
    assert "Release 2 was live before. Release 3 is 1 again." in stderr
    assert "not opened" not in stderr


@pytest.mark.parametrize(
    ("kind", "name"), [("lyrics", "*.safetensors"), ("encoder", "*.onnx"), ("backing", "*"), ("corpus", "*.parquet")]
)
def test_a_release_with_a_damaged_file_is_not_published(rhapsody, store, kind, name):
    spoil(max(folder_of(store, kind).rglob(name), key=lambda path: path.stat().st_size))
    code, _, stderr = rhapsody("releases", "rollback", "--store", store.root)
    assert code == 6
    assert f"No song can be made from release 1: its {kind}: " in stderr
    assert release_numbers(store) == [1, 2]
    assert rhapsody("releases", "rollback", "--force", "--store", store.root)[0] == 0
    assert release_numbers(store) == [1, 2, 3]
    code, stdout, _ = rhapsody("doctor", "--store", store.root)
    assert code == 0, stdout  # the sizes are right, and nothing else is looked at
    code, stdout, _ = rhapsody("doctor", "--verify", "--store", store.root)
    assert (code, f"release 3: its {kind}: " in stdout) == (4, True)
    assert stdout.count("rhapsody train") == 1
    assert "verified   not whole, as said below; not opened: nothing" in stdout


def test_a_release_of_an_older_format_is_not_published(rhapsody, store):
    old = publish_release(store, {**live_release(store).refs, "catalogue": of_older_layout(store)}, {}, reason="old")
    publish_release(store, read_release(store, 1).refs, {}, reason="new")
    code, _, stderr = rhapsody("releases", "rollback", str(old.number), "--store", store.root)
    assert (code, "its layout is 1" in stderr) == (6, True)
    assert rhapsody("releases", "rollback", str(old.number), "--force", "--store", store.root)[0] == 0
    code, stdout, _ = rhapsody("doctor", "--verify", "--store", store.root)
    assert (code, "release 5: its catalogue: " in stdout, "its layout is 1" in stdout) == (4, True, True)


def test_what_this_machine_cannot_open_is_verified_and_said(rhapsody, store, monkeypatch):
    from rhapsody_lib.retrieval.serving import Encoder

    def lacking(*_: object, **__: object) -> None:
        raise errors.MissingExtraError("'onnxruntime' is not installed.")

    monkeypatch.setattr(Encoder, "load", lacking)
    code, _, stderr = rhapsody("releases", "rollback", "--store", store.root)
    assert code == 0, stderr
    assert "not opened: encoder ('onnxruntime' is not installed)" in " ".join(stderr.split())


def test_doctor_tells_what_of_the_live_release_is_gone(rhapsody, store):
    assert rhapsody("doctor", "--store", store.root)[0] == 0
    assert rhapsody("doctor", "--verify", "--store", store.root)[0] == 0
    weights = max(folder_of(store, "backing").iterdir(), key=lambda path: path.stat().st_size)
    weights.unlink()
    part = store.parts(live_release(store).refs["catalogue"])[0]
    store.remove("artifacts", *part)
    ref = live_release(store).refs["lyrics"]
    store.remove("artifacts", ref.kind, ref.key)
    code, stdout, _ = rhapsody("doctor", "--json", "--store", store.root)
    problems = json.loads(stdout)["release_problems"]
    assert code == 4
    assert sorted(problem.split(" (")[0] for problem in problems) == [
        "release 2: its backing is missing a file",
        "release 2: its catalogue is missing a part",
        "release 2: its lyrics is missing",
    ]
    assert "rhapsody releases rollback NUMBER" in problems[0]
    assert "its lyrics is missing" in rhapsody("doctor", "--store", store.root)[1]


def test_a_store_that_is_away_is_no_damaged_release(store, monkeypatch):
    def away(*_: object) -> None:
        raise errors.StoreAccessError("no rights")

    monkeypatch.setattr(Store, "fetch", away)
    with pytest.raises(errors.StoreAccessError):
        usable.check_usable(store, live_release(store))


def test_a_release_in_a_remote_store_is_fetched_and_opened(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("RHAPSODY_CACHE", str(tmp_path / "cache"))
    there = Store("memory://a-rollback")
    for folder in ("artifacts", "releases"):
        for path in sorted((Path(trained.store) / folder).rglob("*")):
            if path.is_file():
                there.write(path.read_bytes(), *path.relative_to(trained.store).parts)
    release = live_release(there)
    assert usable.missing_pieces(there, release) == []
    assert usable.check_usable(there, release) == usable.Opened((), ())
    ref = there.parts(release.refs["catalogue"])[0]
    there.remove("artifacts", *ref)
    shutil.rmtree(tmp_path / "cache")
    assert [text.split(" (")[0] for text in usable.missing_pieces(there, release)] == [
        "its catalogue is missing a part"
    ]
    with pytest.raises(errors.RefusedError, match=r"release 1: its catalogue: .*is gone"):
        usable.check_usable(there, release)
