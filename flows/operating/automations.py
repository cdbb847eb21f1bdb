"""Automations: one YAML file each in `deployments/automations/`, created or updated by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from flows.operating.checkout import DeployError, Say

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events.schemas.automations import Automation

#: Names that begin so are ours: one that has no file any more is removed.
PREFIX = "rhapsody: "
NOTIFICATION = "send-notification"


def make_automations(client: SyncPrefectClient, folder: Path, notify: str, say: Say) -> None:
    """Create or update every automation. Notifications go to the block `notify`, or where they went before, or nowhere.

    Raises:
        DeployError: There is no such block.
    """
    import yaml
    from prefect.events.schemas.automations import AutomationCore

    block = _block_id(client, notify) if notify else None
    found = {one.name: one for one in client.read_automations() if one.name.startswith(PREFIX)}
    described = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    for wanted in described:
        existing = found.pop(wanted["name"], None)
        wanted["actions"] = _with_block(wanted["actions"], block or _block_of(existing))
        if existing is None:
            client.create_automation(AutomationCore.model_validate(wanted))
        else:
            # Whether it is switched on is the operator's.
            core = AutomationCore.model_validate({**wanted, "enabled": existing.enabled})
            client.update_automation(existing.id, core)
    for gone in found.values():
        client.delete_automation(gone.id)
        say(f"automation {gone.name!r} removed")
    say(f"{len(described)} automations: {', '.join(one['name'].removeprefix(PREFIX) for one in described)}")


def _block_id(client: SyncPrefectClient, notify: str) -> UUID:
    from prefect.exceptions import ObjectNotFound

    kind, _, name = notify.partition("/")
    try:
        return client.read_block_document_by_name(name, kind, include_secrets=False).id
    except ObjectNotFound as error:
        raise DeployError(
            f"The server has no notification block {notify!r}. Make it in the UI (Blocks), or leave --notify out."
        ) from error


def _block_of(existing: Automation | None) -> UUID | None:
    """The block that an automation notifies now."""
    from prefect.events.actions import SendNotification

    actions = existing.actions if existing else []
    return next((action.block_document_id for action in actions if isinstance(action, SendNotification)), None)


def _with_block(actions: list[dict[str, Any]], block: UUID | None) -> list[dict[str, Any]]:
    """The actions, with notifications sent to the block; without one, an event in the feed is all there is."""
    known = [
        {**action, "block_document_id": str(block)} if action["type"] == NOTIFICATION else action
        for action in actions
        if block is not None or action["type"] != NOTIFICATION
    ]
    return known or [{"type": "do-nothing"}]
