"""Questions to a Prefect API over plain HTTP: the test process itself never becomes a Prefect client."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.prefect_server import ROOT
from tests.servers.process import wait_until


class Api:
    """A Prefect API; `auth` is `user:password`."""

    def __init__(self, url: str, auth: str = "") -> None:
        self.url, self.auth = url, auth

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request; returns the JSON it answers with.

        Raises:
            urllib.error.HTTPError: The status is 400 or more.
        """
        request = urllib.request.Request(f"{self.url}{path}", method=method)
        request.add_header("Content-Type", "application/json")
        if self.auth:
            request.add_header("Authorization", "Basic " + base64.b64encode(self.auth.encode()).decode())
        data = None if body is None else json.dumps(body).encode()
        text = b""

        def answered() -> bool:
            nonlocal text
            try:
                with urllib.request.urlopen(request, data, timeout=30) as answer:
                    text = answer.read()
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                # SQLite is locked for a moment; Prefect's own client asks again, too.
                error.close()
                return False
            return True

        wait_until(answered, f"an answer to {method} {path}", 30, 0.3)
        return json.loads(text) if text else None

    def all_of(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """Everything that `POST <path>/filter` finds."""
        found: list[dict[str, Any]] = self.call("POST", f"{path}/filter", {"limit": 200, **body})
        return found

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Deployments by full name."""
        flows = {flow["id"]: flow["name"] for flow in self.all_of("/flows")}
        return {f"{flows[one['flow_id']]}/{one['name']}": one for one in self.all_of("/deployments")}

    def run(self, deployment: str, **parameters: Any) -> str:
        """Start a run of a deployment; returns its id."""
        found = self.deployments()[deployment]
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.call("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def state(self, run: str) -> dict[str, Any]:
        """State of a run: type, name, message."""
        found: dict[str, Any] = self.call("GET", f"/flow_runs/{run}")["state"]
        return found

    def wait_for(self, run: str, *types: str, deadline_s: float = 120) -> dict[str, Any]:
        """Poll until the run is in a state of these types, also while the server is away; returns the state."""

        def there() -> bool:
            try:
                return self.state(run)["type"] in types
            except (urllib.error.URLError, OSError):
                return False

        wait_until(there, f"run {run} in state {' or '.join(types)}", deadline_s, 0.2)
        return self.state(run)


def deploy(env: Mapping[str, str], prefect_file: Path | None = None, *options: str) -> str:
    """`rhapsody deploy` (of an edited prefect.yaml, where one is given); returns all that it printed.

    Raises:
        AssertionError: It failed.
    """
    command = [sys.executable, "-m", "flows.cli", "deploy", *options]
    if prefect_file is not None:
        code = (
            "import os, pathlib, sys; from flows.deploy import deploy_to; from flows.operating.pools import PoolType; "
            "deploy_to(os.environ['PREFECT_API_URL'], PoolType.PROCESS, {}, '', print, pathlib.Path(sys.argv[1]))"
        )
        command = [sys.executable, "-c", code, str(prefect_file)]
    done = subprocess.run(command, check=False, cwd=ROOT, env=dict(env), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
