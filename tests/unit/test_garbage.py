"""Garbage collection removes what nobody needs, and nothing else."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib import garbage, uses
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import InputError, StoreAccessError, StoreError
from rhapsody_lib.garbage import Item, Policy, What, collect, find_garbage
from rhapsody_lib.parts import PARTS_FILE, write_parts
from rhapsody_lib.release import RELEASE_KINDS, publish_release, release_numbers, rollback

OLD = timedelta(days=30)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(str(tmp_path / "store"))


def make(folder: Path) -> None:
    (folder / "weights").write_text("x" * 100)


def build(store: Store, kind: str, mark: object = 0) -> ArtifactRef:
    return store.build(Recipe(kind, 1, {"mark": mark}, {}), make)


def release(store: Store, mark: object = 0) -> dict[str, ArtifactRef]:
    refs = {kind: build(store, kind, mark) for kind in RELEASE_KINDS}
    publish_release(store, refs, {}, reason="test")
    return refs


def grow_old(store: Store, age: timedelta = OLD) -> None:
    """As if all had been done long ago, by processes that are gone."""
    when = (datetime.now(timezone.utc) - age).timestamp()
    for path in Path(store.root).rglob("*"):
        os.utime(path, (when, when))
    uses._in_use.clear()


def gone(items: list[Item]) -> set[str]:
    return {item.name for item in items if not item.keep and item.what is not What.USE}


def there(store: Store, ref: ArtifactRef) -> bool:
    return store.find(ref.kind, ref.key) == ref


def test_only_what_is_old_and_named_by_nobody_goes(store):
    named, unnamed, song = release(store), build(store, "lyrics", "other"), build(store, "song")
    grow_old(store)
    young = build(store, "lyrics", "young")
    items = find_garbage(store, Policy())
    assert gone(items) == {f"artifacts/lyrics/{unnamed.key}"}
    why = {item.parts[-1]: item.keep for item in items if item.keep}
    assert why[named["corpus"].key] == "release 1 names it"
    assert why[song.key] == "songs are kept"
    assert why[young.key].startswith("used 0.0 hours ago")
    removed = collect(store, Policy(), items)
    assert unnamed.key in {item.parts[-1] for item in removed}
    assert not there(store, unnamed)
    assert all(there(store, ref) for ref in (*named.values(), song, young))
    assert not gone(find_garbage(store, Policy()))


def test_looking_removes_nothing(store):
    unnamed = build(store, "lyrics")
    grow_old(store)
    before = {entry.name for entry in store.listing()}
    assert gone(find_garbage(store, Policy()))
    assert {entry.name for entry in store.listing()} == before
    assert there(store, unnamed)


def test_a_use_keeps_what_is_old(store):
    found, fetched, unused = (build(store, "lyrics", mark) for mark in range(3))
    grow_old(store)
    build(store, "lyrics", 0)
    store.fetch(fetched)
    assert gone(find_garbage(store, Policy())) == {f"artifacts/lyrics/{unused.key}"}
    assert there(store, found)


def test_a_process_renews_what_it_uses_while_it_lives(store):
    ref = build(store, "lyrics")
    in_use = dict(uses._in_use)
    grow_old(store)
    uses._in_use.update(in_use)
    uses.renew()
    assert there(store, ref)
    assert not gone(find_garbage(store, Policy()))
    uses._in_use.clear()


def test_releases_that_are_not_kept_give_their_models_up(store):
    old, middle, new = (release(store, mark) for mark in range(3))
    grow_old(store)
    items = find_garbage(store, Policy(keep_releases=2))
    assert gone(items) == {f"artifacts/{ref.kind}/{ref.key}" for ref in old.values()}
    collect(store, Policy(keep_releases=2), items)
    assert all(there(store, ref) for ref in (*middle.values(), *new.values()))


def test_a_release_that_cannot_be_read_stops_the_collection_until_it_is_moved_away(store):
    named, unnamed = release(store), build(store, "lyrics", "other")
    publish_release(store, named, {}, reason="the same models")
    path = Path(store.path_of("releases", "000001.json"))
    path.write_bytes(b"{")
    grow_old(store)
    with pytest.raises(
        StoreError, match=r"000001\.json: is damaged.*Nothing was removed.*Move this file.*--keep-releases"
    ):
        find_garbage(store, Policy())
    assert there(store, unnamed)
    assert gone(find_garbage(store, Policy(keep_releases=1))) == {f"artifacts/lyrics/{unnamed.key}"}
    path.rename(Path(store.path_of("damaged-release.json")))
    assert gone(find_garbage(store, Policy())) == {f"artifacts/lyrics/{unnamed.key}"}


@pytest.mark.parametrize("kept", [None, 1])
def test_a_damaged_newest_release_is_left_behind_by_a_rollback(store, kept):
    release(store)
    publish_release(store, release(store, 1), {}, reason="second")
    newest = release_numbers(store)[-1]
    Path(store.path_of("releases", f"{newest:06d}.json")).write_bytes(b"{")
    with pytest.raises(
        StoreError, match=rf"{newest:06d}\.json: is damaged.*newest.*releases rollback NUMBER"
    ) as refusal:
        find_garbage(store, Policy(keep_releases=kept))
    assert "Move this file" not in str(refusal.value)
    rollback(store, 1)
    find_garbage(store, Policy(keep_releases=1))


def test_shards_are_kept_for_longer(store):
    shard, other = build(store, "songs-shard"), build(store, "lyrics")
    grow_old(store)
    assert gone(find_garbage(store, Policy())) == {f"artifacts/lyrics/{other.key}"}
    both = {f"artifacts/{ref.kind}/{ref.key}" for ref in (shard, other)}
    assert gone(find_garbage(store, Policy(shard_grace=timedelta(days=20)))) == both
    grow_old(store, timedelta(days=91))
    assert gone(find_garbage(store, Policy())) == both


def test_parts_that_cannot_be_read_now_end_the_collection(store, monkeypatch):
    part = build(store, "vectors-shard")
    recipe = Recipe("catalogue", 1, {"mark": "parts"}, {})
    whole = store.build(recipe, lambda folder: write_parts(folder, [part]))
    refs = {kind: build(store, kind) for kind in RELEASE_KINDS}
    publish_release(store, refs | {"catalogue": whole}, {}, reason="test")
    grow_old(store, timedelta(days=400))
    assert f"artifacts/vectors-shard/{part.key}" not in gone(find_garbage(store, Policy()))
    read, failure = store.read, OSError(errno.EIO, "Input/output error")

    def fail(*parts):
        if parts[-1] == PARTS_FILE:
            raise failure
        return read(*parts)

    monkeypatch.setattr(store, "read", fail)
    with pytest.raises(OSError, match="Input/output"):
        find_garbage(store, Policy())
    failure = FileNotFoundError()
    assert f"artifacts/vectors-shard/{part.key}" in gone(find_garbage(store, Policy()))


def test_a_long_upload_of_what_is_in_use_goes_on(store, monkeypatch):
    key, name = "ab" * 32, "ef" * 32
    begun = {
        ("artifacts", "lyrics", key, "0123", "weights"): "used",
        ("checkpoints", f"backing-{key}", "000001.safetensors"): "saved",
        ("artifacts", "lyrics", name, "0123", "weights"): "used while it is removed",
        ("artifacts", "lyrics", "cd" * 32, "0123", "weights"): "broken off",
    }
    long_ago, aborted = datetime.now(timezone.utc) - OLD, []
    monkeypatch.setattr(store, "uploads", lambda: [(parts, upload, long_ago) for parts, upload in begun.items()])
    monkeypatch.setattr(store, "abort_upload", lambda parts, upload: aborted.append(upload))
    uses.mark_used(store, "lyrics", key)
    uses.mark_used(store, "backing", key)
    items = find_garbage(store, Policy())
    assert {item.upload_id for item in items if not item.keep} == {"used while it is removed", "broken off"}
    uses.mark_used(store, "lyrics", name)
    collect(store, Policy(), items)
    assert aborted == ["broken off"]


def test_a_store_that_does_not_let_us_list_uploads_is_collected_all_the_same(store, monkeypatch, caplog):
    unnamed = build(store, "lyrics")
    grow_old(store)

    def refused() -> list[object]:
        raise StoreAccessError("no right to list uploads")

    monkeypatch.setattr(store, "uploads", refused)
    assert gone(find_garbage(store, Policy())) == {f"artifacts/lyrics/{unnamed.key}"}
    assert "no right to list uploads" in caplog.text


def test_a_release_published_meanwhile_keeps_its_models(store):
    refs = {kind: build(store, kind) for kind in RELEASE_KINDS}
    grow_old(store)
    items = find_garbage(store, Policy())
    assert len(gone(items)) == len(refs)
    publish_release(store, refs, {}, reason="meanwhile")
    removed = collect(store, Policy(), items)
    assert not [item for item in removed if item.what is What.ARTIFACT]
    assert all(there(store, ref) for ref in refs.values())


@pytest.mark.parametrize("moment", ["before", "after the manifest went"])
def test_an_artifact_found_meanwhile_is_kept(store, monkeypatch, moment):
    ref = build(store, "lyrics")
    grow_old(store)
    items = find_garbage(store, Policy())
    checks = []
    check = garbage._used_since

    def use_then_check(*args):
        checks.append(1)
        if len(checks) == (1 if moment == "before" else 2):
            uses.mark_used(store, ref.kind, ref.key)
        return check(*args)

    monkeypatch.setattr(garbage, "_used_since", use_then_check)
    assert collect(store, Policy(), items) == []
    assert (store.fetch(ref) / "weights").read_text() == "x" * 100


def test_left_overs_go_when_they_are_old(tmp_path):
    store = Store(f"memory://{tmp_path.name}", scratch=tmp_path)
    ref = build(store, "lyrics")
    for parts in (
        ("artifacts", "backing", "ab" * 32, "0123", "weights"),
        ("artifacts", ref.kind, ref.key, "4567", "weights"),
        ("checkpoints", f"lyrics-{'cd' * 32}", "000001.safetensors"),
        ("damaged", "lyrics-abc-def", "manifest.json"),
    ):
        store.write(b"x", *parts)
    assert not gone(find_garbage(store, Policy()))
    uses._in_use.clear()
    for info in store.fs.store.values():
        if f"/{tmp_path.name}/" in info.path:
            info.created = info.modified = datetime.now(timezone.utc) - OLD
    publish_release(store, {**dict.fromkeys(RELEASE_KINDS, ref)}, {}, reason="keeps the artifact itself")
    items = find_garbage(store, Policy())
    assert gone(items) == {
        f"artifacts/backing/{'ab' * 32}",
        f"artifacts/{ref.kind}/{ref.key}/4567",
        f"checkpoints/lyrics-{'cd' * 32}",
        "damaged/lyrics-abc-def",
    }
    collect(store, Policy(), items)
    assert store.fetch(ref).is_dir()
    assert {entry.name.split("/")[0] for entry in store.listing()} == {"artifacts", "releases", "store.json", "uses"}


def test_a_training_that_goes_on_keeps_its_checkpoint(store):
    key = "ab" * 32
    store.write(b"state", "checkpoints", f"lyrics-{key}", "000001.safetensors")
    grow_old(store)
    uses.mark_used(store, "lyrics", key)
    assert not gone(find_garbage(store, Policy()))


def test_the_clock_is_the_store_s(store, monkeypatch):
    ref = build(store, "lyrics")
    uses._in_use.clear()
    monkeypatch.setattr(garbage, "store_clock", lambda _: datetime.now(timezone.utc) + timedelta(days=8))
    assert gone(find_garbage(store, Policy())) == {f"artifacts/lyrics/{ref.key}"}
    monkeypatch.undo()
    assert abs((garbage.store_clock(store) - datetime.now(timezone.utc)).total_seconds()) < 60
    assert not store.listing("probes")


def test_a_policy_that_could_remove_what_is_used_is_refused():
    with pytest.raises(InputError, match="--older-than"):
        Policy(timedelta(minutes=5))
    with pytest.raises(InputError, match="live release"):
        Policy(keep_releases=0)


@settings(max_examples=6)
@given(
    st.lists(st.sets(st.integers(0, 3), min_size=1, max_size=2), max_size=3),
    st.sets(st.integers(0, 3)),
    st.none() | st.integers(1, 3),
)
def test_whatever_is_released_or_used_a_collection_keeps_exactly_what_is_needed(tmp_path_factory, released, used, keep):
    store = Store(str(tmp_path_factory.mktemp("store")))
    refs = {(kind, mark): build(store, kind, mark) for kind in RELEASE_KINDS for mark in range(4)}
    for marks in released:
        chosen = {kind: refs[kind, sorted(marks)[index % len(marks)]] for index, kind in enumerate(RELEASE_KINDS)}
        publish_release(store, chosen, {}, reason="test")
    grow_old(store)
    for mark in used:
        store.fetch(refs["lyrics", mark])
    needed = {refs["lyrics", mark].key for mark in used}
    for marks in released if keep is None else released[-keep:]:
        needed |= {refs[kind, sorted(marks)[i % len(marks)]].key for i, kind in enumerate(RELEASE_KINDS)}
    policy = Policy(keep_releases=keep)
    collect(store, policy, find_garbage(store, policy))
    assert {ref.key for ref in store.artifacts()} == needed
