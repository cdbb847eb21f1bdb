"""A process whose clock is wrong, by libfaketime."""

from __future__ import annotations

from pathlib import Path

import pytest


def shifted_clock(seconds: int) -> dict[str, str]:
    """The variables that shift a process's wall clock; its monotonic clock stays right. Skips without libfaketime."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.skip("needs libfaketime: apt-get install libfaketime")
    return {"LD_PRELOAD": str(libraries[0]), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
