from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.words.tokens import clean_text, detokenize, tokenize_line

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
SUNG = st.text(alphabet="abinotILS'’‘ -,.159é天空ё🌧️👍🏽\u200d&%\u0301", max_size=40)


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        ("Don't stop, rockin’ baby!", ["don't", "stop", "rockin'", "baby"]),
        ("'Til the cows come home, 'cause", ["'til", "the", "cows", "come", "home", "'cause"]),
        ("He said ‘come in’ and left", ["he", "said", "come", "in", "and", "left"]),
        ("'goin' home' she said", ["goin'", "home", "she", "said"]),
        ("Rock 'n' roll & the boys' song", ["rock", "'n'", "roll", "&", "the", "boys", "song"]),
        ("na-na-na twenty-one 1,000 10:30", ["na", "na", "na", "twenty", "one", "1,000", "10:30"]),
        ("in 1999 we paid $5", ["in", "1999", "we", "paid", "$", "5"]),
        ("Я люблю тебя", ["я", "люблю", "тебя"]),
        ("天空是蓝色的。君の名は", ["天空是蓝色的", "君の名は"]),
        ("नमस्ते 안녕", ["नमस्ते", "안녕"]),
        ("🌧️🌧️rain👩‍👩‍👧 👍🏽", ["🌧️🌧️", "rain", "👩‍👩‍👧", "👍🏽"]),
        ("Cafe\u0301", ["café"]),
        ("?!... -- '' \"", []),
        ("", []),
    ],
)
def test_tokens_of_a_line(line: str, tokens: list[str]) -> None:
    assert tokenize_line(line) == tokens


def test_a_line_reads_like_a_line() -> None:
    assert detokenize(["i'm", "sure", "i", "saw", "it", "on", "monday"]) == "I'm sure I saw it on Monday"
    assert detokenize(["'til", "it's", "me"]) == "'Til it's me"
    assert detokenize([]) == ""


@given(st.one_of(ANY_TEXT, SUNG))
def test_tokens_survive_being_written_and_read(line: str) -> None:
    tokens = tokenize_line(line)
    assert tokenize_line(detokenize(tokens)) == tokens
    assert all(token and not any(character.isspace() for character in token) for token in tokens)


@given(st.one_of(ANY_TEXT, SUNG))
def test_no_letter_digit_or_symbol_of_a_prompt_is_lost(line: str) -> None:
    def essence(text: str) -> str:
        text = unicodedata.normalize("NFC", text.lower())
        return "".join(c for c in text if unicodedata.category(c)[0] in "LN" and c not in "ʼʻ")

    assert essence("".join(tokenize_line(line))) == essence(unicodedata.normalize("NFC", clean_text(line)))


@given(ANY_TEXT)
def test_clean_text_can_be_written_and_is_stable(text: str) -> None:
    cleaned = clean_text(text)
    cleaned.encode("utf-8")
    assert clean_text(cleaned) == cleaned == unicodedata.normalize("NFC", cleaned)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in cleaned)


def test_clean_text_keeps_whitespace_and_drops_the_invisible() -> None:
    assert clean_text("a\x00b\r\nc\td\u2028e\ufeff\u202e\ud800") == "ab\nc\td\ne"
    assert clean_text("👩\u200d👧") == "👩\u200d👧"


def test_a_storm_of_accents_costs_no_time() -> None:
    storm = "e" + "\u0301\u0316" * 100_000
    started = time.perf_counter()
    assert len(clean_text(storm)) < 40
    assert time.perf_counter() - started < 5
