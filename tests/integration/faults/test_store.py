"""A store that is away, damaged, full, or closed to whoever asks."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults.conftest import Clock
from tests.integration.faults.test_processes import LONG, wait_for_epoch
from tests.servers.process import wait_until
from tests.servers.stack import Stack


def test_the_s3_server_is_away(machines: Stack, clock: Clock, outage_s: float) -> None:
    """kill -9 of the S3 server, which is away for a while mid-run."""
    retrain = machines.retrain(*LONG, f"backing.hidden_size={100 + outage_s:.0f}")
    child = machines.runs.wait_child(retrain, "backing")
    wait_for_epoch(machines, "backing", 1)
    machines.swift.kill()
    back = time.monotonic() + outage_s
    wait_until(lambda: time.monotonic() > back, "the outage", outage_s + 5)
    machines.swift.start()
    clock.restart()
    machines.runs.wait_final(retrain)
    clock.right_again("a warning in the log of the training; states are saved locally meanwhile")
    assert "does not answer" in machines.runs.log(child["id"])
    assert len(machines.runs.children(retrain, "backing")) == 1


def test_damaged_truncated_and_missing_artifacts_are_made_again(machines: Stack, clock: Clock) -> None:
    """A damaged, a truncated and a missing artifact of a release."""
    objects, refs = machines.objects, machines.objects.releases()[0]["refs"]
    before = objects.manifests()

    def largest(kind: str) -> str:
        entries = before[kind, refs[kind]["key"]]["files"]
        return objects.files(kind, refs[kind]["key"])[max(entries, key=lambda name: entries[name]["bytes"])]

    damaged = bytearray(objects.read(largest("backing")))
    damaged[len(damaged) // 2] ^= 1
    objects.write(largest("backing"), bytes(damaged))
    objects.write(largest("catalogue"), objects.read(largest("catalogue"))[:-100])
    objects.remove(largest("encoder"))
    machines.forget_caches()
    clock.restart()
    song = machines.runs.wait_final(machines.song("a house by the sea", release=1), "FAILED")
    message = song["state"]["message"]
    assert "damaged" in message
    assert "rhapsody train" in message

    retrain = machines.retrain()
    machines.runs.wait_final(retrain)
    tasks = machines.runs.tasks(retrain)
    clock.right_again(f"a song: {message}; a retrain: set aside and made again")
    assert tasks["train_lyrics"] == "Cached"
    assert [tasks[name] for name in ("train_backing", "train_encoder", "embed_catalogue")] == ["Completed"] * 3
    assert objects.names("damaged/")
    machines.runs.wait_final(machines.song("a house by the sea", release=1))


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refuses these credentials"),
        ({"AWS_ACCESS_KEY_ID": "nobody:here"}, "refuses these credentials"),
    ],
    ids=["secret", "key"],
)
def test_wrong_credentials_are_one_clear_message(
    machines: Stack, clock: Clock, env: dict[str, str], words: str
) -> None:
    """Wrong S3 credentials."""
    clock.restart()
    song = machines.runs.wait_final(machines.song("rain", env=env), "FAILED")
    message = song["state"]["message"]
    assert words in message
    assert "AWS_SECRET_ACCESS_KEY" in message
    clock.right_again(message)


def test_an_unwritable_bucket_is_one_clear_message(machines: Stack, clock: Clock) -> None:
    """A bucket that may be read and not written."""
    address = machines.swift.make_bucket("readonly", readable=True)
    clock.restart()
    training = machines.train_backing(env={**machines.swift.reader_environment, "RHAPSODY_STORE": f"{address}/store"})
    message = machines.runs.wait_final(training, "FAILED")["state"]["message"]
    assert address in message
    assert "rights" in message
    clock.right_again(message)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    if os.geteuid() != 0:
        pytest.skip("needs root: to mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_full_disk_is_one_clear_message(machines: Stack, clock: Clock, small_disk: Path) -> None:
    """A full disk where a worker keeps its cache."""
    clock.restart()
    training = machines.train_backing("backing.hidden_size=30", env={"RHAPSODY_CACHE": str(small_disk)})
    message = machines.runs.wait_final(training, "FAILED")["state"]["message"]
    assert "full" in message or "room" in message
    clock.right_again(message)
    machines.runs.wait_final(machines.train_backing("backing.hidden_size=30"))
