"""What the command does with releases: which is live, and what a song may replace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import cli
from flows.cli_releases import releases_app
from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.errors import RefusedError
from rhapsody_lib.release import RELEASE_KINDS, publish_release


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def publish(store: Store, mark: str) -> None:
    def make(folder: Path) -> None:
        (folder / "weights").write_text(mark)

    refs = {kind: store.build(Recipe(kind, 1, {"mark": mark}, {}), make) for kind in RELEASE_KINDS}
    publish_release(store, refs, {}, reason=mark)


def test_only_the_newest_release_is_called_live(store: Store) -> None:
    publish(store, "a")
    assert "a (live)" in CliRunner().invoke(releases_app, ["list", "--store", store.root]).output
    publish(store, "b")
    store.fs.pipe_file(store.path_of("releases", "000002.json"), b"{")
    found = CliRunner().invoke(releases_app, ["list", "--store", store.root])
    assert "(live)" not in found.output
    assert found.exit_code == 4


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each training that a song asked for went through the gate, which refuses all."""
    found: list[bool] = []

    def train(*_: Any, gate: bool) -> None:
        found.append(gate)
        raise RefusedError("Not released: worse.")

    monkeypatch.setattr(cli, "_train", train)
    return found


def test_a_song_with_other_settings_replaces_no_release_that_others_use(gates: list[bool]) -> None:
    shared = Store("memory://songs-with-other-settings")
    with pytest.raises(RefusedError):
        cli._release_for(shared.root, "", ["seed=2"], None)
    publish(shared, "a")
    with pytest.raises(RefusedError) as refusal:
        cli._release_for(shared.root, "", ["seed=2"], None)
    assert gates == [False, True]
    assert f"'rhapsody train songbook --store {shared.root} --set seed=2 --no-gate'" in str(refusal.value)


def test_in_a_store_of_ones_own_a_song_takes_the_models_it_asks_for(store: Store, gates: list[bool]) -> None:
    publish(store, "a")
    with pytest.raises(RefusedError):
        cli._release_for(store.root, "", ["seed=2"], None)
    assert gates == [False]
