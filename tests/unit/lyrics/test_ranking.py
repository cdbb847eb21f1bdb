from __future__ import annotations

import pytest

from rhapsody_lib.lyrics.proposals import Line
from rhapsody_lib.lyrics.ranking import SCORE_WEIGHTS, Written, score, score_parts


def test_the_parts_are_what_they_are_said_to_be() -> None:
    lines = [Line([1, 2], [-1.0, -3.0], 0.0, 1.0), Line([3], [-4.0, -4.0, -7.0], 0.0, 0.0)]
    lines[0].theme = 2
    written = Written(lines, misses=[0, 1], rhymes=[1.0, 0.8], wished=4)
    parts = score_parts(written, [["la", "la", "la"], ["oh", "my"]])
    assert parts == pytest.approx(
        {
            "log_probability": -19 / 5,
            "weakest_line": -5.0,
            "rhyme": 0.9,
            "regularity": 0.75,
            "distinctness": 2 / 3,
            "theme": 0.5,
            "completeness": 0.5,
        }
    )
    assert score(parts) == pytest.approx(sum(SCORE_WEIGHTS[name] * value for name, value in parts.items()))


def test_a_song_of_which_nothing_could_be_written_is_not_complete() -> None:
    assert score_parts(Written(wished=5), [["la"]])["completeness"] == 0
    assert score_parts(Written(), [["la"]])["completeness"] == 1
