"""A songwriter is told of a prompt in a language that the lyrics model does not know, and of no other."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.corpus.schema import SUMMARY_FILE
from rhapsody_lib.operations import generation
from rhapsody_lib.operations.prompt_language import prompt_language, tell_strange_language
from rhapsody_lib.release import Release
from rhapsody_lib.settings import SongSettings

RUSSIAN = "Снег идёт над рекой и никто не знает мой дом"
GERMAN = "Ich gehe durch die stille Stadt und du bist nicht bei mir"


def _release(tmp_path: Path, languages: dict[str, int]) -> tuple[str, Release]:
    store = Store(str(tmp_path / "store"))

    def write(folder: Path) -> None:
        (folder / SUMMARY_FILE).write_text(json.dumps({"languages": languages}), encoding="utf-8")

    corpus = store.build(Recipe("corpus", 1, {"languages": languages}, {}), write)
    return str(tmp_path / "store"), Release(1, {"corpus": corpus}, {}, None, "", "")


@pytest.mark.parametrize(("prompt", "language"), [(RUSSIAN, "ru"), (GERMAN, "de")])
def test_a_language_that_the_model_does_not_know_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, prompt: str, language: str
) -> None:
    asked = _release(tmp_path, {"en": 20, "fr": 30, "und": 40})
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        tell_strange_language(*asked, prompt)
    (record,) = caplog.records
    told = f"The prompt is in '{language}', but the lyrics model has read songs in 'fr', 'en' only"
    assert record.getMessage().startswith(told)


@pytest.mark.parametrize("languages", [{"ru": 1, "en": 1}, {"und": 5}, {}])
def test_what_the_corpus_has_or_may_have_is_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, languages: dict[str, int]
) -> None:
    asked = _release(tmp_path, languages)
    caplog.clear()  # where another test shows progress, the store has told of its building
    tell_strange_language(*asked, RUSSIAN)
    assert not caplog.records


@pytest.mark.parametrize(
    "prompt",
    [
        "Thunder rolls across the prairie",  # which trigrams take for German
        "Hallelujah hosanna gloria in excelsis",  # and this for Finnish
        "the sky is blue above the town",
        "Je t'aime mon amour",
        "Снег идёт",
        "\N{SPARKLES} \N{GUITAR}",
        "qxzzv",
    ],
)
def test_nothing_is_said_where_it_is_not_sure(prompt: str) -> None:
    assert prompt_language(prompt) == ""


def test_a_song_tells_it_before_its_words_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(generation, "tell_strange_language", lambda *asked: told.append(asked[2]))
    release = SimpleNamespace(refs={})
    with pytest.raises(KeyError):  # there is no model
        generation.write_lyrics(str(tmp_path), release, SongSettings(prompt=RUSSIAN))  # type: ignore[arg-type]
    assert told == [RUSSIAN]
