"""Fixtures of real servers, imported by a conftest.py, so that all modules below it share one server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.swift import Swift


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    """OpenStack Swift with its S3 API, one for the session. A test makes buckets of its own in it."""
    server = Swift(tmp_path_factory.mktemp("swift"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def s3(swift: Swift, monkeypatch: pytest.MonkeyPatch) -> Swift:
    """The same, started if a test before left it dead, and with its AWS_* variables in this process's environment."""
    if not swift.processes:
        swift.start()
    for name, value in swift.environment.items():
        monkeypatch.setenv(name, value)
    return swift
