"""`rhapsody artifacts`: what the store holds, why it was built, and what nobody needs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli_artifacts import artifacts_app
from rhapsody_lib import uses
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.lineage import built_by
from rhapsody_lib.operations.recipes import corpus_recipe, encoder_recipe, lyrics_recipe
from rhapsody_lib.release import RELEASE_KINDS, publish_release
from rhapsody_lib.settings import load_settings
from tests.trained import SONGBOOK, TINY

SETTINGS = load_settings(TINY)


@pytest.fixture
def source(tmp_path) -> str:
    folder = tmp_path / "songs"
    folder.mkdir()
    song = sorted((SONGBOOK / "folk").glob("*.txt"))[0]
    (folder / song.name).write_bytes(song.read_bytes())
    return str(folder)


def make(folder: Path) -> None:
    (folder / "weights").write_text("x" * 2000)


@pytest.fixture
def store(tmp_path, source) -> Store:
    store = Store(str(tmp_path / "store"))
    with built_by(flow_run="http://127.0.0.1/runs/1"):
        corpus = store.build(corpus_recipe(SETTINGS, [source]), make)
        store.build(lyrics_recipe(SETTINGS, corpus), make)
    return store


def run(store: Store, *arguments: str) -> str:
    result = CliRunner().invoke(artifacts_app, [*arguments, "--store", store.root], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def only(store: Store, kind: str) -> ArtifactRef:
    (ref,) = store.artifacts(kind)
    return ref


def test_the_list_has_a_line_an_artifact(store):
    refs = [only(store, kind) for kind in ("corpus", "lyrics")]
    publish_release(store, dict.fromkeys(RELEASE_KINDS, refs[0]), {}, reason="test")
    rows = json.loads(run(store, "list", "--json"))
    assert [(row["kind"], row["key"], row["bytes"], row["releases"]) for row in rows] == [
        ("corpus", refs[0].key, 2000, [1]),
        ("lyrics", refs[1].key, 2000, []),
    ]
    assert refs[1].key[:12] in run(store, "list", "--kind", "lyrics")
    assert refs[0].key[:12] not in run(store, "list", "--kind", "lyrics")


def test_show_goes_back_to_the_sources_and_says_who_and_why(store):
    corpus, lyrics = (only(store, kind) for kind in ("corpus", "lyrics"))
    text = run(store, "show", lyrics.key[:8])
    for words in (lyrics.key, corpus.key[:12], "source-0: sha256", "first of its kind", "http://127.0.0.1/runs/1"):
        assert words in text
    found = json.loads(run(store, "show", f"lyrics/{lyrics.key}", "--json"))
    assert found["recipe"]["settings"]["lyrics"]["hidden_size"] == SETTINGS.lyrics.hidden_size
    assert found["inputs"][0]["inputs"][0]["key"] is None
    assert (found["bytes"], list(found["files"]), found["releases"]) == (2000, ["weights"], [])


def test_the_release_that_an_evaluation_compared_with_is_shown_as_artifacts(store):
    lyrics = only(store, "lyrics")
    inputs = {"lyrics": "ab" * 32, "live-lyrics": lyrics.sha256}
    evaluation = store.build(Recipe("evaluation", 1, {}, inputs), make)
    found = json.loads(run(store, "show", evaluation.key, "--json"))
    assert {each["name"]: each["key"] for each in found["inputs"]} == {"lyrics": None, "live-lyrics": lyrics.key}


@pytest.mark.parametrize(("name", "words"), [("ff" * 32, "no artifact"), ("ab", "at least 4 letters")])
def test_an_artifact_that_is_not_there_is_one_clear_error(store, name, words):
    with pytest.raises(InputError, match=words):
        run(store, "show", name)


def test_explain_tells_hits_from_misses_and_why(store, source):
    def explained(*arguments: str) -> dict[str, tuple[bool, str]]:
        steps = json.loads(run(store, "explain", source, "--profile", TINY, "--json", *arguments))
        return {step["kind"]: (step["hit"], step["because"]) for step in steps}

    found = explained()
    assert [kind for kind, (hit, _) in found.items() if hit] == ["corpus", "lyrics"]
    assert found["encoder"] == found["backing"] == (False, "first of its kind")
    assert found["catalogue"] == (False, "its input encoder is built anew")
    patience = SETTINGS.lyrics.patience
    assert explained("--set", "lyrics.patience=9")["lyrics"] == (False, f"lyrics.patience {patience} -> 9")
    other = explained("--set", "corpus.min_words=9")
    assert other["corpus"] == (False, f"corpus.min_words {SETTINGS.corpus.min_words} -> 9")
    assert other["backing"] == (False, "its input corpus is built anew")
    store.build(encoder_recipe(SETTINGS), make)
    assert explained()["catalogue"] == (False, "first of its kind")


def test_gc_says_what_it_would_remove_before_it_does(store):
    lyrics, corpus = only(store, "lyrics"), only(store, "corpus")
    publish_release(store, dict.fromkeys(RELEASE_KINDS, corpus), {}, reason="test")
    for path in Path(store.root).rglob("*"):
        os.utime(path, (0, 0))
    uses._in_use.clear()
    text = run(store, "gc", "--dry-run")
    assert re.search(r"would go +\d\.\d kB  artifacts/lyrics/", text)
    assert "release 1 names it" in text
    assert only(store, "lyrics") == lyrics
    report = json.loads(run(store, "gc", "--json"))
    assert f"artifacts/lyrics/{lyrics.key}" in [item["name"] for item in report["removed"]]
    assert list(store.artifacts()) == [corpus]
    assert "0 were removed" in run(store, "gc")


def test_nothing_of_a_table_is_cut_where_it_is_no_terminal(store):
    corpus = only(store, "corpus")
    for _ in range(40):
        publish_release(store, dict.fromkeys(RELEASE_KINDS, corpus), {}, reason="test")
    line = next(line for line in run(store, "list").splitlines() if "corpus" in line)
    assert line.rstrip().endswith(", ".join(map(str, range(1, 41))))
