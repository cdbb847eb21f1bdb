"""Work pools, their queues and limits, as `deployments/work_pools/` describes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.operating.checkout import Say

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


class PoolType(str, Enum):
    """How a worker of the pool runs a flow."""

    PROCESS = "process"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


def template_of(folder: Path, pool: str, kind: PoolType, env: Mapping[str, str]) -> dict[str, Any]:
    """The base job template of a pool; `env` goes to the environment of its runs."""
    template: dict[str, Any] = json.loads((folder / f"{pool}.{kind.value}.json").read_text(encoding="utf-8"))
    template["variables"]["properties"]["env"]["default"].update(env)
    return template


def make_pools(client: SyncPrefectClient, folder: Path, kind: PoolType, env: Mapping[str, str], say: Say) -> None:
    """Create or update every pool and queue; limits, priorities and pauses that exist are the operator's and stay.

    Raises:
        DeployError: A pool of that name is of another type, which Prefect cannot change.
    """
    import yaml

    for wanted in yaml.safe_load((folder / "pools.yaml").read_text(encoding="utf-8"))["pools"]:
        template = template_of(folder, wanted["name"], kind, env)
        made = _make_pool(client, wanted, kind, template)
        queues = {queue.name: queue for queue in client.read_work_queues(work_pool_name=wanted["name"])}
        for queue in wanted.get("queues", []):
            if queue["name"] not in queues:
                client.create_work_queue(work_pool_name=wanted["name"], **queue)
            elif queues[queue["name"]].description != queue["description"]:
                client.update_work_queue(queues[queue["name"]].id, description=queue["description"])
        say(f"work pool {wanted['name']} ({kind.value}) {made}")


def _make_pool(client: SyncPrefectClient, wanted: dict[str, Any], kind: PoolType, template: dict[str, Any]) -> str:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    from flows.operating.checkout import DeployError

    name, description = wanted["name"], wanted["description"]
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(
                name=name,
                type=kind.value,
                description=description,
                base_job_template=template,
                concurrency_limit=wanted.get("concurrency_limit"),
            )
        )
        return "created"
    if pool.type != kind.value:
        raise DeployError(
            f"Work pool {name} is of type {pool.type}, which Prefect cannot change. Deploy with --type {pool.type}, or "
            f"remove the pool first: 'prefect work-pool delete {name}' (what it holds goes with it)."
        )
    update = WorkPoolUpdate(description=description, base_job_template=template)
    if not pool.description:
        # Nobody described it: a worker that came first made it, and nobody chose its limit.
        update = WorkPoolUpdate(
            **update.model_dump(exclude_unset=True), concurrency_limit=wanted.get("concurrency_limit")
        )
    client.update_work_pool(name, update)
    return "updated"
