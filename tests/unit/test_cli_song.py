"""`rhapsody song -`: the prompt from stdin, whatever bytes stand there."""

from __future__ import annotations

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from flows.cli import app
from rhapsody_lib.errors import RefusedError
from rhapsody_lib.lyrics.decoder import MAX_PROMPT_WORDS
from rhapsody_lib.operations import requests


@pytest.mark.parametrize(("data", "length"), [(b"caf\xe9", 4), (b"a" * 1_000_000, 800_001)])
def test_any_bytes_of_stdin_are_a_prompt_of_bounded_length(monkeypatch, data: bytes, length: int) -> None:
    def check(*, prompt: str, **_: object) -> None:
        raise RefusedError(f"{len(prompt)} {prompt[:4]}")

    monkeypatch.setattr(requests, "check_request", check)
    result = CliRunner().invoke(app, ["song", "-"], input=data)
    assert result.exit_code == RefusedError.exit_code
    assert f"{length} {data[:4].decode('utf-8', 'replace')}" in result.stderr


def test_the_limit_of_a_prompt_stands_in_the_help() -> None:
    (prompt,) = (each for each in get_command(app).commands["song"].params if each.name == "prompt")
    assert f"at most {MAX_PROMPT_WORDS} words" in prompt.help
