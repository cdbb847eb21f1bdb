"""Retrain everything and release it, if it is no worse than what is live.

Inputs: sources, profile, changes.  Output: the release that is live afterwards.  What was made before is Cached.
Pool: cpu-pool; started from a deployment, it runs lyrics, encoder and catalogue on gpu-pool beside backing on cpu-pool.
Environment: RHAPSODY_STORE; for s3:// the AWS_* variables.
"""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import deployment
from prefect.states import Failed

import tasks
import tasks.pools
from flows.forms import NO_CHANGES, SONGBOOK, Profile, Reason
from rhapsody_lib.artifacts import default_root
from rhapsody_lib.errors import RefusedError
from rhapsody_lib.operations.pipelines import train_all, without_asking
from rhapsody_lib.release import Release
from rhapsody_lib.settings import load_settings
from tasks.approval import ask_person
from tasks.names import training_run_name
from tasks.runs import cancel_children


@flow(
    name="retrain",
    flow_run_name=training_run_name,
    persist_result=False,
    on_cancellation=[cancel_children],
)
def retrain(
    sources: list[str] = SONGBOOK,
    profile: Profile = "fast",
    changes: list[str] = NO_CHANGES,
    gate: bool = True,
    accept_drift: bool = False,
    approval: bool = False,
    reason: Reason = "retrain",
    store: str = "",
) -> Release | State[Any]:
    """Prepare, train the three stages, embed the catalogue, evaluate, release what is no worse than what is live.

    Args:
        sources: Folders, files or source files (.toml) that the CPU workers can read; `songbook` is in the package.
        profile: `fast` trains in minutes, `full` until it gets no better.
        changes: Settings that differ from the profile, one a row, such as `backing.hidden_size=320`.
        gate: Refuse what is worse than the live release on held-out songs, and, before anything is trained, a corpus
            that drifted too far from the live release's. Off: release whatever was trained.
        accept_drift: Train on a corpus however far it is from the live release's.
        approval: Wait, before the release, until a person has answered on this run's page (Resume).
        reason: Said of the release in the list of releases.
        store: Address of the store. Empty: the worker's own (RHAPSODY_STORE).
    """
    steps: Any = tasks.pools if deployment.id else tasks
    approve = ask_person if approval else without_asking
    settings = load_settings(profile, [*changes, "drift.accept=true"] if accept_drift else changes)
    try:
        return train_all(steps, store or default_root(), settings, sources, reason, gate=gate, approve=approve)
    except RefusedError as refusal:
        return Failed(name="Refused", message=str(refusal), data=refusal)
