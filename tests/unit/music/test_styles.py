from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.songbook import STYLES as SONGBOOK_STYLES
from rhapsody_lib.music.grooves import DRUM_KIT, Groove, bar_of, clean, tokens
from rhapsody_lib.music.grooves_four import FOUR
from rhapsody_lib.music.grooves_three import SIX, THREE
from rhapsody_lib.music.score import PART_RANGES, Metre
from rhapsody_lib.music.styles import STYLES, bar_steps, choose_style, groove_for
from tests.unit.music.music_strategies import metres

SIGNS = {"drums": "xXo", "fill": "xXo", "bass": "rR35678aw"}
ALL_GROOVES = [(g, 16) for g in FOUR.values()] + [(g, 12) for g in (*THREE.values(), *SIX.values())]


def patterns(groove: Groove) -> list[tuple[str, str]]:
    found = []
    for field in fields(Groove):
        value = getattr(groove, field.name)
        for item in (value,) if field.name == "fill" else value:
            found += [(field.name, p) for p in (item.values() if hasattr(item, "values") else (item,))]
    return found


@pytest.mark.parametrize(("groove", "steps"), ALL_GROOVES)
def test_patterns_are_whole_bars_of_known_signs(groove: Groove, steps: int) -> None:
    for part, pattern in patterns(groove):
        assert clean(pattern) and len(clean(pattern)) % steps == 0, pattern
        assert set(clean(pattern)) <= set(SIGNS.get(part, "xXubfB01234pq") + ".-"), pattern
    assert set(groove.drums[0]) | set(groove.drums[1]) | set(groove.fill) <= set(DRUM_KIT)


def test_the_songbook_styles_are_all_here() -> None:
    assert set(STYLES) == set(SONGBOOK_STYLES)


def test_drum_pitches_are_in_range() -> None:
    low, high = PART_RANGES["drums"]
    assert all(low <= pitch <= high for pitch, _ in DRUM_KIT.values())


@given(st.sampled_from(sorted(STYLES)), metres)
def test_any_metre_gets_patterns_of_its_length(name: str, metre: Metre) -> None:
    groove = groove_for(STYLES[name], metre)
    for _, pattern in patterns(groove):
        assert len(clean(pattern)) % bar_steps(metre) == 0
    assert tokens(bar_of(groove.bass[1], 0, bar_steps(metre)))


def test_five_four_is_three_and_two() -> None:
    groove = groove_for(STYLES["swing"], Metre(0, 5, 4))
    assert clean(groove.bass[1])[:20] == "w---w---w---w---w---"
    assert clean(groove_for(STYLES["folk"], Metre(0, 12, 8)).guitar[0])[:24] == "b---x-f---x-" * 2


@pytest.mark.parametrize(
    ("metre", "bpm", "style"),
    [((3, 4), 120, "waltz"), ((6, 8), 90, "ballad"), ((6, 8), 150, "folk"), ((2, 4), 100, "country"),
     ((5, 4), 150, "swing"), ((4, 4), 60, "ballad"), ((4, 4), 90, "folk"), ((4, 4), 120, "pop"), ((4, 4), 160, "rock")],
)  # fmt: skip
def test_unknown_styles_follow_metre_and_tempo(metre: tuple[int, int], bpm: float, style: str) -> None:
    assert choose_style("polka", Metre(0, *metre), bpm).name == style
    assert choose_style("funk", Metre(0, *metre), bpm).name == "funk"
