"""Fetched copies: a size limit, least recently used first, never one that is read, whole or absent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rhapsody_lib import cache
from rhapsody_lib.cache import FetchedCopies
from rhapsody_lib.errors import InputError, StoreError

MB = 1_000_000
HOLDER = """
import sys
from pathlib import Path
from rhapsody_lib.cache import FetchedCopies
FetchedCopies(Path(sys.argv[1])).get(sys.argv[2], 0, lambda folder: None)
print("held", flush=True)
sys.stdin.readline()
"""


def of_size(size_bytes: int):
    def download(folder: Path) -> None:
        (folder / "weights").write_bytes(b"x" * size_bytes)

    return download


def never(folder: Path) -> None:
    raise AssertionError("fetched although it was there")


@pytest.fixture
def forgotten(monkeypatch):
    """Call it to be another process, which holds nothing."""

    def forget() -> None:
        for descriptor in cache._leases.values():
            os.close(descriptor)
        cache._leases.clear()

    forget()
    yield forget
    forget()


def test_a_copy_is_fetched_once(tmp_path, forgotten):
    copies = FetchedCopies(tmp_path, 10 * MB)
    folder = copies.get("lyrics", 3, of_size(3))
    assert (folder / "weights").read_bytes() == b"xxx"
    assert copies.get("lyrics", 3, never) == folder
    forgotten()
    assert copies.get("lyrics", 3, never) == folder


def test_the_least_recently_used_copies_make_room(tmp_path, forgotten):
    copies = FetchedCopies(tmp_path, 10 * MB)
    for name in ("a", "b", "c"):
        copies.get(name, 3 * MB, of_size(3 * MB))
    forgotten()
    for age_s, name in ((30, "b"), (20, "c"), (10, "a")):
        path = tmp_path / f"{name}.lease"
        os.utime(path, (path.stat().st_mtime - age_s,) * 2)
    copies.get("d", 3 * MB, of_size(3 * MB))
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["a", "c", "d"]


def test_a_copy_that_is_read_is_not_removed_even_over_the_limit(tmp_path, forgotten, caplog):
    copies = FetchedCopies(tmp_path, 5 * MB)
    held = copies.get("held", 3 * MB, of_size(3 * MB))
    other = copies.get("other", 3 * MB, of_size(3 * MB))
    assert held.is_dir()
    assert other.is_dir()
    assert "all other copies are in use" in caplog.text


def test_a_copy_that_another_process_reads_is_kept_until_it_is_killed(tmp_path, forgotten):
    copies = FetchedCopies(tmp_path, 5 * MB)
    held = copies.get("held", 3 * MB, of_size(3 * MB))
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "held"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        forgotten()
        copies.get("second", 3 * MB, of_size(3 * MB))
        assert held.is_dir()
        process.kill()
    forgotten()
    copies.get("third", 3 * MB, of_size(3 * MB))
    assert not held.exists()


def test_a_broken_off_download_leaves_nothing_and_is_fetched_again(tmp_path, forgotten):
    copies = FetchedCopies(tmp_path, 10 * MB)

    def breaks(folder: Path) -> None:
        (folder / "weights").write_bytes(b"half")
        raise ConnectionError("broken off")

    with pytest.raises(ConnectionError):
        copies.get("lyrics", 3, breaks)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    (tmp_path / "lyrics.part").mkdir()  # what a killed process leaves
    (tmp_path / "lyrics.part" / "junk").write_text("half")
    (tmp_path / "other.part").mkdir()
    folder = copies.get("lyrics", 3, of_size(3))
    assert [path.name for path in folder.iterdir()] == ["weights"]


def test_downloads_that_were_killed_make_room_first(tmp_path, forgotten):
    (tmp_path / "killed.part").mkdir()
    (tmp_path / "killed.part" / "half").write_bytes(b"x" * 3 * MB)
    copies = FetchedCopies(tmp_path, 5 * MB)
    copies.get("lyrics", 3 * MB, of_size(3 * MB))
    assert not (tmp_path / "killed.part").exists()


def test_a_download_that_ends_while_another_makes_room_does_not_disturb_it(tmp_path, forgotten, monkeypatch):
    copies, ends, scandir = FetchedCopies(tmp_path), [], os.scandir

    def ended(folder):
        if Path(folder).suffix == ".part" and not ends:
            ends.append(Path(folder).rename(Path(folder).with_suffix("")))
        return scandir(folder)

    (tmp_path / "other.part").mkdir()
    (tmp_path / "other.part" / "file").write_bytes(b"whole now")
    monkeypatch.setattr(os, "scandir", ended)
    assert copies.get("one", 1, lambda folder: (folder / "file").write_bytes(b"1")).is_dir()
    assert ends == [tmp_path / "other"]


def test_threads_that_want_the_same_copy_fetch_it_once(tmp_path, forgotten):
    copies, downloads, start = FetchedCopies(tmp_path, 10 * MB), [], threading.Barrier(6)

    def download(folder: Path) -> None:
        downloads.append(1)
        of_size(3)(folder)

    def want() -> None:
        start.wait()
        copies.get("lyrics", 3, download)

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(downloads) == 1


def test_a_dropped_copy_is_fetched_again(tmp_path, forgotten):
    copies = FetchedCopies(tmp_path, 10 * MB)
    copies.get("lyrics", 3, of_size(3))
    copies.drop("lyrics")
    assert (copies.get("lyrics", 4, of_size(4)) / "weights").stat().st_size == 4


def test_a_cache_that_was_emptied_by_hand_is_leased_anew(tmp_path, forgotten):
    copies = FetchedCopies(tmp_path / "cache", 10 * MB)
    folder = copies.get("lyrics", 3, of_size(3))
    (tmp_path / "cache").rename(tmp_path / "old")
    assert copies.get("lyrics", 3, of_size(3)) == folder
    assert not copies._evict(folder)


def test_a_full_disk_is_one_clear_error_before_anything_is_fetched(tmp_path, forgotten, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100 * MB})())
    with pytest.raises(StoreError, match=r"disk is full: 200 MB are to be fetched, 100 MB are free.*RHAPSODY_CACHE"):
        FetchedCopies(tmp_path, 1000 * MB).get("lyrics", 200 * MB, never)


@pytest.mark.parametrize("text", ["much", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(cache.LIMIT_VARIABLE, text)
    with pytest.raises(InputError, match="not a number of gigabytes"):
        cache.limit_bytes()
