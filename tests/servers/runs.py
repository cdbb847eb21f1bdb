"""Runs of deployments started, followed and read over the REST API: what an operator's page shows."""

from __future__ import annotations

import urllib.error
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from tests.servers.api import Api
from tests.servers.process import wait_until

Run = dict[str, Any]
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Runs(Api):
    """A client that bears the server's absence: what it asks then, it asks again."""

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request, asked again while the server is away.

        Raises:
            AssertionError: the server refuses it.
        """
        answers: list[Any] = []

        def asked() -> bool:
            try:
                answers.append(super(Runs, self).call(method, path, body))
            except urllib.error.HTTPError as error:
                assert error.code >= 500, f"{method} {path}: {error.code} {error.read().decode()}"
                return False
            except OSError:
                return False
            return True

        wait_until(asked, f"{method} {path}", deadline_s=120, pause_s=0.2)
        return answers[0]

    def start(self, deployment: str, parameters: Mapping[str, Any], env: Mapping[str, str] | None = None) -> str:
        """Start a run of a deployment, with environment variables of its own if `env`; its id."""
        found = self.call("GET", f"/deployments/name/{deployment}")
        body: dict[str, Any] = {"parameters": dict(parameters), "state": {"type": "SCHEDULED"}}
        if env:
            body["job_variables"] = {"env": dict(env)}
        return str(self.call("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def read(self, run_id: str) -> Run:
        """A flow run as it is now."""
        found: Run = self.call("GET", f"/flow_runs/{run_id}")
        return found

    def wait(self, run_id: str, reached: Callable[[Run], bool], what: str, deadline_s: float = 120) -> Run:
        """Wait until a run is as wanted.

        Raises:
            TimeoutError: it was not; the message has its states and the end of its log.
        """
        try:
            wait_until(lambda: reached(self.read(run_id)), what, deadline_s, pause_s=0.25)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.story(run_id)}") from None
        return self.read(run_id)

    def wait_final(self, run_id: str, state: str = "COMPLETED", deadline_s: float = 240) -> Run:
        """Wait until a run has ended, and see that it ended in the right type of state."""
        run = self.wait(run_id, lambda run: run["state_type"] in FINAL, f"the end of {run_id}", deadline_s)
        assert run["state_type"] == state, self.story(run_id)
        return run

    def wait_completed(self, run_id: str, deadline_s: float = 400) -> Run:
        """Wait until a run has completed, over crashes after which it is started again."""
        ended = ("COMPLETED", "FAILED", "CANCELLED")
        run = self.wait(run_id, lambda run: run["state_type"] in ended, f"the end of {run_id}", deadline_s)
        assert run["state_type"] == "COMPLETED", self.story(run_id)
        return run

    def wait_running(self, run_id: str, deadline_s: float = 120) -> Run:
        """Wait until a run is Running."""
        return self.wait(run_id, lambda run: run["state_type"] == "RUNNING", f"{run_id} Running", deadline_s)

    def states(self, run_id: str) -> list[Run]:
        """All states of a run, oldest first."""
        found: list[Run] = self.call("GET", f"/flow_run_states/?flow_run_id={run_id}")
        return sorted(found, key=lambda state: moment(state["timestamp"]))

    def state_names(self, run_id: str) -> list[str]:
        """Names of all states of a run, oldest first."""
        return [state["name"] for state in self.states(run_id)]

    def children(self, run_id: str, kind: str = "") -> list[Run]:
        """The runs that a run has started, oldest first; those whose name says a kind of artifact."""
        found = self.all_of("/flow_runs", flow_runs={"parent_flow_run_id": {"any_": [run_id]}})
        return [run for run in sorted(found, key=lambda run: moment(run["created"])) if kind in run["name"]]

    def wait_child(self, run_id: str, kind: str, number: int = 0, deadline_s: float = 120) -> Run:
        """Wait until a run has started the `number`-th run of a kind."""
        self.wait(run_id, lambda _: len(self.children(run_id, kind)) > number, f"{kind} run {number}", deadline_s)
        return self.children(run_id, kind)[number]

    def tasks(self, run_id: str) -> dict[str, str]:
        """State name of each task of a run's last try, by the name of its function."""
        found = self.all_of("/task_runs", flow_runs={"id": {"any_": [run_id]}})
        ordered = sorted(found, key=lambda run: moment(run["created"]))
        return {step_of(run): run["state_name"] for run in ordered}

    def log(self, run_id: str) -> str:
        """What a run's page shows as its log."""
        lines = self.all_of("/logs", logs={"flow_run_id": {"any_": [run_id]}}, sort="TIMESTAMP_ASC")
        return "\n".join(line["message"] for line in lines)

    def story(self, run_id: str) -> str:
        """States and log of a run and of its children, for a test that failed."""
        parts = []
        for run in [self.read(run_id), *self.children(run_id)]:
            states = ", ".join(f"{one['name']} ({one['message']})" for one in self.states(run["id"]))
            parts.append(f"{run['name']}: {states}\n{self.log(run['id'])[-3000:]}")
        return "\n\n".join(parts)

    def is_online(self, pool: str, worker: str) -> bool:
        """Whether a worker of a pool has reported to the server lately."""
        found = self.all_of(f"/work_pools/{pool}/workers")
        return any(one["name"] == worker and one["status"] == "ONLINE" for one in found)

    def automation(self, name: str) -> Run:
        """An automation, found by a part of its name."""
        return next(one for one in self.all_of("/automations") if name in one["name"])

    def change_automation(self, name: str, change: Callable[[Run], object]) -> None:
        """Change an automation, found by a part of its name, in place."""
        found = self.automation(name)
        change(found)
        body = {key: value for key, value in found.items() if key not in ("id", "created", "updated")}
        self.call("PUT", f"/automations/{found['id']}", body)


def step_of(task_run: Run) -> str:
    """The function that a task run runs: its task's key without the digest."""
    return str(task_run["task_key"]).rsplit("-", 1)[0]


def moment(text: str) -> datetime:
    """A timestamp of the API."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
