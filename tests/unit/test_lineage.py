"""Who built an artifact and why; and what the next run would find."""

from __future__ import annotations

import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.lineage import DAMAGED, FIRST, NEW, PROVENANCE, built_by, differences, why

BASE = Recipe("backing", 1, {"backing": {"hidden_size": 256, "dropout": 0.1}, "seed": 0}, {"corpus": "1a2b3c4d5e" * 6})


def changed(*, version: int = 1, inputs=None, **settings) -> Recipe:
    values = {"backing": {**BASE.settings["backing"], **settings}, "seed": 0}
    return Recipe("backing", version, values, inputs or BASE.inputs)


def test_what_differs_is_named():
    assert differences(BASE, changed(hidden_size=320)) == ["backing.hidden_size 256 -> 320"]
    assert differences(BASE, changed(version=2)) == ["stage version 1 -> 2"]
    assert differences(BASE, changed(inputs={"corpus": "ff" * 32})) == ["input corpus 1a2b3c4d.. -> ffffffff.."]
    assert differences(BASE, changed(inputs={})) == []
    assert differences(BASE, Recipe("backing", 1, BASE.settings, {})) == ["input corpus 1a2b3c4d.. -> none"]
    assert differences(BASE, changed(layers=2)) == ["backing.layers unset -> 2"]


def test_the_nearest_earlier_artifact_is_what_is_compared_with():
    far, near = changed(hidden_size=9, dropout=0.9, version=3), changed(dropout=0.2)
    assert why(BASE, [far, near]) == "backing.dropout 0.2 -> 0.1"
    assert why(BASE, []) == FIRST
    assert why(BASE, [far, BASE]) == DAMAGED


values = st.dictionaries(st.text("ab", min_size=1, max_size=2), st.integers(0, 3), max_size=3)


@given(values, values)
def test_nothing_differs_exactly_between_equal_recipes(one, other):
    recipes = [Recipe("lyrics", 1, settings, {}) for settings in (one, other)]
    assert (differences(*recipes) == []) == (recipes[0].key == recipes[1].key)


def test_an_artifact_says_who_built_it_and_why_and_its_manifest_does_not(tmp_path, caplog):
    stores = [Store(str(tmp_path / name)) for name in ("one", "other")]
    refs = []
    for number, store in enumerate(stores):
        with built_by(flow_run=f"http://127.0.0.1/runs/{number}"), caplog.at_level(logging.INFO):
            store.build(changed(hidden_size=64), lambda folder: (folder / "weights").write_text("a"))
            refs.append(store.build(BASE, lambda folder: (folder / "weights").write_text("b")))
    assert refs[0].sha256 == refs[1].sha256
    stories = [store.provenance(ref) for store, ref in zip(stores, refs, strict=True)]
    assert [story.because for story in stories] == ["backing.hidden_size 64 -> 256"] * 2
    assert stories[1].built_by["flow_run"] == "http://127.0.0.1/runs/1"
    assert stories[0].versions["python"]
    assert "because: backing.hidden_size 64 -> 256" in caplog.text


def test_an_artifact_without_its_story_is_an_artifact(tmp_path):
    store = Store(f"memory://{tmp_path.name}", scratch=tmp_path)
    ref = store.build(BASE, lambda folder: (folder / "weights").write_text("a"))
    for content in (b"{", json.dumps({"because": "x"}).encode()):
        store.write(content, "artifacts", ref.kind, ref.key, PROVENANCE)
        assert store.provenance(ref) is None
    store.remove("artifacts", ref.kind, ref.key, PROVENANCE)
    assert store.provenance(ref) is None
    assert store.fetch(ref).is_dir()


def test_how_far_corpora_are_apart_is_not_told_by_the_last_such_figure(tmp_path):
    store = Store(str(tmp_path))
    store.build(Recipe("drift", 1, {}, {"corpus": "1" * 64}), lambda folder: (folder / "a").write_text("a"))
    assert store.why_missing(Recipe("drift", 1, {}, {"corpus": "2" * 64})) == NEW
