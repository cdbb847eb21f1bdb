from __future__ import annotations

import pytest

from rhapsody_lib.corpus.language import detect_language

GERMAN = "Am Brunnen vor dem Tore da steht ein Lindenbaum ich träumt in seinem Schatten so manchen süßen Traum "
ENGLISH = "The river runs under the bridge and away to the sea and nobody knows where the little boats go "


@pytest.mark.parametrize("repeats", [1, 4])
def test_short_and_long_texts_are_told_apart(repeats: int) -> None:
    assert detect_language(GERMAN * repeats, "en") == "de"
    assert detect_language(ENGLISH * repeats, "en") == "en"


def test_a_few_letters_say_nothing() -> None:
    assert detect_language("la la la", "en") == "und"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="xx"):
        detect_language(ENGLISH, "xx")
