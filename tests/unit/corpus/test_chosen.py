"""Songs by artist, genre and year."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rhapsody_lib.corpus.chosen import not_chosen
from rhapsody_lib.settings import CorpusSettings


def test_without_a_choice_every_song_is_taken() -> None:
    assert not_chosen("", (), 0, CorpusSettings()) is None


@pytest.mark.parametrize("written", ["The Beatles", "beatles", "BEATLES, THE", "  The  Beatles "])
def test_an_artist_is_one_however_the_name_is_written(written: str) -> None:
    assert not_chosen(written, (), 0, CorpusSettings(artists=("Beatles", "Queen"))) is None


def test_accents_and_marks_of_a_name_do_not_count() -> None:
    asked = CorpusSettings(artists=("Beyonce", "AC/DC"))
    assert not_chosen("Beyoncé", (), 0, asked) is None
    assert not_chosen("ACDC", (), 0, asked) is None
    assert not_chosen("The The", (), 0, CorpusSettings(artists=("the the",))) is None


def test_an_artist_not_asked_for_and_one_not_known_are_told_apart() -> None:
    asked = CorpusSettings(artists=("Queen",))
    assert not_chosen("Queens of the Stone Age", (), 0, asked) == "artist 'Queens of the Stone Age' is not asked for"
    assert not_chosen("", (), 0, asked) == "the artist is not known"


def test_a_name_without_letters_is_not_another_without_letters() -> None:
    assert not_chosen("!!!", (), 0, CorpusSettings(artists=("???",))) is not None


def test_one_genre_of_several_is_enough_and_its_spelling_does_not_count() -> None:
    asked = CorpusSettings(genres=("Pop/Rock",))
    assert not_chosen("", ("Jazz", "Pop_Rock"), 0, asked) is None
    assert not_chosen("", ("Jazz", "Folk"), 0, asked) == "genre 'Jazz', 'Folk' is not asked for"
    assert not_chosen("", (), 0, asked) == "the genre is not known"


@pytest.mark.parametrize("year", [1960, 1965, 1969])
def test_years_reach_from_the_first_to_the_last(year: int) -> None:
    assert not_chosen("", (), year, CorpusSettings(years=(1960, 1969))) is None


def test_years_outside_and_unknown_ones_are_left_out() -> None:
    asked = CorpusSettings(years=(1960, 1969))
    assert not_chosen("", (), 1970, asked) == "year 1970 is not asked for"
    assert not_chosen("", (), 0, asked) == "the year is not known"


def test_years_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValidationError, match="the first year comes first"):
        CorpusSettings(years=(1969, 1960))
