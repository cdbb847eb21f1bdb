"""A Prefect server for the session's flow tests: ephemeral, with results and settings of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def prefect_server(tmp_path_factory):
    """Flows of these tests run against a server that lives as long as the session."""
    from prefect.settings import (
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
        PREFECT_RESULTS_LOCAL_STORAGE_PATH,
        temporary_settings,
    )
    from prefect.testing.utilities import prefect_test_harness

    with (
        prefect_test_harness(server_startup_timeout=90),
        temporary_settings(
            {
                PREFECT_RESULTS_LOCAL_STORAGE_PATH: str(tmp_path_factory.mktemp("results")),
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,  # a second a run
            }
        ),
    ):
        yield
