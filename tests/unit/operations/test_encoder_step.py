"""The step that makes the encoder hands it the corpus only if it is tuned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.operations.inspection import explain_training
from rhapsody_lib.optional import is_installed
from rhapsody_lib.settings import Settings, load_settings

pytestmark = pytest.mark.skipif(not is_installed("sentence_transformers"), reason="the extra 'retrieval' is absent")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Stands in for tuning and export; tells what was made of which songs."""
    from rhapsody_lib.retrieval import encoder, tuning

    found: list[tuple[str, str]] = []

    def tune_encoder(songs: Path, out: Path, checkpoint: Any, settings: Any, *, seed: int, **reports: Any) -> None:
        written = reports.pop("written", None)
        found.append((f"tuned{' with ' + written.read_text() if written else ''}", (songs / "songs").read_text()))
        assert set(reports) == {"progress", "record"}
        (out / "encoder.onnx").write_text(str(seed))

    def build_encoder(out: Path, settings: Any, **reports: Any) -> None:
        found.append(("as it came", ""))
        (out / "encoder.onnx").write_text("")

    monkeypatch.setattr(tuning, "tune_encoder", tune_encoder)
    monkeypatch.setattr(encoder, "build_encoder", build_encoder)
    return found


def corpora(store: str) -> list[ArtifactRef]:
    recipes = [Recipe("corpus", 1, {"words": words}, {}) for words in ("la", "li")]
    return [
        Store(store).build(recipe, lambda folder, words=recipe.settings["words"]: (folder / "songs").write_text(words))
        for recipe in recipes
    ]


def test_one_encoder_serves_all_corpora_unless_it_is_tuned(tmp_path: Path, made: list[tuple[str, str]]) -> None:
    store = str(tmp_path / "store")
    tuned = load_settings("fast", ["encoder.tuning=pairs"])
    refs = corpora(store)
    assert len({operations.train_encoder(store, Settings(), corpus) for corpus in refs}) == 1
    assert len({operations.train_encoder(store, tuned, corpus) for corpus in [*refs, *refs]}) == 2
    assert made == [("as it came", ""), ("tuned", "la"), ("tuned", "li")]


def test_what_a_training_would_build_names_the_corpus_that_a_tuned_encoder_waits_for(tmp_path: Path) -> None:
    steps = {
        tuning: {
            step.kind: step.because
            for step in explain_training(
                Store(str(tmp_path)), load_settings("fast", [f"encoder.tuning={tuning}"]), ["songbook"]
            )
        }
        for tuning in ("none", "pairs")
    }
    assert steps["pairs"]["encoder"] == "its input corpus is built anew"
    assert "corpus" not in steps["none"]["encoder"]


def test_lyrics_are_written_to_tune_on_if_the_settings_ask(
    tmp_path: Path, made: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rhapsody_lib.operations import training, written_pairs

    store = str(tmp_path / "store")
    settings = load_settings("fast", ["encoder.tuning=pairs", "encoder.generated_pairs=3"])
    (corpus, _) = corpora(store)

    def train_lyrics(store: str, settings: Settings, corpus: ArtifactRef) -> ArtifactRef:
        return Store(store).build(Recipe("lyrics", 1, {}, {}), lambda folder: (folder / "model").write_text("a model"))

    def write_pairs(songs: Path, lyrics: Path, out: Path, settings: Any, **_: Any) -> Path:
        (out / "table").write_text(f"{settings.generated_pairs} by {(lyrics / 'model').read_text()}")
        return out / "table"

    monkeypatch.setattr(training, "train_lyrics", train_lyrics)
    monkeypatch.setattr(written_pairs, "write_pairs", write_pairs)
    operations.train_encoder(store, settings, corpus)
    operations.train_encoder(store, settings, corpus)
    assert made == [("tuned with 3 by a model", "la")]
