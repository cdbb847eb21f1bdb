from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.words.rhyme import rhyme_classes, rhyme_part, rhyme_strength, rhyme_vowels, rhymes

EXAMPLES = [
    "night",
    "knight",
    "light",
    "home",
    "stone",
    "love",
    "rain",
    "again",
    "melody",
    "me",
    "сон",
    "он",
    "天空",
    "in'",
]
WORDS = st.one_of(st.text(alphabet=st.characters(exclude_categories=()), max_size=12), st.sampled_from(EXAMPLES))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("night", "light"), ("butterfly", "sky"), ("roses", "poses"), ("singing", "bringing"), ("Day,", "away!"),
        ("сон", "он"), ("glimmerwist", "mist"), ("walkin'", "talkin'"), ("wind", "pinned"), ("moon", "June"),
        ("the road is long", "song"),
    ],
)  # fmt: skip
def test_rhymes(a: str, b: str) -> None:
    assert rhymes(a, b)
    assert rhymes(b, a)
    assert rhyme_strength(a, b) == 1.0


@pytest.mark.parametrize(
    ("a", "b"),
    [("night", "night"), ("night", "knight"), ("home", "stone"), ("love", "move"), ("singing", "ring"), ("", "")],
)
def test_does_not_rhyme(a: str, b: str) -> None:
    assert not rhymes(a, b)
    assert rhyme_strength(a, b) < 1.0


def test_strength_orders_pairs_as_an_ear_does() -> None:
    pairs = [("night", "light"), ("home", "stone"), ("home", "road"), ("home", "bright")]
    strengths = [rhyme_strength(a, b) for a, b in pairs]
    assert strengths == sorted(strengths, reverse=True)
    assert len(set(strengths)) == len(pairs)
    assert strengths[-1] == 0.0


@given(WORDS, WORDS)
def test_strength_is_symmetric_and_bounded(a: str, b: str) -> None:
    assert rhyme_strength(a, b) == rhyme_strength(b, a)
    assert 0.0 <= rhyme_strength(a, b) <= 1.0
    assert rhymes(a, b) == (rhyme_strength(a, b) == 1.0)


def test_rhyme_part_begins_at_the_last_stressed_vowel() -> None:
    assert rhyme_part("remember") == ("EH", "M", "B", "ER")
    assert rhyme_part("Lullaby") == ("AY",)
    assert rhyme_part("—") == ()


@given(st.lists(WORDS, max_size=8))
def test_classes_are_equal_exactly_for_equal_parts(words: list[str]) -> None:
    words = [word for word in words if not word.startswith("<")]
    classes = rhyme_classes(words)
    for first, a in zip(words, classes, strict=True):
        assert (a == -1) == (rhyme_part(first) == ())
        for second, b in zip(words, classes, strict=True):
            assert (a == b) == (rhyme_part(first) == rhyme_part(second))


def test_marks_have_no_class() -> None:
    assert rhyme_classes(["night", "<line>", "light", "knight", "moon"]).tolist() == [0, -1, 0, 0, 1]


@given(WORDS, WORDS)
def test_strong_rhymes_have_the_same_vowels(a: str, b: str) -> None:
    assert rhyme_strength(a, b) <= 0.6 or rhyme_vowels(a) == rhyme_vowels(b)


def test_vowels_of_merged_speakers_are_one() -> None:
    assert rhyme_strength("caught", "hot") > 0.6
    assert rhyme_vowels("caught") == rhyme_vowels("hot") != rhyme_vowels("home")
