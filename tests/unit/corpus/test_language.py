from __future__ import annotations

import pytest

from rhapsody_lib.corpus.language import KNOWN_LANGUAGES, check_language, detect_language
from rhapsody_lib.errors import InputError

GERMAN = "Am Brunnen vor dem Tore da steht ein Lindenbaum ich träumt in seinem Schatten so manchen süßen Traum "
ENGLISH = "The river runs under the bridge and away to the sea and nobody knows where the little boats go "


@pytest.mark.parametrize("repeats", [1, 4])
def test_short_and_long_texts_are_told_apart(repeats: int) -> None:
    assert detect_language(GERMAN * repeats, "en") == "de"
    assert detect_language(ENGLISH * repeats, "en") == "en"


def test_a_few_letters_say_nothing() -> None:
    assert detect_language("la la la", "en") == "und"


def test_an_unknown_language_is_refused_with_the_codes_that_are_known() -> None:
    for text in (ENGLISH, ""):
        with pytest.raises(InputError, match=r"corpus\.language: 'zz'.*'any'.* de, .* en, "):
            detect_language(text, "zz")


def test_the_codes_stated_are_those_that_the_detector_knows() -> None:
    lingua = pytest.importorskip("lingua")
    assert list(KNOWN_LANGUAGES) == sorted(each.iso_code_639_1.name.lower() for each in lingua.Language.all())
    for code in (*KNOWN_LANGUAGES, "any"):
        check_language(code)
