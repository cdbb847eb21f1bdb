"""A person's word before a release: the run waits on its page, with the verdict of the gate, until somebody answers."""

from __future__ import annotations

from prefect import pause_flow_run
from prefect.exceptions import FlowPauseTimeout
from prefect.input import RunInput
from pydantic import Field

from rhapsody_lib.errors import RefusedError
from rhapsody_lib.gate import Verdict
from tasks.report import verdict_markdown

#: How long a run waits for an answer: a weekend and two days.
TIMEOUT_S = 4 * 24 * 3600


class Answer(RunInput):
    """The form on the page of a run that waits."""

    release: bool = Field(True, description="Make this the live release.")
    note: str = Field("", max_length=200, description="Kept in the log of the run.")


def ask_person(verdict: Verdict) -> None:
    """Pause the run until a person has released or refused.

    Raises:
        RefusedError: the person refused, or nobody answered in time.
    """
    form = Answer.with_initial_data(description=verdict_markdown(verdict))
    try:
        answer = pause_flow_run(wait_for_input=form, timeout=TIMEOUT_S)
    except FlowPauseTimeout as error:
        raise RefusedError("Nobody approved the release in time. Run it again: everything is kept.") from error
    if not answer.release:
        raise RefusedError(f"A person did not approve the release{': ' + answer.note if answer.note else ''}.")
