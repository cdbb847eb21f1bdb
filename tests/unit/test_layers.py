"""Importing a flow or the command loads no framework: a worker pays for what it runs, and `--help` is quick."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "tensorflow",
    "keras",
    "torch",
    "sentence_transformers",
    "onnxruntime",
    "openvino",
    "matplotlib",
    "lingua",
    "symusic",
)


def loaded_by(code: str) -> set[str]:
    """Which of the heavy modules a fresh interpreter has after running `code`."""
    script = f"{code}\nimport sys\nprint(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "flows.cli",
        "flows.retrain",
        "flows.generate_song",
        "tasks",
        "rhapsody_lib.operations",
        "rhapsody_lib.operations.health",
    ],
)
def test_importing_loads_no_framework(module):
    assert loaded_by(f"import {module}") == set()


def test_the_command_and_the_library_do_not_import_prefect():
    script = "import flows.cli, rhapsody_lib.operations, sys; print('prefect' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
