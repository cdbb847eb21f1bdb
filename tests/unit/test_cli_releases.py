"""What the command does with releases: which is live, and what a song may replace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows import cli
from flows.cli_releases import releases_app
from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.errors import RefusedError
from rhapsody_lib.release import RELEASE_KINDS, publish_release
from rhapsody_lib.settings import load_settings


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


def test_a_release_says_when_and_of_what_and_how_it_was_trained(store: Store) -> None:
    def make(folder: Path) -> None:
        (folder / "summary.json").write_text('{"sources": {"songbook": {}, "my songs": {}}}')

    changed = load_settings("full", ["lyrics.max_epochs=3"]).model_dump(mode="json")
    refs = {kind: store.build(Recipe(kind, 1, {}, {}), make) for kind in RELEASE_KINDS}
    for kind in ("lyrics", "backing"):
        refs[kind] = store.build(Recipe(kind, 1, {kind: changed[kind], "seed": 0}, {}), make)
    publish_release(store, refs, {}, reason="a")
    os.utime(store.path_of("releases", "000001.json"), (0, 0))
    listed = CliRunner().invoke(releases_app, ["list", "--store", store.root]).output
    assert listed == "   1  1970-01-01 00:00 UTC  a (live), trained on songbook, my songs\n"
    shown = CliRunner().invoke(releases_app, ["show", "--store", store.root]).output
    assert "Release 1 (a, the first)" in shown
    assert "sources    songbook, my songs\n" in shown
    assert "settings   --profile full --set encoder.tuning=none --set lyrics.max_epochs=3\n" in shown
    store.remove("artifacts", "corpus", refs["corpus"].key)
    shown = CliRunner().invoke(releases_app, ["show", "--store", store.root]).output
    assert shown.count("cannot be told") == 2
    assert "a (live)\n" in CliRunner().invoke(releases_app, ["list", "--store", store.root]).output


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
