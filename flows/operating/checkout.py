"""The checkout that deployments come from, and its settings files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from rhapsody_lib.errors import InputError, RhapsodyError

Say = Callable[[str], None]


class DeployError(RhapsodyError):
    """The Prefect server does not look like prefect.yaml yet."""


def checkout() -> Path:
    """The folder that prefect.yaml and deployments/ are in.

    Raises:
        DeployError: Rhapsody was installed as a package; the files that describe deployments are not part of it.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "prefect.yaml").is_file():
        raise DeployError(
            f"{root} has no prefect.yaml: this is an installed package. Deploy and serve from a checkout of Rhapsody; "
            "a worker needs none ('prefect worker start --pool cpu-pool')."
        )
    return root


def env_file(name: str) -> dict[str, str]:
    """The settings of `deployments/<name>.env`."""
    lines = (checkout() / "deployments" / f"{name}.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def private(folder: Path) -> Path:
    """Make a folder that its owner alone can read, and return it.

    Raises:
        InputError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}. Name another folder with --home.") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} cannot be written. Name another folder with --home.")
    return folder
