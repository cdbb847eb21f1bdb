"""Processes that die: a training, a worker with its flows, the Prefect server."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.integration.faults.conftest import Clock
from tests.servers.process import wait_until
from tests.servers.stack import Stack
from tests.servers.workers import processes_of_run

#: A training of several epochs of a second or two each, so that it can be met in the middle.
LONG = ("backing.max_epochs=6", "backing.patience=6", "backing.epoch_tokens=10000")
UNINTERRUPTED = """
import json, sys
from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.settings import load_settings
store, source, changes = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
settings = load_settings("fast", changes)
ref = operations.train_backing(store, settings, operations.prepare_corpus(store, settings, (source,)))
print(json.dumps({"key": ref.key, "files": Store(store).manifest(ref)["files"]}))
"""


def epochs_saved(machines: Stack, kind: str) -> int:
    """Number of the last epoch whose state is in the store, of the one training of a kind that runs."""
    found = [re.search(r"/(\d{6})-", name) for name in machines.objects.names(f"checkpoints/{kind}-")]
    return max((int(match.group(1)) for match in found if match), default=0)


def wait_for_epoch(machines: Stack, kind: str, epoch: int) -> None:
    wait_until(lambda: epochs_saved(machines, kind) >= epoch, f"epoch {epoch} of {kind}", 180)


def train_here(machines: Stack, changes: tuple[str, ...]) -> subprocess.Popen[str]:
    """The same training in one process of the CPU worker's environment, without a server, never interrupted."""
    command = [
        machines.cpu.environment.python, "-c", UNINTERRUPTED,
        machines.folder / "uninterrupted", machines.songs, json.dumps(machines.changes(*changes)),
    ]  # fmt: skip
    env = {**machines.cpu.env, "RHAPSODY_STORE": str(machines.folder / "uninterrupted")}
    return subprocess.Popen(
        [str(part) for part in command], env=env, cwd=machines.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def kill_processes_of(run_id: str) -> None:
    for process in processes_of_run(run_id):
        process.kill()


def test_a_killed_training_goes_on_from_its_last_epoch(machines: Stack, clock: Clock) -> None:
    """kill -9 of a training process mid-epoch."""
    changes = (*LONG, "backing.hidden_size=26")
    retrain = machines.retrain(*changes)
    first = machines.runs.wait_child(retrain, "backing")
    wait_for_epoch(machines, "backing", 2)
    kill_processes_of(first["id"])
    clock.restart()
    reference = train_here(machines, changes)
    crashed = machines.runs.wait_final(first["id"], "CRASHED")
    second = machines.runs.wait_child(retrain, "backing", 1)
    machines.runs.wait_running(second["id"])
    saved = epochs_saved(machines, "backing")
    wait_until(lambda: f"epoch {saved + 1}," in machines.runs.log(second["id"]), f"epoch {saved + 1}", 120)
    clock.right_again(f"its run {crashed['state_name']} ({crashed['state']['message'][:38]}), a second one resumed")
    machines.runs.wait_final(retrain)
    assert f"epoch {saved}," not in machines.runs.log(second["id"])

    stdout, stderr = reference.communicate(timeout=240)
    assert reference.returncode == 0, stderr
    expected = json.loads(stdout.splitlines()[-1])
    made = machines.objects.manifests()["backing", expected["key"]]["files"]
    assert {name: entry["sha256"] for name, entry in made.items()} == {
        name: entry["sha256"] for name, entry in expected["files"].items()
    }
    assert machines.objects.releases()[-1]["refs"]["backing"]["key"] == expected["key"]
    assert not machines.objects.names("checkpoints/")


@pytest.fixture(params=[40, pytest.param(150, marks=pytest.mark.slow_faults)], ids=["40s", "150s"])
def silence_s(machines: Stack, request: pytest.FixtureRequest) -> Iterator[int]:
    """how long a run may be silent: the 150 s of the automation, or little more than one heartbeat (30 s at least)."""
    trigger = machines.runs.automation("zombie")["trigger"]
    machines.runs.change_automation("zombie", lambda found: found["trigger"].update(within=request.param))
    yield request.param
    machines.runs.change_automation("zombie", lambda found: found.update(trigger=trigger))


def test_a_worker_killed_with_its_flows(machines: Stack, clock: Clock, silence_s: int) -> None:
    """kill -9 of a worker with its flows, retrain and training, then a new worker."""
    retrain = machines.retrain(*LONG, f"backing.hidden_size={silence_s}")
    child = machines.runs.wait_child(retrain, "backing")
    wait_for_epoch(machines, "backing", 1)
    before = len(machines.objects.releases())
    machines.cpu.kill()
    clock.restart()
    assert not processes_of_run(retrain)
    assert not processes_of_run(child["id"])
    machines.cpu.start()
    machines.runs.wait_completed(retrain)
    names = machines.runs.state_names(retrain)
    assert names.count("Crashed") == 1
    assert machines.runs.tasks(retrain)["prepare_corpus"] == "Cached"
    clock.right_again(" -> ".join(names))
    assert len(machines.objects.releases()) == before + 1


def test_the_prefect_server_is_away(machines: Stack, clock: Clock, outage_s: float) -> None:
    """kill -9 of the Prefect server, which is away for a while mid-run."""
    retrain = machines.retrain(*LONG, f"backing.hidden_size={50 + outage_s:.0f}")
    child = machines.runs.wait_child(retrain, "backing")
    wait_for_epoch(machines, "backing", 1)
    machines.server.kill()
    back = time.monotonic() + outage_s
    wait_until(lambda: time.monotonic() > back, "the outage", outage_s + 5)
    machines.server.start()
    clock.restart()
    machines.runs.wait_final(retrain)
    clock.right_again(f"nothing but warnings in the log; the training went on during the {outage_s:.0f} s")
    assert machines.runs.state_names(child["id"])[-1] == "Completed"
    assert len(machines.runs.children(retrain, "backing")) == 1
    assert machines.objects.releases()[-1]["reason"] == "retrain"


def test_a_song_whose_process_is_killed_is_made_again(machines: Stack, clock: Clock) -> None:
    """kill -9 of the process of a song."""
    song = machines.song("the river runs down to the sea", audio=True)
    machines.runs.wait_running(song)
    kill_processes_of(song)
    clock.restart()
    machines.runs.wait_completed(song)
    names = machines.runs.state_names(song)
    clock.right_again(" -> ".join(names))
    assert names.count("Crashed") == 1
