"""Songs are told by how long their lines are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rhapsody_lib.retrieval.shapes import ShapeTable, shape_of

BALLAD = "the river runs to the wide grey sea\nand I run to you\n" * 3
LONG = "the river runs to the wide grey sea tonight\nand all the while I am running on to you\n" * 3
SHORT = "river run\nrun to you\n" * 3


def test_the_nearest_metre_is_found_whatever_the_words() -> None:
    table = ShapeTable.build([LONG, BALLAD, SHORT, ""])
    other = "a lamp is lit in the last hotel\nand nobody knows\n" * 4
    scores = table.scores(other)
    assert scores.argmax() == 1
    assert scores[3] == scores.min()
    assert table.scores(BALLAD)[1] == 0


def test_long_and_short_lines_in_turn_differ_from_the_same_lines_in_blocks() -> None:
    blocks = "the river runs to the wide grey sea\n" * 3 + "and I run to you\n" * 3
    one, other = shape_of(BALLAD), shape_of(blocks)
    assert one[:3] == pytest.approx(other[:3])
    assert abs(one - other)[3:].max() > 0.1


def test_no_words_have_no_shape() -> None:
    assert np.isnan(shape_of(" \n...")).all()
    assert ShapeTable.build([LONG, SHORT]).scores("").tolist() == [0, 0]
    assert ShapeTable.build(["", ""]).scores(LONG).tolist() == [0, 0]


def test_a_written_table_is_the_same(tmp_path: Path) -> None:
    table = ShapeTable.build([LONG, "", SHORT])
    table.write(tmp_path / "shapes.arrow")
    loaded = ShapeTable.load(tmp_path / "shapes.arrow", 3)
    np.testing.assert_array_equal(loaded.scores(BALLAD), table.scores(BALLAD))
    with pytest.raises(ValueError, match="4 songs"):
        ShapeTable.load(tmp_path / "shapes.arrow", 4)
