"""Which artifacts may become the live release: not those that a person rolled back, and no release twice."""

from __future__ import annotations

import pytest

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import RefusedError, StoreAccessError
from rhapsody_lib.operations.releasing import figures_of, newest_release, refuse_rolled_back, release_models
from rhapsody_lib.release import RELEASE_KINDS, release_numbers, rollback


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "store"))


def artifacts(store: Store, mark: str) -> dict[str, ArtifactRef]:
    return {
        kind: store.build(Recipe(kind, 1, {"mark": mark}, {}), lambda folder: (folder / "x").write_text(mark))
        for kind in RELEASE_KINDS
    }


def test_the_same_artifacts_are_released_once(store):
    refs = artifacts(store, "a")
    assert release_models(store.root, refs, "first") == release_models(store.root, refs, "again")
    assert release_numbers(store) == [1]


def test_what_was_rolled_back_is_refused_and_nothing_else(store):
    good, bad, other = (artifacts(store, mark) for mark in "abc")
    release_models(store.root, good, "first")
    release_models(store.root, bad, "second")
    refuse_rolled_back(store, bad)
    rollback(store)
    with pytest.raises(RefusedError, match="Release 2 was these very models and was rolled back"):
        refuse_rolled_back(store, bad)
    refuse_rolled_back(store, good)
    refuse_rolled_back(store, other)


def test_whoever_takes_a_rollback_back_says_nothing_against_what_it_restored(store):
    good, bad = (artifacts(store, mark) for mark in "ab")
    release_models(store.root, good, "first")
    release_models(store.root, bad, "second")
    rollback(store)
    rollback(store, 2)
    for refs in (good, bad):
        refuse_rolled_back(store, refs)
    rollback(store)
    refuse_rolled_back(store, good)
    with pytest.raises(RefusedError, match="Release 2 was these very models"):
        refuse_rolled_back(store, bad)


def test_two_rollbacks_refuse_all_that_they_undid(store):
    good, bad, worse = (artifacts(store, mark) for mark in "abc")
    for mark, refs in zip("abc", (good, bad, worse), strict=True):
        release_models(store.root, refs, mark)
    rollback(store)
    rollback(store)
    refuse_rolled_back(store, good)
    for refs in (bad, worse):
        with pytest.raises(RefusedError):
            refuse_rolled_back(store, refs)


def test_what_was_released_again_without_the_gate_is_refused_no_more(store):
    good, bad = (artifacts(store, mark) for mark in "ab")
    release_models(store.root, good, "first")
    release_models(store.root, bad, "second")
    rollback(store)
    release_models(store.root, bad, "all the same")
    refuse_rolled_back(store, bad)


def test_the_evaluation_is_kept_with_the_release(store):
    evaluation = store.build(
        Recipe("evaluation", 1, {}, {}),
        lambda folder: (folder / "evaluation.json").write_text('{"candidate": {"x": 1}}'),
    )
    release = release_models(store.root, artifacts(store, "a"), "first", evaluation, 0)
    assert release.figures["evaluation"] == {"candidate": {"x": 1}}


def test_a_damaged_newest_release_is_replaced_by_the_next(store):
    release_models(store.root, artifacts(store, "a"), "first")
    store.fs.pipe_file(store.path_of("releases", "000001.json"), b"{")
    newest, live = newest_release(store)
    assert (newest, live) == (1, None)
    assert release_models(store.root, artifacts(store, "a"), "second", None, newest).number == 2


def test_a_store_that_refuses_is_not_a_store_without_a_release(store, monkeypatch):
    refs = artifacts(store, "a")
    release_models(store.root, refs, "first")

    def refuse(*_: object) -> bytes:
        raise StoreAccessError("no rights")

    monkeypatch.setattr(Store, "read", refuse)
    for look in (newest_release, lambda opened: refuse_rolled_back(opened, refs)):
        with pytest.raises(StoreAccessError):
            look(store)


def test_figures_of_a_model_that_diverged_can_be_released(store):
    def make(folder):
        (folder / "metrics.json").write_text('{"loss": NaN, "best": Infinity, "history": [{"loss": NaN}], "songs": 3}')

    refs = artifacts(store, "a") | {"lyrics": store.build(Recipe("lyrics", 1, {}, {}), make)}
    expected = {"loss": None, "best": None, "history": [{"loss": None}], "songs": 3}
    assert figures_of(store.root, refs) == {"lyrics": expected}
    assert release_models(store.root, refs, "first").figures["lyrics"] == expected
