"""`rhapsody deploy`: make a Prefect server look like prefect.yaml and deployments/. Doing it twice does no harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from flows.operating.checkout import DeployError, Say, checkout
from flows.operating.pools import PoolType
from rhapsody_lib.errors import InputError
from rhapsody_lib.optional import require


def deploy(
    pool_type: Annotated[PoolType, typer.Option("--type", help="How workers run flows.")] = PoolType.PROCESS,
    env: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE that every run gets (docker and kubernetes). May be repeated; not for secrets."),
    ] = None,
    notify: Annotated[
        str, typer.Option(help="Notification block that automations use, TYPE/NAME, e.g. slack-webhook/operators.")
    ] = "",
) -> None:
    """Create or update pools, limits, deployments, schedules and automations; remove ours that are gone."""
    from flows import console

    require("prefect")
    deploy_to(server_address(), pool_type, _pairs(env or []), notify, console.say)


def server_address() -> str:
    """The API address that Prefect is set up with.

    Raises:
        DeployError: None is: an ephemeral server would forget everything at once.
    """
    from prefect.settings import PREFECT_API_URL

    address: str | None = PREFECT_API_URL.value()
    if not address:
        raise DeployError(
            "No Prefect server is set up. Start one ('rhapsody serve') and set PREFECT_API_URL to what it prints."
        )
    return address


def deploy_to(
    address: str,
    kind: PoolType,
    env: Mapping[str, str],
    notify: str,
    say: Say,
    prefect_file: Path | None = None,
) -> None:
    """Do all of it, in the order in which the parts need each other.

    Raises:
        DeployError: The server is away, refuses the credentials, or refuses a part.
    """
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    from flows.operating.automations import make_automations
    from flows.operating.pools import make_pools
    from flows.operating.registry import apply_registry

    root = checkout()
    say(f"Deploying to {address}")
    try:
        with get_client(sync_client=True) as client:
            make_pools(client, root / "deployments" / "work_pools", kind, env, say)
            apply_registry(client, root, prefect_file or root / "prefect.yaml", say)
            make_automations(client, root / "deployments" / "automations", notify, say)
    except PrefectHTTPStatusError as error:
        if error.response.status_code == 401:
            raise DeployError(
                f"{address} refuses these credentials. Set PREFECT_API_AUTH_STRING to user:password."
            ) from error
        raise DeployError(f"{address} refused: {error}") from error
    except httpx.HTTPError as error:
        raise DeployError(f"{address} cannot be reached: {error}. Is the server running?") from error


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise InputError(f"--env {text}: write NAME=VALUE.")
    return dict(text.split("=", 1) for text in texts)
