"""What the dashboard says of a run: names and tags of its tasks, and one message of an error that a user can mend."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

from rhapsody_lib.artifacts import Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.requests import check_request
from rhapsody_lib.release import RELEASE_KINDS, Release
from tests.servers.process import wait_until


def task_runs_of(flow_run_id: object, number: int) -> dict[str, list[str]]:
    """Tags of each task run of a flow run by its name, once the server was told of all ends."""
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:

        def ended() -> bool:
            runs = client.read_task_runs(flow_run_filter=of_run)
            return len(runs) == number and all(run.state and run.state.is_final() for run in runs)

        wait_until(ended, f"the end of {number} task runs")
        return {run.name: list(run.tags) for run in client.read_task_runs(flow_run_filter=of_run)}


def nothing(*_: Any, **__: Any) -> Any:
    return None


def test_the_steps_of_a_song_are_named_by_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import tasks
    from rhapsody_lib import operations

    for name in ("write_lyrics", "find_match", "compose_backing", "write_song"):
        monkeypatch.setattr(operations, name, nothing)
    request, release = check_request(prompt="{rain} on\nthe roof", seed=3), Release(1, {}, {}, None, "", "")

    @flow
    def run() -> object:
        from prefect.runtime import flow_run

        tasks.write_lyrics("", release, request)
        tasks.find_match("", release, None, request)
        tasks.find_match("", release, None)
        tasks.compose_backing("", release, request, None, None)
        tasks.write_song(release, request, None, None, None, Path())
        return flow_run.id

    steps = ("write_lyrics", "find_match", "compose_backing", "write_song")
    expected: dict[str, list[str]] = {f"{step}: {{rain}} on the roof (seed 3)": [] for step in steps}
    assert task_runs_of(run(), 5) == expected | {"find_match": []}


def test_the_steps_of_a_release_are_named_by_what_they_judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from rhapsody_lib import operations
    from tasks import training

    for name in ("report_drift", "report_verdict", "report_release"):
        monkeypatch.setattr(training, name, nothing)
    for name in ("check_corpus", "check_gate", "evaluate_models", "release_models"):
        monkeypatch.setattr(operations, name, nothing)
    store = Store(str(tmp_path))
    refs = {kind: store.ref(kind, kind.ljust(64, "0"), "") for kind in RELEASE_KINDS}

    @flow(validate_parameters=False)
    def run() -> object:
        from prefect.runtime import flow_run

        training.check_corpus("", None, refs["corpus"], True)
        training.evaluate_models("", refs, None)
        training.check_gate("", refs["lyrics"], None)
        training.release_models("", refs, "weekly {x}", None, None)
        return flow_run.id

    names = {"check corpus corpus00", "evaluate lyrics lyrics00, backing backing0", "gate lyrics00"}
    assert task_runs_of(run(), 4) == {name: ["cpu"] for name in (*names, "release: weekly {x}")}


def test_progress_of_a_step_is_called_so_once() -> None:
    from tasks import training

    steps = re.findall(r'run_page\("([^"]+)"\)', Path(training.__file__).read_text(encoding="utf-8"))
    assert "data-card" in steps
    assert not [step for step in steps if step.endswith(("-progress", "-curves"))]


@pytest.fixture
def failing() -> Any:
    """A flow of which a task fails with an error; given the error, it says how the run ended."""

    @task(retries=1)
    def step(error: Exception) -> None:
        raise error

    @flow
    def run(error: Exception) -> None:
        step(error)

    return run


def test_a_mendable_error_is_one_line_of_the_log(failing: Any, caplog: pytest.LogCaptureFixture) -> None:
    error = InputError("songs: holds no songs. Name another folder.")
    with pytest.raises(InputError) as raised:
        failing(error)
    assert raised.value is error
    told = [
        record for record in caplog.records if record.levelno >= logging.ERROR and record.name.startswith("prefect.")
    ]
    assert [record.getMessage() for record in told if "Finished in state" not in record.getMessage()] == [str(error)]
    assert "Traceback" not in caplog.text
    state = failing(InputError("again"), return_state=True)
    assert (state.name, state.message) == ("Failed", "Flow run encountered an exception: InputError: again")


@pytest.mark.parametrize(("error", "debug"), [(ValueError("a defect"), ""), (InputError("mendable"), "1")])
def test_a_defect_and_whoever_looks_for_one_keep_the_traceback(
    failing: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, error: Exception, debug: str
) -> None:
    monkeypatch.setenv("RHAPSODY_DEBUG", debug)
    with pytest.raises(type(error)):
        failing(error)
    assert "Traceback" in caplog.text
    assert "Encountered exception during execution" in caplog.text
