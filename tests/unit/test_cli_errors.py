"""What the command says of itself, and of errors that are not its own."""

from __future__ import annotations

from importlib import metadata

import pytest
from typer.testing import CliRunner

from flows import cli
from flows.operating.checkout import DeployError


@pytest.mark.parametrize("command", [["song", "hello"], ["train"]])
def test_a_server_that_is_away_is_one_error_with_its_remedy(monkeypatch, tmp_path, command):
    def away(*_: object, **__: object) -> None:
        raise RuntimeError("Failed to reach API at http://127.0.0.1:4310/api/")

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4310/api")
    monkeypatch.setattr(cli, "_train", away)
    result = CliRunner().invoke(cli.app, [*command, "--store", str(tmp_path)])
    assert result.exit_code == DeployError.exit_code
    assert "http://127.0.0.1:4310/api cannot be reached. Is the server running?" in result.stderr
    assert "unset PREFECT_API_URL" in result.stderr
    assert "RuntimeError" not in result.stderr


def test_the_version_is_told():
    result = CliRunner().invoke(cli.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"rhapsody {metadata.version('rhapsody')}\n")
