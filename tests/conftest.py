"""What all tests share: data folder, hypothesis without deadlines, no way to a real store or server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.trained import REPOSITORY, rhapsody, trained  # noqa: F401  (the last two are fixtures)

settings.register_profile("rhapsody", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("rhapsody")


DATASETS = Path(os.environ.get("RHAPSODY_DATASETS", REPOSITORY.parent / "shared" / "datasets"))


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of real songs and broken files; tests that need it skip where it is absent."""
    if not DATASETS.is_dir():
        pytest.skip("real datasets absent: set RHAPSODY_DATASETS to their folder")
    return DATASETS


@pytest.fixture(autouse=True)
def _own_store(tmp_path_factory, monkeypatch):
    """No test touches the user's store, or a Prefect server that is configured by chance."""
    monkeypatch.setenv("RHAPSODY_STORE", str(tmp_path_factory.mktemp("store")))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("DO_NOT_TRACK", "1")
