"""A state outlives its worker, a damaged one is told, and a store that is away costs no training."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.checkpoints import FOLDER, Checkpoint, processor, tell_of_going_on

RECIPE = Recipe("lyrics", 1, {"size": 4}, {"corpus": "abc"})


def writer(text: str):  # type: ignore[no-untyped-def]
    return lambda path: path.write_text(text)


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "store") if request.param == "local" else f"memory://{tmp_path.name}/store"


def worker(root: str, tmp_path: Path, name: str) -> Checkpoint:
    """The checkpoint as a worker with a scratch folder of its own sees it."""
    return Checkpoint.of(Store(root, scratch=tmp_path / name), RECIPE)


def states(root: str, tmp_path: Path) -> list[str]:
    store = Store(root, scratch=tmp_path / "looker")
    return sorted(store.fs.glob(store.path_of(FOLDER, f"lyrics-{RECIPE.key}", "*")))


def test_another_worker_goes_on_from_the_newest_state(root: str, tmp_path: Path) -> None:
    first = worker(root, tmp_path, "one")
    assert first.latest() is None
    for epoch in (1, 2, 3):
        first.save(epoch, writer(f"epoch {epoch}"))
    found = worker(root, tmp_path, "two").latest()
    assert found is not None
    assert found.read_text() == "epoch 3"
    assert [Path(name).name[:6] for name in states(root, tmp_path)] == ["000002", "000003"]


@pytest.mark.parametrize("damage", [b"", b"epoch", b"something else"])
def test_a_damaged_state_falls_back_to_the_one_before(root: str, tmp_path: Path, damage: bytes, caplog: Any) -> None:
    first = worker(root, tmp_path, "one")
    for epoch in (4, 5):
        first.save(epoch, writer(f"epoch {epoch}"))
    store = Store(root, scratch=tmp_path / "looker")
    store.fs.pipe_file(states(root, tmp_path)[-1], damage)
    second = worker(root, tmp_path, "two")
    found = second.latest()
    assert found is not None
    assert found.read_text() == "epoch 4"
    assert "damaged or gone" in caplog.text
    # The epoch that is done again puts a whole state where the damaged one is.
    second.save(5, writer("epoch 5"))
    found = worker(root, tmp_path, "three").latest()
    assert found is not None
    assert found.read_text() == "epoch 5"


def test_two_builders_of_one_epoch_do_not_overwrite_each_other(root: str, tmp_path: Path) -> None:
    one, two = worker(root, tmp_path, "one"), worker(root, tmp_path, "two")
    one.save(1, writer("here"))
    two.save(1, writer("there"))
    found = worker(root, tmp_path, "three").latest()
    assert found is not None
    assert len(states(root, tmp_path)) == 2
    assert found.read_text() in ("here", "there")


def test_nothing_is_left_after_publication(root: str, tmp_path: Path) -> None:
    first = worker(root, tmp_path, "one")
    first.save(1, writer("epoch 1"))
    first.clear()
    first.clear()
    assert states(root, tmp_path) == []
    assert worker(root, tmp_path, "one").latest() is None


def test_what_another_worker_finished_does_not_lie_about_for_ever(tmp_path: Path) -> None:
    root = f"memory://{tmp_path.name}/forgotten"
    worker(root, tmp_path, "one").save(1, writer("epoch 1"))
    left = tmp_path / "one" / FOLDER / f"lyrics-{RECIPE.key}"
    other = Checkpoint.of(Store(root, scratch=tmp_path / "one"), Recipe("backing", 1, {}, {}))
    other.clear()
    assert left.is_dir()
    os.utime(left, (0, 0))
    other.clear()
    assert not left.exists()


def test_a_store_that_is_away_costs_no_state(tmp_path: Path, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setenv("RHAPSODY_STORE_PATIENCE_S", "0")
    root = f"memory://{tmp_path.name}/away"
    store = Store(root, scratch=tmp_path / "one")
    checkpoint = Checkpoint.of(store, RECIPE)
    checkpoint.save(1, writer("epoch 1"))

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "refused")

    with monkeypatch.context() as patch:
        patch.setattr(type(store.fs), "put_file", refuse)
        checkpoint.save(2, writer("epoch 2"))
    assert "Training goes on" in caplog.text
    here, elsewhere = Checkpoint.of(store, RECIPE).latest(), worker(root, tmp_path, "two").latest()
    assert here is not None and here.read_text() == "epoch 2"
    assert elsewhere is not None and elsewhere.read_text() == "epoch 1"
    checkpoint.save(3, writer("epoch 3"))
    elsewhere = worker(root, tmp_path, "two").latest()
    assert elsewhere is not None and elsewhere.read_text() == "epoch 3"


def test_a_full_disk_costs_no_training(tmp_path: Path, caplog: Any) -> None:
    def full(path: Path) -> None:
        path.write_text("half a st")
        raise OSError(28, "No space left on device")

    checkpoint = Checkpoint.local(tmp_path / "states")
    checkpoint.save(1, full)
    assert "No space left" in caplog.text
    assert checkpoint.latest() is None
    assert list((tmp_path / "states").iterdir()) == []


@settings(max_examples=25)
@given(epochs=st.lists(st.integers(0, 999_999), min_size=1, max_size=6))
def test_the_two_highest_epochs_are_kept(tmp_path_factory: pytest.TempPathFactory, epochs: list[int]) -> None:
    folder = tmp_path_factory.mktemp("states")
    checkpoint = Checkpoint.local(folder)
    for epoch in epochs:
        checkpoint.save(epoch, writer(str(epoch)))
    kept = sorted(set(epochs))[-2:]
    assert sorted(int(path.name[:6]) for path in folder.iterdir()) == kept
    latest = checkpoint.latest()
    assert latest is not None
    assert latest.read_text() == str(max(epochs))


def test_a_training_that_goes_on_says_so(caplog: Any) -> None:
    with caplog.at_level(logging.INFO):
        tell_of_going_on("lyrics", 31, {}, {})
    assert [record.getMessage() for record in caplog.records] == ["lyrics: going on after epoch 31"]


def test_another_kind_of_machine_is_named(caplog: Any) -> None:
    now = {"device": "cpu", "processor": processor()}
    with caplog.at_level(logging.WARNING):
        tell_of_going_on("lyrics", 3, dict(now), now)
        assert caplog.text == ""
        tell_of_going_on("lyrics", 3, {**now, "device": "A100"}, now)
    assert "after epoch 3" in caplog.text
    assert "device A100 -> cpu" in caplog.text
    assert "processor" not in caplog.text.split("device")[1]
