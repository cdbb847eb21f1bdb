"""A flow's task is Cached exactly while the store holds the artifact of its recipe."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import TaskRunSort

import tasks
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.operations import recipes
from rhapsody_lib.settings import Settings, load_settings


@pytest.fixture
def built(monkeypatch) -> list[str]:
    """Stands in for the sentence encoder's export, which is slow; tells how often it was made."""
    import rhapsody_lib.retrieval.encoder as module

    made: list[str] = []

    def build_encoder(out: Path, settings, *, progress=None) -> dict[str, object]:
        made.append(settings.model)
        (out / "encoder.onnx").write_text(settings.model)
        return {}

    monkeypatch.setattr(module, "build_encoder", build_encoder)
    return made


@flow(persist_result=False)
def encode(store: str, settings: Settings) -> ArtifactRef:
    return tasks.train_encoder(store, settings)


async def _state_of_last_task() -> str:
    async with get_client() as client:
        runs = await client.read_task_runs(sort=TaskRunSort.END_TIME_DESC, limit=1)
    return runs[0].state_name


def state_after(store: str, settings: Settings) -> str:
    encode(store, settings)
    return asyncio.run(_state_of_last_task())


def test_a_repeated_task_is_cached_until_its_artifact_is_gone(tmp_path, built):
    store, settings = str(tmp_path / "store"), Settings()
    assert state_after(store, settings) == "Completed"
    assert state_after(store, settings) == "Cached"
    assert built == ["offline"]

    recipe = recipes.encoder_recipe(settings)
    shutil.rmtree(Store(store).path_of("artifacts", recipe.kind, recipe.key))
    assert state_after(store, settings) == "Completed"
    assert state_after(store, settings) == "Cached"
    assert built == ["offline", "offline"]


def test_a_changed_setting_is_built_anew(tmp_path, built):
    store = str(tmp_path / "store")
    encode(store, Settings())
    ref = encode(store, load_settings("fast", ["encoder.model=another"]))
    assert built == ["offline", "another"]
    assert (Store(store).fetch(ref) / "encoder.onnx").read_text() == "another"
