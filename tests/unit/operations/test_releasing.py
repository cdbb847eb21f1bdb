"""Which artifacts may become the live release: not those that a person rolled back, and no release twice."""

from __future__ import annotations

import pytest

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import RefusedError
from rhapsody_lib.operations.releasing import refuse_rolled_back, release_models
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


def test_the_evaluation_is_kept_with_the_release(store):
    evaluation = store.build(
        Recipe("evaluation", 1, {}, {}),
        lambda folder: (folder / "evaluation.json").write_text('{"candidate": {"x": 1}}'),
    )
    release = release_models(store.root, artifacts(store, "a"), "first", evaluation, 0)
    assert release.figures["evaluation"] == {"candidate": {"x": 1}}
