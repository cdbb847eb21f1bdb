"""Steps that start runs of other deployments: what is stored starts none, crashes are tried again, errors are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow
from prefect.states import Completed, Crashed, Failed, State

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import DamagedArtifactError, OtherVersionError, StageFailedError
from rhapsody_lib.operations.orders import ordered
from rhapsody_lib.operations.recipes import backing_recipe, encoder_recipe
from rhapsody_lib.settings import Settings, load_settings
from tasks import pools

SETTINGS = Settings()


@pytest.fixture
def store(tmp_path) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def corpus(store) -> ArtifactRef:
    from rhapsody_lib.artifacts import Recipe

    return Store(store).build(Recipe("corpus", 1, {}, {}), lambda folder: (folder / "songs").write_text("la"))


@pytest.fixture
def runs(monkeypatch) -> list[tuple[str, dict[str, Any]]]:
    """Runs that were started; each ends as the next of `ends` says."""
    started: list[tuple[str, dict[str, Any]]] = []

    def start(deployment: str, parameters: dict[str, Any], name: str, key: str) -> SimpleNamespace:
        started.append((deployment, parameters))
        return SimpleNamespace(id="00000000-0000-0000-0000-000000000000", name=name)

    monkeypatch.setattr(pools, "start_run", start)
    return started


def ends(monkeypatch, *outcomes: Callable[[], State]) -> None:
    waiting = iter(outcomes)
    monkeypatch.setattr(pools, "follow", lambda *_: next(waiting)())


def built(store: str, recipe: Any) -> Callable[[], State]:
    def outcome() -> State:
        Store(store).build(recipe, lambda folder: (folder / "made").write_text("by a worker"))
        return Completed()

    return outcome


@flow(persist_result=False)
def encode(store: str) -> ArtifactRef:
    return pools.train_encoder(store, SETTINGS)


@flow(persist_result=False)
def back(store: str, corpus: ArtifactRef) -> ArtifactRef:
    return pools.train_backing(store, SETTINGS, corpus)


def test_a_step_starts_a_run_once_and_finds_what_it_made(store, runs, monkeypatch):
    recipe = encoder_recipe(SETTINGS)
    ends(monkeypatch, built(store, recipe))
    first, second = encode(store), encode(store)
    assert first == second == Store(store).find(recipe.kind, recipe.key)
    assert [name for name, _ in runs] == ["train-encoder/adhoc"]


def test_the_corpus_is_handed_on_to_an_encoder_that_is_tuned_and_to_no_other(store, corpus, runs, monkeypatch):
    @flow(persist_result=False)
    def tune(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
        return pools.train_encoder(store, settings, corpus)

    chosen = [Settings(), load_settings("fast", ["encoder.tuning=pairs"])]
    ends(monkeypatch, *(built(store, encoder_recipe(settings, corpus)) for settings in chosen))
    assert len({tune(store, settings, corpus) for settings in chosen}) == 2
    assert [parameters["order"]["corpus"] is not None for _, parameters in runs] == [False, True]


def test_a_crashed_run_is_started_again(store, runs, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr("prefect.task_engine.time", SimpleNamespace(**{**vars(time), "sleep": waits.append}))
    recipe = encoder_recipe(SETTINGS)
    ends(monkeypatch, Crashed, built(store, recipe))
    assert encode(store) == Store(store).find(recipe.kind, recipe.key)
    assert len(runs) == 2
    assert 0 < max(waits) <= pools.RETRY_DELAYS_S[0]


def test_a_failed_run_is_not_started_again_and_its_message_is_told(store, runs, monkeypatch):
    ends(monkeypatch, lambda: Failed(message="no songs"))
    with pytest.raises(StageFailedError, match=r"train-encoder/adhoc \(train-encoder \w{8}\) ended Failed: no songs"):
        encode(store)
    assert len(runs) == 1


def test_a_run_that_made_something_else_is_an_error(store, runs, monkeypatch):
    ends(monkeypatch, Completed)
    with pytest.raises(StageFailedError, match="does not hold what it made"):
        encode(store)


def test_a_damaged_input_is_told_apart_from_other_failures(store, corpus, runs, monkeypatch):
    def outcome() -> State:
        Store(store).remove("artifacts", corpus.kind, corpus.key)
        return Failed(message="whatever the worker said")

    ends(monkeypatch, outcome)
    with pytest.raises(DamagedArtifactError, match="its input was damaged"):
        back(store, corpus)


def test_the_order_names_the_inputs_and_the_key(store, corpus, runs, monkeypatch):
    recipe = backing_recipe(SETTINGS, corpus)
    ends(monkeypatch, built(store, recipe))
    back(store, corpus)
    order = runs[0][1]["order"]
    work = ordered(order, store, "fast", [])
    assert (work.settings, work.corpus, order["key"]) == (SETTINGS, corpus, recipe.key)
    work.check(backing_recipe, work.settings, corpus)


def test_a_worker_of_another_version_refuses_and_names_both(store, corpus, runs, monkeypatch):
    from rhapsody_lib.operations import recipes

    ends(monkeypatch, built(store, backing_recipe(SETTINGS, corpus)))
    back(store, corpus)
    order = runs[0][1]["order"]
    monkeypatch.setitem(recipes.STAGE_VERSIONS, "backing", 99)
    work = ordered(order, store, "fast", [])
    with pytest.raises(
        OtherVersionError, match=r'"backing": 99.*started by.*"backing": \d\b.*Install the same version'
    ):
        work.check(backing_recipe, work.settings, corpus)


def test_settings_that_a_worker_does_not_know_are_a_matter_of_versions(store):
    order = {"settings": {"lyrics": {"of_the_future": 1}}, "key": "1" * 64, "versions": {"rhapsody": "9.0"}}
    with pytest.raises(OtherVersionError, match=r"lyrics\.of_the_future.*Rhapsody 9\.0"):
        ordered(order, store, "fast", [])


def test_without_an_order_profile_and_changes_count(store):
    work = ordered(None, store, "fast", ["lyrics.max_epochs=3"], ["songs"])
    assert work.settings == load_settings("fast", ["lyrics.max_epochs=3"])
    assert (work.sources, work.corpus, work.encoder) == (("songs",), None, None)


def test_branches_run_at_the_same_time():
    meeting = threading.Barrier(3, timeout=20)
    assert pools.at_once(*[lambda i=i: (meeting.wait(), i)[1] for i in range(3)]) == [0, 1, 2]


def test_an_error_of_one_branch_is_raised_after_the_others_have_ended():
    ended = []

    def fails() -> None:
        raise StageFailedError("one")

    with pytest.raises(StageFailedError, match="one"):
        pools.at_once(fails, lambda: ended.append(1), lambda: ended.append(2))
    assert sorted(ended) == [1, 2]
