from __future__ import annotations

import pytest

from rhapsody_lib.lyrics.metrics import distinct


def test_distinct() -> None:
    lines = [["a", "b", "a", "b"], ["a", "b"]]
    assert distinct(lines, 1) == pytest.approx(2 / 6)
    assert distinct(lines, 2) == pytest.approx(2 / 4)
    assert distinct([], 2) == 1
