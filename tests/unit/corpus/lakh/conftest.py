"""A Lakh corpus to be written, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.corpus.lakh.trees import TreeWriter


@pytest.fixture
def tree(tmp_path: Path) -> TreeWriter:
    (tmp_path / "lakh").mkdir()
    return TreeWriter(tmp_path / "lakh")
