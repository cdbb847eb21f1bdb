from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.words.nuclei import spelled_nuclei
from rhapsody_lib.words.pronunciation import _dictionary, is_vowel, phones
from rhapsody_lib.words.syllables import count_syllables, line_words, syllables

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=30)
LETTERS = st.text(alphabet="aeiouyrlstngmhdquckbw'’-ABéñ1天あゃ안я😀👍🏽\u200d\u0301,“ ", max_size=60)
SPLITS = """
won-der lit-tle rhy-thm sci-ence cre-ate peo-ple be-ing ev-ery ev-ery-thing fire de-sire some-thing qui-et heav-en
walked mil-lion beau-ti-ful rock-in' did-n't world's our flow-er pow-er cru-el po-em i-de-a to-mor-row daugh-ter
through nev-er riv-er bod-y mon-ey moth-er morn-ing walk-ing run-ning call-ing sis-ter mon-ster in-stead se-cret
be-tween a-way for-ev-er re-mem-ber yes-ter-day light-house thun-der-storm want-ed ros-es an-gel lan-guage ra-di-o
pi-an-o wher-ev-er eve-ning with-out teach-er
cor-ner a-bout up-on dou-ble does-n't wednes-day
""".split()  # noqa: SIM905


@pytest.mark.parametrize("split", SPLITS)
def test_words_part_as_in_printed_music(split: str) -> None:
    assert "-".join(piece.text for piece in syllables(split.replace("-", ""))) == split


@given(st.one_of(ANY_TEXT, LETTERS))
def test_pieces_joined_are_the_word_and_none_is_empty(word: str) -> None:
    pieces = syllables(word)
    assert "".join(piece.text for piece in pieces) == word
    assert len(pieces) >= 1
    assert all(piece.text for piece in pieces) or word == ""
    assert all(piece.stress in (0, 1, 2) for piece in pieces)


@given(st.one_of(ANY_TEXT, LETTERS))
def test_words_of_a_line_are_the_line(line: str) -> None:
    words = line_words(line)
    assert " ".join(words) == " ".join(line.split())
    assert count_syllables(line) == sum(len(syllables(word)) for word in words)
    assert (count_syllables(line) == 0) == (not line.split())


def test_stress_is_the_dictionarys_but_small_words_have_none() -> None:
    assert [piece.stress for piece in syllables("remember")] == [0, 1, 0]
    assert [piece.stress for piece in syllables("Butterfly")] == [1, 0, 2]
    assert [piece.stress for word in ("the", "Love", "of") for piece in syllables(word)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("1999", 4), ("天空是蓝色的", 6), ("きゃっと", 2), ("안녕하세요", 5), ("😀😀👍🏽", 1), ("Привет", 2), ("—", 1),
        ("naïve", 2), ("zzz", 1), ("glimmerwist", 3), ("“Hello,”", 2), ("twenty-one", 3), ("w", 1),
        ("mtv", 3), ("rock'n'roll", 3),
    ],
)  # fmt: skip
def test_counts_of_all_kinds_of_words(word: str, count: int) -> None:
    assert len(syllables(word)) == count


def test_lines() -> None:
    assert count_syllables("The sky is blue") == 4
    assert count_syllables("— love — and hate …") == 3
    assert count_syllables("  ") == 0
    assert line_words("— love — and") == ["— love —", "and"]


def test_a_very_long_word_takes_no_time() -> None:
    assert len(syllables("ba" * 20_000)) == 20_000


def test_spelling_alone_mostly_gives_the_dictionarys_count() -> None:
    words = [word for word in _dictionary() if word.isascii() and word.isalpha()][::40]
    right = [len(spelled_nuclei(word)) == sum(is_vowel(phone) for phone in phones(word) or ()) for word in words]
    assert len(words) > 2_500
    assert sum(right) / len(right) > 0.9


def test_words_found_in_the_text_of_the_dictionary_are_those_of_its_table() -> None:
    dictionary = _dictionary()
    entries = dictionary._entries
    words = [*list(entries)[::40], "sepultura", "stilton", "a", "zyuganov", "", "~", "qqqq", "a(2)", "zzzz"]
    assert {word: dictionary._found(word) for word in words} == {word: entries.get(word) for word in words}
