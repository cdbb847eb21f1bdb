"""Runs of deployments: started from within a task, followed to their end, whatever happens to the server meanwhile."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from rhapsody_lib.errors import StageFailedError

logger = logging.getLogger("rhapsody_lib.runs")

T = TypeVar("T")
POLL_S = 2.0
#: A server that is away for longer fails the run that asks it.
PATIENCE_S = 900.0


def patiently(ask: Callable[[], T]) -> T:
    """Ask the Prefect server; while it does not answer, ask again, up to `PATIENCE_S`."""
    deadline, said = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            return ask()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
            if refused or time.monotonic() > deadline:
                raise
            if not said:
                logger.warning("The Prefect server does not answer (%s); asking again every %g s.", error, POLL_S)
                said = True
            time.sleep(POLL_S)


def start_run(deployment: str, parameters: Mapping[str, Any], name: str, key: str) -> FlowRun:
    """Start a run of a deployment as a child of the run that this is called in, or take up one that goes on.

    Args:
        deployment: its name.
        parameters: of the run.
        name: of the run.
        key: of the work. A flow run that was restarted takes up the child that it had started for it, unless that
            child has ended: whoever asks has just seen that the store lacks what it was to make.

    Raises:
        StageFailedError: the deployment is not there.
    """
    context = FlowRunContext.get()
    parent = context.flow_run.id if context and context.flow_run else uuid4()
    for attempt in itertools.count():

        def ask(once: str = f"{parent}:{key}:{attempt}") -> Any:
            return run_deployment(
                deployment, parameters=dict(parameters), flow_run_name=name, timeout=0, idempotency_key=once
            )

        try:
            run: FlowRun = patiently(ask)
        except ObjectNotFound as error:
            raise StageFailedError(f"There is no deployment '{deployment}'. Run 'rhapsody deploy' first.") from error
        if run.state is None or not run.state.is_final():
            logger.info("Started %s (%s)", deployment, name)
            return run
    raise AssertionError("unreachable")


def follow(run_id: UUID, what: str) -> State[Any]:
    """Wait until a run has ended; its changes of state become log lines.

    Raises:
        StageFailedError: the run was deleted.
    """

    def ask() -> State[Any] | None:
        with get_client(sync_client=True) as client:
            return client.read_flow_run(run_id).state

    shown = ""
    while True:
        try:
            state = patiently(ask)
        except ObjectNotFound as error:
            raise StageFailedError(f"{what} was deleted on the server before it had ended.") from error
        if state is not None and state.name != shown:
            shown = state.name or ""
            logger.info("%s: %s", what, shown)
        if state is not None and state.is_final():
            return state
        time.sleep(POLL_S)


def cancel_children(flow: Any, flow_run: FlowRun, state: Any) -> None:  # noqa: ARG001  (names are Prefect's)
    """Hook of a flow that was cancelled: cancel the runs it had started and that have not ended."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

    with get_client(sync_client=True) as client:
        children = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[flow_run.id]))
        )
        for child in children:
            if child.state is None or not child.state.is_final():
                client.set_flow_run_state(child.id, Cancelling(message=f"{flow_run.name} was cancelled"))
