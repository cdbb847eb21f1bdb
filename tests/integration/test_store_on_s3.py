"""The store on a real S3 server (OpenStack Swift): its faults, its races, its copies, its garbage."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from rhapsody_lib import garbage, uses
from rhapsody_lib.artifacts import MANIFEST, ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError, StoreAccessError, StoreError
from rhapsody_lib.garbage import Policy, What, collect, find_garbage
from rhapsody_lib.lineage import built_by
from rhapsody_lib.objects import PART_BYTES
from rhapsody_lib.release import RELEASE_KINDS, live_release, publish_release, release_numbers
from rhapsody_lib.remote import PATIENCE_VARIABLE
from tests.servers.swift import Swift

RECIPE = Recipe("lyrics", 1, {"epochs": 3}, {"corpus": "ab" * 32})


def write(text: str = "whole") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "weights.txt").write_text(text)
        (folder / "sub" / "vocabulary.json").write_text("[]")

    return make


def never(folder: Path) -> None:
    raise AssertionError("built although it was there")


@pytest.fixture
def root(s3: Swift, tmp_path: Path) -> str:
    """Address of an empty store of the test's own, in a bucket that all share."""
    s3.make_bucket("songs")
    return f"s3://songs/{tmp_path.name}"


@pytest.fixture
def store(root: str, tmp_path: Path) -> Store:
    return Store(root, scratch=tmp_path / "scratch")


@pytest.fixture
def worker(root: str, tmp_path: Path) -> Store:
    """The same store seen from another machine."""
    return Store(root, scratch=tmp_path / "elsewhere")


def data_of(store: Store, ref: ArtifactRef, name: str) -> tuple[str, ...]:
    return ("artifacts", ref.kind, ref.key, store.manifest(ref)["data"], name)


def test_what_one_machine_publishes_another_reads(store, worker):
    with built_by(flow_run="http://127.0.0.1/runs/1"):
        ref = store.build(RECIPE, write("one"))
    assert worker.build(RECIPE, never) == ref
    folder = worker.fetch(ref)
    assert ((folder / "weights.txt").read_text(), (folder / "sub" / "vocabulary.json").read_text()) == ("one", "[]")
    assert list(worker.artifacts()) == [ref]
    story = worker.provenance(ref)
    assert story is not None
    assert story.built_by["flow_run"] == "http://127.0.0.1/runs/1"


def test_a_large_file_goes_in_parts_and_comes_back_whole(store, worker):
    large = os.urandom(PART_BYTES // 4) * 11

    def make(folder: Path) -> None:
        (folder / "weights").write_bytes(large)

    ref = store.build(RECIPE, make)
    assert (worker.fetch(ref) / "weights").read_bytes() == large
    assert "-" in store.fs.info(store.path_of(*data_of(store, ref, "weights")))["ETag"]


@pytest.mark.parametrize("damage", ["change", "truncate", "remove", "manifest"])
def test_what_is_damaged_in_the_store_is_set_aside_and_built_again(store, worker, damage):
    ref = store.build(RECIPE, write())
    path = data_of(store, ref, "weights.txt")
    if damage == "remove":
        store.remove(*path)
    elif damage == "manifest":
        store.write(b"{", "artifacts", ref.kind, ref.key, MANIFEST)
    else:
        store.write(b"WHOLE" if damage == "change" else b"wh", *path)
    with pytest.raises(DamagedArtifactError, match="rhapsody train"):
        worker.fetch(ref)
    assert worker.build(RECIPE, write()) == ref
    assert (worker.fetch(ref) / "weights.txt").read_text() == "whole"
    assert {entry.name.split("/")[0].split("-")[0] for entry in store.listing("damaged")} == {"lyrics"}


def test_a_damaged_copy_is_fetched_again(store, worker, caplog):
    ref = store.build(RECIPE, write())
    copy = worker.fetch(ref) / "weights.txt"
    copy.write_text("WHOLE")
    assert worker.fetch(ref) / "weights.txt" == copy
    assert copy.read_text() == "whole"
    assert "damaged and is fetched again" in caplog.text
    assert not store.listing("damaged")


def test_exactly_one_of_many_wins(root, tmp_path):
    rivals, start = 8, threading.Barrier(8)
    stores = [Store(root, scratch=tmp_path / str(number)) for number in range(rivals)]

    def put(number: int) -> list[bool]:
        start.wait()
        return [stores[number].put_if_absent(str(number).encode(), "races", f"{race}.json") for race in range(10)]

    with ThreadPoolExecutor(rivals) as pool:
        won = list(pool.map(put, range(rivals)))
    for race in range(10):
        winners = [number for number in range(rivals) if won[number][race]]
        assert len(winners) == 1
        assert stores[0].read("races", f"{race}.json") == str(winners[0]).encode()


def test_two_that_build_the_same_end_with_one_artifact(store, worker):
    def slow(folder: Path) -> None:
        worker.build(RECIPE, write("first"))
        (folder / "weights.txt").write_text("second")

    ref = store.build(RECIPE, slow)
    assert (store.fetch(ref) / "weights.txt").read_text() == "first"
    assert len(list(store.artifacts())) == 1


def test_releases_of_many_get_numbers_of_their_own(store):
    refs = dict.fromkeys(RELEASE_KINDS, store.build(RECIPE, write()))
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: publish_release(store, refs, {}, reason=str(number)), range(4)))
    assert sorted(release.number for release in made) == release_numbers(store) == [1, 2, 3, 4]
    assert live_release(store).number == 4


def test_a_server_that_is_killed_and_comes_back_is_waited_for(s3, store, worker, caplog):
    ref = store.build(RECIPE, write())
    s3.kill()
    back = threading.Timer(2.0, s3.start)
    back.start()
    try:
        with caplog.at_level(logging.WARNING):
            assert (worker.fetch(ref) / "weights.txt").read_text() == "whole"
    finally:
        back.join()
    assert "does not answer" in caplog.text
    assert "answers again" in caplog.text


def test_a_server_that_dies_while_an_artifact_is_published(s3, store, worker):
    large = os.urandom(PART_BYTES // 4) * 10

    def make(folder: Path) -> None:
        (folder / "weights").write_bytes(large)
        (folder / "small").write_text("small")

    back, call = threading.Timer(1.0, s3.start), store.fs._call_s3

    async def killed_at_the_last_part(method: str, *arguments: object, **named: object) -> object:
        if method == "upload_part" and named["PartNumber"] == 3 and back.ident is None:
            s3.kill()
            back.start()
        return await call(method, *arguments, **named)

    store.fs._call_s3 = killed_at_the_last_part
    try:
        ref = store.build(RECIPE, make)
    finally:
        del store.fs._call_s3
        back.join()
    assert back.ident is not None
    assert (worker.fetch(ref) / "weights").read_bytes() == large


def test_a_server_that_stays_away_is_one_clear_error(s3, store, monkeypatch):
    ref = store.build(RECIPE, write())
    s3.kill()
    monkeypatch.setenv(PATIENCE_VARIABLE, "1")
    with pytest.raises(StoreError, match=r"does not answer since \d s: could not .*AWS_ENDPOINT_URL"):
        store.manifest(ref)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses these credentials.*AWS_SECRET_ACCESS_KEY"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "refuses these credentials|could not"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no credentials.*AWS_ACCESS_KEY_ID"),
    ],
)
def test_wrong_credentials_are_one_clear_error_at_once(root, monkeypatch, change, words):
    for name, value in change.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    started = time.monotonic()
    with pytest.raises(StoreAccessError, match=f"^{root}: .*({words})"):
        Store(root)
    assert time.monotonic() - started < 5


def test_a_missing_bucket_is_one_clear_error_and_is_not_made(s3):
    for _ in range(2):
        with pytest.raises(StoreAccessError, match="no such bucket"):
            Store("s3://no-such-bucket/prefix")


def test_a_bucket_that_may_only_be_read_serves_songs_and_refuses_training(s3, monkeypatch, tmp_path):
    root = f"{s3.make_bucket('shared', readable=True)}/{tmp_path.name}"
    ref = Store(root, scratch=tmp_path / "writer").build(RECIPE, write())
    for name, value in s3.reader_environment.items():
        monkeypatch.setenv(name, value)
    reader = Store(root, scratch=tmp_path / "reader")
    assert (reader.fetch(ref) / "weights.txt").read_text() == "whole"
    with pytest.raises(StoreAccessError, match=r"could not put .*rights to list, read, write"):
        reader.build(Recipe("lyrics", 2, {}, {}), write())
    assert [found.key for found in reader.artifacts()] == [ref.key]
    with pytest.raises(StoreAccessError, match="could not write"):
        publish_release(reader, dict.fromkeys(RELEASE_KINDS, ref), {}, reason="refused")
    assert release_numbers(reader) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte; only root may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip("needs the right to mount a tmpfs, for a disk that is full")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_one_clear_error_and_nothing_is_half_made(store, root, small_disk):
    def make(folder: Path) -> None:
        (folder / "weights").write_bytes(b"x" * 3_000_000)

    ref = store.build(RECIPE, make)
    full = Store(root, scratch=small_disk)
    with pytest.raises(StoreError, match=r"disk is full.*RHAPSODY_CACHE"):
        full.fetch(ref)
    with pytest.raises(StoreError, match=r"disk is full while the artifact 'backing' is built.*RHAPSODY_CACHE"):
        full.build(Recipe("backing", 1, {}, {}), make)
    assert [path.name for path in small_disk.rglob("*") if path.is_file() and path.stat().st_size] == []
    assert list(store.artifacts()) == [ref]


READER = """
import sys
from pathlib import Path
from rhapsody_lib.artifacts import Store
store = Store(sys.argv[1], scratch=Path(sys.argv[2]))
for ref in store.artifacts():
    assert (store.fetch(ref) / "weights.txt").read_text() == "whole"
print("read")
"""


def test_a_forked_child_and_threads_use_the_store_of_their_parent(store, worker):
    ref = store.build(RECIPE, write())
    with ThreadPoolExecutor(6) as pool:
        folders = set(pool.map(lambda _: worker.fetch(ref), range(12)))
    assert len(folders) == 1
    child = os.fork()
    if child == 0:  # pragma: no cover
        code = 1
        try:
            code = 0 if store.find(ref.kind, ref.key) == ref else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.find(ref.kind, ref.key) == ref


def test_processes_that_share_a_cache_fetch_at_once(store, root, tmp_path):
    store.build(RECIPE, write())
    command = [sys.executable, "-W", "error", "-c", READER, root, str(tmp_path / "shared")]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [reader.communicate(timeout=60)[0] for reader in readers] == ["read\n"] * 2


def test_garbage_goes_and_nothing_else(s3, store, worker, monkeypatch):
    released, unused, found = (store.build(Recipe("lyrics", version, {}, {}), write()) for version in (1, 2, 3))
    publish_release(store, dict.fromkeys(RELEASE_KINDS, released), {}, reason="keeps one")
    store.write(b"x", "artifacts", "backing", "ab" * 32, "0123", "weights")
    bucket, key, _ = store.fs.split_path(store.path_of("artifacts", "backing", "cd" * 32, "4567", "weights"))
    store.fs.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    uses._in_use.clear()
    assert not [item for item in find_garbage(store, Policy()) if not item.keep]
    now = garbage.store_clock(store)
    monkeypatch.setattr(garbage, "store_clock", lambda _: now + timedelta(days=8))
    items = find_garbage(store, Policy())
    # Another machine finds one of them after we looked; the server tells times of single objects in whole seconds.
    last_used = next(item.last_used for item in items if found.key in item.parts)
    while store.modified(uses.FOLDER, uses.use_name(found.kind, found.key)) <= last_used:
        uses._in_use.clear()
        worker.build(Recipe("lyrics", 3, {}, {}), never)
    removed = {(item.what, item.parts[2]) for item in collect(store, Policy(), items) if item.what is not What.USE}
    assert removed == {
        (What.ARTIFACT, unused.key),
        (What.FILES, "ab" * 32),
        (What.UPLOAD, "cd" * 32),
    }
    assert {ref.key for ref in store.artifacts()} == {released.key, found.key}
    assert store.uploads() == []
    assert (worker.fetch(found) / "weights.txt").read_text() == "whole"
