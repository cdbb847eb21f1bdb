from __future__ import annotations

import numpy as np
import pytest

from rhapsody_lib.lyrics.metrics import (
    describe,
    distinct,
    perplexity,
    repeated_lines,
    rhyme_density,
    syllables_per_line,
)
from rhapsody_lib.words.document import parse_lyrics


def test_distinct() -> None:
    lines = [["a", "b", "a", "b"], ["a", "b"]]
    assert distinct(lines, 1) == pytest.approx(2 / 6)
    assert distinct(lines, 2) == pytest.approx(2 / 4)
    assert distinct([], 2) == 1


def test_repeated_lines_go_by_words() -> None:
    assert repeated_lines(parse_lyrics("One two\none, two!\nthree")) == pytest.approx(1 / 3)
    assert repeated_lines(parse_lyrics("")) == 0


def test_rhyme_density_counts_a_returning_section_once() -> None:
    song = parse_lyrics("[verse 1]\na night\na light\na tree\n\n[chorus]\na cat\n\n[chorus]\na cat\n")
    assert rhyme_density(song) == pytest.approx(2 / 4)
    assert rhyme_density(parse_lyrics("")) == 0


def test_syllables() -> None:
    assert syllables_per_line(parse_lyrics("wonder\nred red red red")) == (3, 1)
    assert syllables_per_line(parse_lyrics("")) == (0, 0)


def test_perplexity() -> None:
    assert perplexity(np.log([0.25, 0.25])) == pytest.approx(4)


def test_all_figures_have_names() -> None:
    figures = describe(parse_lyrics("the night\nthe light"))
    assert figures["distinct_1"] == pytest.approx(3 / 4)
    assert figures["rhyme_density"] == 1
    assert figures["syllables_per_line"] == 2
