"""What a test asks a Prefect server over its REST API: runs started, followed and read, as an operator's page shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import httpx

from tests.servers.prefect_server import PrefectServer
from tests.servers.process import wait_until

Run = dict[str, Any]
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class PrefectApi:
    """A client that bears the server's absence: what it asks then, it asks again."""

    def __init__(self, server: PrefectServer) -> None:
        self.server = server

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer: httpx.Response | None = None
        auth = self.server.env.get("PREFECT_SERVER_API_AUTH_STRING")
        given = tuple(auth.split(":", 1)) if auth else None

        def asked() -> bool:
            nonlocal answer
            try:
                answer = httpx.request(
                    method, f"{self.server.api_url}{path}", json=body, timeout=10,
                    auth=(given[0], given[1]) if given else None,
                )  # fmt: skip
            except httpx.TransportError:
                return False
            return answer.status_code < 500

        wait_until(asked, f"{method} {path}", deadline_s=120, pause_s=0.2)
        assert answer is not None
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def start(
        self, deployment: str, parameters: Mapping[str, Any], env: Mapping[str, str] | None = None, key: str = ""
    ) -> str:
        """Start a run of a deployment, with variables of its own if `env`; its id."""
        found = self._ask("GET", f"/deployments/name/{deployment}")
        body: dict[str, Any] = {"parameters": dict(parameters), "state": {"type": "SCHEDULED"}}
        if env:
            body["job_variables"] = {"env": dict(env)}
        if key:
            body["idempotency_key"] = key
        return str(self._ask("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def run(self, run_id: str) -> Run:
        """A flow run as it is now."""
        run: Run = self._ask("GET", f"/flow_runs/{run_id}")
        return run

    def wait(self, run_id: str, reached: Callable[[Run], bool], what: str, deadline_s: float = 120) -> Run:
        """Wait until a run is as wanted.

        Raises:
            TimeoutError: it was not; the message has its states and the end of its log.
        """
        try:
            wait_until(lambda: reached(self.run(run_id)), what, deadline_s, pause_s=0.25)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.story(run_id)}") from None
        return self.run(run_id)

    def wait_final(self, run_id: str, deadline_s: float = 120, *, state: str = "COMPLETED") -> Run:
        """Wait until a run has ended, and see that it ended in the right type of state."""
        run = self.wait(run_id, lambda run: run["state_type"] in FINAL, f"the end of {run_id}", deadline_s)
        assert run["state_type"] == state, self.story(run_id)
        return run

    def wait_running(self, run_id: str, deadline_s: float = 60) -> Run:
        """Wait until a run is Running."""
        return self.wait(run_id, lambda run: run["state_type"] == "RUNNING", f"{run_id} Running", deadline_s)

    def states(self, run_id: str) -> list[Run]:
        """All states of a run, oldest first."""
        found: list[Run] = self._ask("GET", f"/flow_run_states/?flow_run_id={run_id}")
        return sorted(found, key=lambda state: moment(state["timestamp"]))

    def state_names(self, run_id: str) -> list[str]:
        """Names of all states of a run, oldest first."""
        return [state["name"] for state in self.states(run_id)]

    def children(self, run_id: str) -> list[Run]:
        """The runs that a run has started, oldest first."""
        body = {"flow_runs": {"parent_flow_run_id": {"any_": [run_id]}}, "sort": "START_TIME_ASC"}
        found: list[Run] = self._ask("POST", "/flow_runs/filter", body)
        return found

    def tasks(self, run_id: str) -> dict[str, str]:
        """State name of each task of a run, by the task's name; of the last try where there were several."""
        body = {"flow_runs": {"id": {"any_": [run_id]}}, "sort": "EXPECTED_START_TIME_ASC"}
        runs = self._ask("POST", "/task_runs/filter", body)
        return {run["name"].rsplit("-", 1)[0]: run["state_name"] for run in runs}

    def task_runs(self, run_id: str) -> list[Run]:
        """The task runs of a run."""
        found: list[Run] = self._ask("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
        return found

    def log(self, run_id: str) -> str:
        """What a run's page shows as its log."""
        body = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        return "\n".join(line["message"] for line in self._ask("POST", "/logs/filter", body))

    def story(self, run_id: str) -> str:
        """States and log of a run and of its children, for a test that failed."""
        parts = []
        for run in [self.run(run_id), *self.children(run_id)]:
            states = ", ".join(f"{one['name']} ({one['message']})" for one in self.states(run["id"]))
            parts.append(f"{run['name']}: {states}\n{self.log(run['id'])[-3000:]}")
        return "\n\n".join(parts)

    def is_online(self, pool: str, worker: str) -> bool:
        """Whether a worker of a pool has reported to the server lately."""
        found = self._ask("POST", f"/work_pools/{pool}/workers/filter", {})
        return any(one["name"] == worker and one["status"] == "ONLINE" for one in found)

    def automations(self) -> list[Run]:
        """All automations."""
        found: list[Run] = self._ask("POST", "/automations/filter", {})
        return found

    def replace_automation(self, automation: Run) -> None:
        """Put a changed automation in the place of the old one."""
        body = {name: value for name, value in automation.items() if name not in ("id", "created", "updated")}
        self._ask("PUT", f"/automations/{automation['id']}", body)


def moment(text: str) -> datetime:
    """A timestamp of the API."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
