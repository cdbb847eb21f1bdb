"""Releases are append-only, numbered without gaps, and roll back by going on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import InputError, NoReleaseError, StoreError
from rhapsody_lib.release import (
    RELEASE_KINDS,
    live_release,
    publish_release,
    read_release,
    readable_releases,
    release_numbers,
    rollback,
)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "store"))


def refs(store: Store, mark: str) -> dict[str, ArtifactRef]:
    def make(folder: Path) -> None:
        (folder / "weights").write_text(mark)

    return {kind: store.build(Recipe(kind, 1, {"mark": mark}, {}), make) for kind in RELEASE_KINDS}


def test_the_highest_number_is_live(store):
    with pytest.raises(NoReleaseError, match="rhapsody train"):
        live_release(store)
    publish_release(store, refs(store, "a"), {"lyrics": {"perplexity": 90.5}}, reason="first")
    second = publish_release(store, refs(store, "b"), {}, reason="second")
    assert live_release(store) == second
    assert release_numbers(store) == [1, 2]
    first = read_release(store, 1)
    assert (first.figures["lyrics"]["perplexity"], first.parent, second.parent) == (90.5, None, 1)
    assert first.refs == refs(store, "a")


def test_rollback_publishes_old_refs_under_a_new_number(store):
    publish_release(store, refs(store, "a"), {}, reason="first")
    with pytest.raises(InputError, match="nothing to roll back"):
        rollback(store)
    publish_release(store, refs(store, "b"), {}, reason="second")
    with pytest.raises(InputError, match="Release 2 is live already"):
        rollback(store, 2, check=lambda *_: None)
    assert release_numbers(store) == [1, 2]
    back = rollback(store)
    assert (back.number, back.parent, back.refs) == (3, 2, refs(store, "a"))
    assert rollback(store, 2).refs == refs(store, "b")
    with pytest.raises(InputError, match="no release 9"):
        rollback(store, 9)


def test_a_number_taken_by_another_is_not_overwritten(store, monkeypatch):
    publish_release(store, refs(store, "a"), {}, reason="first")
    import rhapsody_lib.release as module

    numbers = iter([[], [1]])
    monkeypatch.setattr(module, "release_numbers", lambda _: next(numbers))
    assert publish_release(store, refs(store, "b"), {}, reason="second").number == 2
    assert read_release(store, 1).reason == "first"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"number": 2, "refs": {}}', b"\xff"])
def test_a_damaged_release_is_one_clear_error_and_can_be_left_behind(store, content):
    publish_release(store, refs(store, "a"), {}, reason="first")
    publish_release(store, refs(store, "b"), {}, reason="second")
    store.fs.pipe_file(store.path_of("releases", "000002.json"), content)
    with pytest.raises(StoreError, match=r"000002\.json: is damaged.*rollback"):
        live_release(store)
    found, problems = readable_releases(store)
    assert ([release.number for release in found], len(problems)) == ([1], 1)
    assert rollback(store, 1).number == 3
    assert live_release(store).refs == refs(store, "a")


def test_a_moved_store_still_reads(tmp_path, store):
    publish_release(store, refs(store, "a"), {}, reason="first")
    moved = (tmp_path / "store").rename(tmp_path / "elsewhere")
    assert live_release(Store(str(moved))).refs["lyrics"].uri.startswith(str(moved))


def test_a_release_compared_with_one_that_is_no_longer_live_is_not_published(store):
    publish_release(store, refs(store, "a"), {}, reason="first", after=0)
    with pytest.raises(StoreError, match="Release 1 was published while this one was compared with release none"):
        publish_release(store, refs(store, "b"), {}, reason="second", after=0)
    assert publish_release(store, refs(store, "b"), {}, reason="second", after=1).number == 2
    assert release_numbers(store) == [1, 2]


def test_two_who_publish_the_same_at_once_get_a_release_each(store, monkeypatch):
    """Equal bytes count as ours, as s3fs may have put them twice: so no two releases are equal."""
    import rhapsody_lib.release as module

    numbers = iter([[], [], [1]])
    monkeypatch.setattr(module, "release_numbers", lambda _: next(numbers))
    same = refs(store, "a")
    assert [publish_release(store, same, {}, reason="same", recipe_sha256="x").number for _ in range(2)] == [1, 2]


def test_a_release_whose_models_are_gone_is_not_rolled_back_to(store):
    publish_release(store, refs(store, "a"), {}, reason="first")
    publish_release(store, refs(store, "b"), {}, reason="second")
    gone = read_release(store, 1).refs["lyrics"]
    store.remove("artifacts", gone.kind, gone.key)
    with pytest.raises(InputError, match=r"Release 1: its lyrics is no longer in the store.*Roll back to another"):
        rollback(store)
    assert release_numbers(store) == [1, 2]


def test_a_second_rollback_goes_further_back_and_never_forth(store):
    for mark in "abc":
        publish_release(store, refs(store, mark), {}, reason=mark)
    first, second = rollback(store), rollback(store)
    assert [(back.number, back.parent, back.restores) for back in (first, second)] == [(4, 3, 2), (5, 4, 1)]
    assert (first.refs, second.refs) == (refs(store, "b"), refs(store, "a"))
    with pytest.raises(InputError, match=r"Release 5 is release 1 again, the first one.*rollback NUMBER"):
        rollback(store)
    publish_release(store, refs(store, "d"), {}, reason="d")
    assert rollback(store).refs == refs(store, "a")
    with pytest.raises(InputError, match="Release 7 is release 1 again"):
        rollback(store)


def test_a_rollback_of_an_earlier_version_is_told_by_its_reason(store):
    for mark in "ab":
        publish_release(store, refs(store, mark), {}, reason=mark)
    rollback(store)
    path = Path(store.path_of("releases", "000003.json"))
    path.write_text(
        json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "restores"})
    )
    assert live_release(store).restores == 1
    with pytest.raises(InputError, match="Release 3 is release 1 again"):
        rollback(store)


def test_a_reason_that_sounds_like_a_rollback_is_none(store):
    for mark in "ab":
        publish_release(store, refs(store, mark), {}, reason="rollback to 1")
    assert live_release(store).restores is None
    assert rollback(store).restores == 1


def test_what_is_published_while_a_rollback_looks_is_not_undone_unseen(store):
    for mark in "ab":
        publish_release(store, refs(store, mark), {}, reason=mark)
    with pytest.raises(StoreError, match="Release 3 was published"):
        rollback(store, check=lambda store, _: publish_release(store, refs(store, "c"), {}, reason="c"))
    assert live_release(store).refs == refs(store, "c")
