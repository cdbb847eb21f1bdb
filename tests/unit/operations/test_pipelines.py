"""What cannot end in a release is refused before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations import pipelines
from rhapsody_lib.operations.base_model import make_base
from rhapsody_lib.operations.pipelines import train_models
from rhapsody_lib.release import RELEASE_KINDS
from rhapsody_lib.settings import Settings, load_settings
from tests.trained import TINY, songs_folder


def test_a_network_that_writes_no_songs_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    settings = load_settings(TINY, ["lyrics.architecture=bilstm-seed"])
    store, songs = tmp_path / "store", [str(songs_folder(tmp_path / "songs", each=1))]
    with pytest.raises(InputError, match=r"bilstm-seed.*--with-seed-network"):
        train_models(operations, str(store), settings, songs)
    with pytest.raises(InputError, match=r"bilstm-seed.*--with-seed-network"):
        make_base(str(store), settings, songs, tmp_path / "base", "rhapsody base lyrics")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["songs"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (None, "there is no such folder"),
        ((), "no safetensors weights"),
        (("model.safetensors",), "neither modules.json nor config.json"),
        (("model.safetensors", "config.json"), "is damaged or cut off"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, files: tuple[str, ...] | None, said: str
) -> None:
    folder = tmp_path / "model"
    if files is not None:
        folder.mkdir()
    for name in files or ():
        (folder / name).write_bytes(b"")
    with pytest.raises(InputError, match=said):
        train_models(
            SimpleNamespace(), str(tmp_path / "store"), load_settings(TINY, [f"encoder.model={folder}"]), ["songbook"]
        )


def _trained(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What each of the branches that run at once makes."""
    branches: list[list[str]] = []

    def step(kind: str) -> Callable[..., ArtifactRef]:
        return lambda *_: (branches[-1].append(kind), ArtifactRef(kind=kind, key=kind, uri="", sha256=""))[1]

    def at_once(*parts: Callable[[], Any]) -> list[Any]:
        return [(branches.append([]), part())[1] for part in parts]

    steps: Any = SimpleNamespace(
        prepare_corpus=lambda *_: ArtifactRef(kind="corpus", key="key", uri="", sha256=""),
        check_corpus=lambda *_: SimpleNamespace(enforce=lambda: None),
        at_once=at_once,
        train_lyrics=step("lyrics"),
        train_encoder=step("encoder"),
        embed_catalogue=step("catalogue"),
        train_backing=step("backing"),
    )
    monkeypatch.setattr(pipelines, "corpus_summary", lambda *_: {"tracks": 1, "songs": 1})
    assert set(train_models(steps, "store", settings, ["songs"])) == set(RELEASE_KINDS)
    return branches


def test_lyrics_are_trained_first_where_the_encoder_is_tuned_on_written_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tuned, written = ["encoder.tuning=pairs"], ["encoder.generated_pairs=5"]
    apart = [["encoder", "catalogue"], ["lyrics"], ["backing"]]
    assert _trained(load_settings(TINY, tuned), monkeypatch) == apart
    assert _trained(load_settings(TINY, [*tuned, *written]), monkeypatch) == [
        ["lyrics", "encoder", "catalogue"],
        ["backing"],
    ]
    assert not caplog.records
    assert _trained(load_settings(TINY, ["encoder.tuning=none", *written]), monkeypatch) == apart
    assert "encoder.tuning=pairs" in caplog.text
