"""Others at work at the same time: a second retrain, a worker with older code, a worker with a wrong clock."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.integration.faults.conftest import Clock
from tests.servers.clock import shifted_clock
from tests.servers.runs import moment
from tests.servers.stack import Stack


def test_two_retrains_at_once_release_once(machines: Stack, clock: Clock) -> None:
    """Two retrains at once."""
    before = len(machines.objects.releases())
    runs = [machines.retrain("catalogue.lexical_weight=0.3") for _ in range(2)]
    for run in runs:
        machines.runs.wait_final(run)
    first, second = sorted(runs, key=lambda run: moment(machines.runs.read(run)["start_time"]))
    ended, began = (machines.runs.read(first)["end_time"], machines.runs.read(second)["start_time"])
    assert moment(ended) <= moment(began)
    assert len(machines.objects.releases()) == before + 1
    tasks = machines.runs.tasks(second)
    assert {tasks[name] for name in ("prepare_corpus", "train_lyrics", "train_encoder", "train_backing")} == {"Cached"}
    assert not machines.runs.children(second)
    clock.right_again(f"the second waits ({machines.runs.state_names(second)[0]}), then all Cached")


@pytest.fixture
def older_gpu_worker(machines: Stack) -> Iterator[Stack]:
    """The GPU worker's checkout, with an older version of a stage until the test is over."""
    recipes = machines.gpu.environment.checkout / "rhapsody_lib" / "operations" / "recipes.py"
    new = recipes.read_text()
    recipes.write_text(re.sub(r'"catalogue": (\d+)', lambda found: f'"catalogue": {int(found.group(1)) - 1}', new))
    assert recipes.read_text() != new
    yield machines
    recipes.write_text(new)


def test_a_worker_with_older_code_refuses_the_work(older_gpu_worker: Stack, clock: Clock) -> None:
    """A worker with an older version of the code."""
    machines, before = older_gpu_worker, len(older_gpu_worker.objects.releases())
    retrain = machines.retrain("catalogue.lexical_weight=0.35")
    message = machines.runs.wait_final(retrain, "FAILED")["state"]["message"]
    clock.right_again(message)
    assert re.search(r'"catalogue": (\d+).*"catalogue": (?!\1)\d+', message)
    assert "same version" in message
    assert len(machines.objects.releases()) == before


def test_a_clock_that_is_a_minute_ahead_changes_nothing(machines: Stack, clock: Clock) -> None:
    """Clock skew of a minute between workers."""
    machines.gpu.stop()
    machines.gpu.start(**shifted_clock(60))
    try:
        before = len(machines.objects.releases())
        retrain = machines.retrain("catalogue.lexical_weight=0.45")
        machines.runs.wait_final(retrain)
        (child,) = machines.runs.children(retrain)
        assert machines.runs.state_names(child["id"])[-1] == "Completed"
        assert len(machines.objects.releases()) == before + 1
        clock.right_again(f"the child's times are a minute ahead; states {machines.runs.state_names(retrain)}")
    finally:
        machines.gpu.stop()
