"""The machines that faults are done to; what is measured is printed, and kept where RHAPSODY_FAULT_TABLE says."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.stack import Stack, stack  # noqa: F401  (a fixture)

SLOW = "slow_faults"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A fault takes its time on a busy machine; the slow ones are left out unless they are asked for."""
    left_out = []
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))
            if item.get_closest_marker(SLOW) and SLOW not in (config.getoption("-m") or ""):
                left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


class Clock:
    """Seconds from a fault until it was right again, and what the operator saw; one row of the fault table."""

    def __init__(self, fault: str) -> None:
        self.fault, self._since = fault, time.monotonic()

    def restart(self) -> None:
        """The fault is done now."""
        self._since = time.monotonic()

    def right_again(self, seen: str) -> None:
        """It is right again now; what was seen meanwhile."""
        row = {"fault": self.fault, "right_again_s": round(time.monotonic() - self._since, 1), "seen": seen}
        print(f"\n{json.dumps(row)}")
        path = os.environ.get("RHAPSODY_FAULT_TABLE")
        if path:
            with Path(path).open("a", encoding="utf-8") as table:
                table.write(json.dumps(row) + "\n")


@pytest.fixture
def clock(request: pytest.FixtureRequest) -> Clock:
    """The row of this test in the fault table, named by the first line of its docstring."""
    return Clock((request.node.obj.__doc__ or request.node.name).splitlines()[0].rstrip("."))


@pytest.fixture
def machines(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:  # noqa: F811
    """The machines, all alive, with a live release; afterwards nothing may be half made."""
    stack.mend()
    if not stack.objects.releases():
        stack.runs.wait_final(stack.retrain(), deadline_s=400)
    failed = request.session.testsfailed
    yield stack
    stack.mend()
    if request.session.testsfailed > failed:
        print(stack.logs())
    stack.objects.check_whole()


@pytest.fixture(params=[6.0, pytest.param(30.0, marks=pytest.mark.slow_faults)], ids=["6s", "30s"])
def outage_s(request: pytest.FixtureRequest) -> float:
    """For how long a server is away: long enough to be missed, or the half minute that the operator's guide states."""
    return float(request.param)
