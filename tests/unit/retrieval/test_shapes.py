"""Songs are told by how long their lines are."""

from __future__ import annotations

import numpy as np
import pytest

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.retrieval.shapes import STEP, ShapeTable, shape_of, shape_sums

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
    one, other = shape_of(BALLAD) * STEP, shape_of(blocks) * STEP
    assert one[:3] == pytest.approx(other[:3])
    assert abs(one - other)[3:].max() > 0.1


def test_no_words_have_no_shape() -> None:
    assert shape_of(" \n...").tolist() == [-(1 << 15)] * 5
    assert ShapeTable.build([LONG, SHORT]).scores("").tolist() == [0, 0]
    assert ShapeTable.build(["", ""]).scores(LONG).tolist() == [0, 0]


def test_a_table_does_not_depend_on_its_pieces() -> None:
    shapes = np.array([shape_of(text) for text in (LONG, "", SHORT, BALLAD, BALLAD)])
    whole = ShapeTable.of([shapes], [shape_sums(shapes)])
    parts = [shapes[:2], shapes[2:2], shapes[2:]]
    cut = ShapeTable.of(parts, list(map(shape_sums, parts)))
    np.testing.assert_array_equal(cut.spreads, whole.spreads)
    np.testing.assert_allclose(cut.scores(SHORT), whole.scores(SHORT), atol=1e-5)
    told = shapes[[0, 2, 3, 4]] * STEP
    np.testing.assert_allclose(whole.spreads * STEP, np.maximum(told.std(axis=0), 1e-3), rtol=1e-4)


@pytest.mark.parametrize("spread", [np.nan, 0.0])
def test_shapes_that_are_no_numbers_are_refused(spread: float) -> None:
    shapes = np.stack([shape_of("the river runs"), shape_of("snow on the hill\nsnow")])
    spreads = np.full(shapes.shape[1], spread, np.float32)
    with np.errstate(divide="ignore"), pytest.raises(DamagedArtifactError, match="no numbers"):
        ShapeTable([shapes], spreads).scores("the river runs")
