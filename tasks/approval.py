"""A person's word before a release: the run is suspended, with the verdict of the gate, until somebody answers.

Suspended and not paused: a run that waits holds no process and no place in its queue, and outlives its worker and
the server. Resumed, it runs again from its start, where everything is Cached, and finds the answer.
"""

from __future__ import annotations

import hashlib

from prefect import suspend_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field

from rhapsody_lib.errors import RefusedError
from rhapsody_lib.gate import Verdict
from tasks.report import verdict_markdown

#: How long a run waits for an answer, a weekend and two days; then the server fails it.
TIMEOUT_S = 4 * 24 * 3600


class Answer(RunInput):
    """The form of a run that waits."""

    release: bool = Field(True, description="Make this the live release.")
    note: str = Field("", max_length=200, description="Kept in the log of the run.")


def ask_person(verdict: Verdict) -> None:
    """Suspend the run until a person has released or refused; the same verdict is asked about once.

    Raises:
        RefusedError: the person refused.
    """
    question = verdict_markdown(verdict)
    key = f"release-{hashlib.sha256(question.encode()).hexdigest()[:12]}"
    form = Answer.with_initial_data(description=question)
    answer = suspend_flow_run(wait_for_input=form, timeout=TIMEOUT_S, key=key)
    said = f": {answer.note}" if answer.note else "."
    if not answer.release:
        raise RefusedError(f"A person did not approve the release{said}")
    get_run_logger().info("A person approved the release%s", said)
