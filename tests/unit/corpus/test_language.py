from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.language import KNOWN_LANGUAGES, LANGUAGES, _sample, check_language, detect_language
from rhapsody_lib.corpus.language_words import _WORDS, language_by_function_words
from rhapsody_lib.errors import InputError

GERMAN = "Am Brunnen vor dem Tore da steht ein Lindenbaum ich träumt in seinem Schatten so manchen süßen Traum "
ENGLISH = "The river runs under the bridge and away to the sea and nobody knows where the little boats go "


@pytest.mark.parametrize("repeats", [1, 4])
def test_short_and_long_texts_are_told_apart(repeats: int) -> None:
    assert detect_language(GERMAN * repeats, "en") == "de"
    assert detect_language(ENGLISH * repeats, "en") == "en"


def test_a_few_letters_say_nothing() -> None:
    assert detect_language("la la la", "en") == "und"


PORTUGUESE = "não sei por que você foi embora, o meu coração ainda chora assim quando a noite chega e eu espero"


@pytest.mark.parametrize(
    ("text", "code"),
    [(ENGLISH, "en"), (GERMAN, None), (PORTUGUESE, "pt"), ("the sea and the moon", "en"), ("oh my love oh my", None)],
)
def test_function_words_settle_what_is_certain(text: str, code: str | None) -> None:
    assert language_by_function_words(text.casefold().replace(",", "").split()) == code


@given(st.lists(st.sampled_from([*ENGLISH.split(), *PORTUGUESE.split()]), max_size=60))
def test_function_words_of_two_languages_settle_nothing(words: list[str]) -> None:
    code = language_by_function_words(words)
    if code is not None:
        other = set(_WORDS["pt" if code == "en" else "en"].split())
        assert sum(word in other for word in words) * 8 <= sum(word in _WORDS[code].split() for word in words)


def test_no_function_word_stands_in_two_lists() -> None:
    words = [word for listed in _WORDS.values() for word in listed.split()]
    assert len(words) == len(set(words))
    assert set(_WORDS) <= set(LANGUAGES)


def test_a_language_that_lyrics_are_rarely_in_is_told_when_it_is_asked_for() -> None:
    basque = (
        "maite zaitut esan nion itsasoaren ondoan eguzkia sartzen ari zen bitartean eta berak irribarre egin zidan "
    )
    assert detect_language(basque * 3, "eu") == "eu"


def test_the_whole_of_a_long_text_is_sampled() -> None:
    assert len(_sample("x" * 5000)) < 500
    assert {"start", "end"} <= set(_sample("start " + "la " * 1000 + " end").split())


def test_an_unknown_language_is_refused_with_the_codes_that_are_known() -> None:
    for text in (ENGLISH, ""):
        with pytest.raises(InputError, match=r"corpus\.language: 'zz'.*'any'.* de, .* en, "):
            detect_language(text, "zz")


def test_the_codes_stated_are_those_that_the_detector_knows() -> None:
    lingua = pytest.importorskip("lingua")
    assert list(KNOWN_LANGUAGES) == sorted(each.iso_code_639_1.name.lower() for each in lingua.Language.all())
    for code in (*KNOWN_LANGUAGES, "any"):
        check_language(code)
