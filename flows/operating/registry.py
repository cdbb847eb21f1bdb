"""Deployments and schedules: the server is made to look like prefect.yaml, what is no longer in it included."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.operating.checkout import DeployError, Say

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

#: Tag of every deployment of ours; without it, nothing is ever removed.
OURS = "rhapsody"


def flow_name(entrypoint: str) -> str:
    """Name of the flow of an entry point: `flows.train_lyrics.train_lyrics` is `train-lyrics`."""
    return entrypoint.rsplit(".", 1)[-1].replace("_", "-")


def wanted_deployments(prefect_file: Path) -> dict[str, dict[str, Any]]:
    """The deployments of a prefect.yaml, by full name (`retrain/weekly`)."""
    import yaml

    described = yaml.safe_load(prefect_file.read_text(encoding="utf-8"))["deployments"]
    return {f"{flow_name(one['entrypoint'])}/{one['name']}": one for one in described}


def apply_registry(client: SyncPrefectClient, root: Path, prefect_file: Path, say: Say) -> None:
    """Run `prefect deploy --all`, then remove deployments and schedules of ours that are no longer described.

    Raises:
        DeployError: Prefect refused; the message is Prefect's own.
    """
    # With RHAPSODY_HOME set here, it would be expanded here instead of on the worker.
    environment = {name: value for name, value in os.environ.items() if name != "RHAPSODY_HOME"}
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(prefect_file)]
    done = subprocess.run(  # noqa: S603 - nothing of a user's is in the command but the path of a file
        command,
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        # Ctrl-C is for this process alone, which decides what becomes of the command: `rhapsody serve` lets it end.
        start_new_session=True,
    )
    if done.returncode != 0:
        raise DeployError(f"'prefect deploy --all' failed:\n{(done.stdout + done.stderr).strip()}")
    wanted = wanted_deployments(prefect_file)
    say(f"{len(wanted)} deployments: {', '.join(sorted(wanted))}")
    _remove_what_is_gone(client, wanted, say)


def _remove_what_is_gone(client: SyncPrefectClient, wanted: dict[str, dict[str, Any]], say: Say) -> None:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[OURS])))
    for deployment in ours:
        full_name = f"{client.read_flow(deployment.flow_id).name}/{deployment.name}"
        if full_name not in wanted:
            client.delete_deployment(deployment.id)
            say(f"deployment {full_name} removed")
            continue
        slugs = {schedule["slug"] for schedule in wanted[full_name].get("schedules") or []}
        for schedule in deployment.schedules:
            if schedule.slug not in slugs:
                client.delete_deployment_schedule(deployment.id, schedule.id)
                say(f"schedule {schedule.slug or schedule.id} of {full_name} removed")
