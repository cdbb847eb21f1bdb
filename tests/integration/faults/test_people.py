"""What people do in the middle of a retraining: they are asked and answer, and they cancel."""

from __future__ import annotations

from tests.integration.faults.conftest import Clock
from tests.servers.process import wait_until
from tests.servers.stack import Stack


def wait_suspended(machines: Stack, run: str) -> None:
    machines.runs.wait(run, lambda found: found["state_name"] == "Suspended", f"{run} Suspended", 240)


def answer(machines: Stack, run: str, **given: object) -> None:
    """Press Resume on the run's page."""
    machines.runs.call("POST", f"/flow_runs/{run}/resume", {"run_input": given})


def test_a_release_waits_for_a_person(machines: Stack, clock: Clock) -> None:
    """A release that a person refuses."""
    before = len(machines.objects.releases())
    run = machines.retrain("catalogue.lexical_weight=0.21", approval=True)
    wait_suspended(machines, run)
    # Nothing of it lives meanwhile: not even the loss of its worker would matter.
    machines.cpu.kill()
    machines.cpu.start()
    answer(machines, run, release=False, note="not on a Friday")
    found = machines.runs.wait_final(run, "FAILED")
    assert found["state_name"] == "Refused"
    assert "not on a Friday" in found["state"]["message"]
    assert len(machines.objects.releases()) == before
    clock.right_again("Suspended until answered, then Refused; the live release stays")

    again = machines.retrain("catalogue.lexical_weight=0.21", approval=True)
    wait_suspended(machines, again)
    answer(machines, again, release=True, note="")
    machines.runs.wait_final(again)
    assert not machines.runs.children(again)
    assert len(machines.objects.releases()) == before + 1


def test_a_cancelled_retrain_cancels_the_trainings_it_started(machines: Stack, clock: Clock) -> None:
    """A retrain that is cancelled in the middle of a training."""
    before = len(machines.objects.releases())
    run = machines.retrain("backing.max_epochs=400", "backing.patience=400")
    child = machines.runs.wait_child(run, "backing")["id"]
    machines.runs.wait_running(child)
    clock.restart()
    state = {"type": "CANCELLING", "name": "Cancelling"}
    machines.runs.call("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": False})
    machines.runs.wait_final(run, "CANCELLED")
    machines.runs.wait_final(child, "CANCELLED")
    clock.right_again("the retrain and its training are Cancelled, and stay so")
    others = machines.runs.children(run)
    wait_until(lambda: all(machines.runs.read(one["id"])["end_time"] for one in others), "all children over", 60)
    assert "AwaitingRetry" not in machines.runs.state_names(run)
    assert len(machines.objects.releases()) == before
