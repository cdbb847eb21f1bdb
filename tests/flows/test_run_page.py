"""Live progress in a real run: bars and curves as artifacts, and no training held up by a server that is away."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from rhapsody_lib.progress import recorder, reporter
from tasks import live
from tests.servers.process import wait_until


def artifacts_of(flow_run_id: object) -> list[Any]:
    """What the page of a run shows, by key from Z to A; Prefect's own records of results are none of it."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=of_run, sort="KEY_DESC")
    return [artifact for artifact in found if artifact.type in {"progress", "image"}]


def test_bars_and_curves_are_on_the_page_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SEND_INTERVAL_S", 0.01)
    seen: list[str] = []

    @task
    def train() -> None:
        from prefect.runtime import flow_run

        with live.run_page("train-x"):
            progress, record = reporter("Training x"), recorder("Training x")
            progress(1, 4, "loss 2")
            wait_until(lambda: bool(artifacts_of(flow_run.id)), "the page")
            seen.extend(artifact.description for artifact in artifacts_of(flow_run.id))
            record(1, {"train nll": 2.0, "heldout nll": 2.1})
            progress(2, 4, "loss 1")

    @flow
    def run() -> object:
        from prefect.runtime import flow_run

        train()
        return flow_run.id

    bar, curves = artifacts_of(run())
    assert seen[0].startswith("Training x: 1 of 4, loss 2")
    assert (bar.key, bar.type, bar.data) == ("train-x-progress", "progress", 100)
    assert bar.description == "Training x: 2 of 4, loss 1, ended early"
    assert (curves.key, curves.type) == ("train-x-curves", "image")
    assert curves.data.startswith("data:image/svg+xml;base64,")


def test_short_work_leaves_no_bar() -> None:
    @task
    def quick() -> None:
        with live.run_page("quick"):
            reporter("Quick")(1, 1)

    @flow
    def run() -> object:
        from prefect.runtime import flow_run

        quick()
        return flow_run.id

    assert artifacts_of(run()) == []


def test_a_server_that_is_away_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(live, "SEND_INTERVAL_S", 0.01)
    monkeypatch.setattr(live, "LAST_SEND_TIMEOUT_S", 0.05)
    tries: list[int] = []

    def away(**_: object) -> object:
        tries.append(1)
        raise ConnectionError("refused")

    monkeypatch.setattr(live, "get_client", away)

    @task
    def train() -> str:
        with live.run_page("train-y"):
            reporter("Training y")(1, 4)
            wait_until(lambda: len(tries) > 3, "three tries to send")
        return "trained"

    @flow
    def run() -> str:
        return train()

    assert run() == "trained"
    assert caplog.text.count("not up to date (ConnectionError: refused)") == 1


def test_a_failing_task_is_not_said_to_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SEND_INTERVAL_S", 0.01)
    ids: list[object] = []

    @task
    def train() -> None:
        from prefect.runtime import flow_run

        ids.append(flow_run.id)
        with live.run_page("train-z"):
            reporter("Training z")(1, 4)
            wait_until(lambda: bool(artifacts_of(flow_run.id)), "the page")
            raise ValueError("spoilt")

    @flow
    def run() -> None:
        train()

    with pytest.raises(ValueError, match="spoilt"):
        run()
    (bar,) = artifacts_of(ids[0])
    assert bar.data == 25
