"""Which language lyrics are in: lingua, which is deterministic, over the languages that songs are often written in.

Before it is asked, the function words that only one language has (`language_words`) are counted: they settle most songs
at a hundredth of the cost. lingua then judges by trigrams alone: after the function words that is nearly as good on
short texts as all of its n-grams, which take ten times the memory. docs/decisions/0039 has the figures.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rhapsody_lib.corpus.language_words import language_by_function_words
from rhapsody_lib.errors import InputError
from rhapsody_lib.optional import require

#: ISO 639-1 codes to tell apart. A short list is faster and, on short texts, more often right than all 75.
LANGUAGES = (
    "ar", "cy", "da", "de", "el", "en", "es", "fi", "fr", "ga", "he", "hi", "it", "ja", "ko", "la", "nb", "nl", "pl",
    "pt", "ru", "sv", "uk", "zh",
)  # fmt: skip
#: All that lingua can tell, stated here so that a setting is checked without it.
KNOWN_LANGUAGES = (
    "af", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "eo", "es", "et", "eu", "fa",
    "fi", "fr", "ga", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "ko", "la", "lg", "lt",
    "lv", "mi", "mk", "mn", "mr", "ms", "nb", "nl", "nn", "pa", "pl", "pt", "ro", "ru", "sk", "sl", "sn", "so", "sq",
    "sr", "st", "sv", "sw", "ta", "te", "th", "tl", "tn", "tr", "ts", "uk", "ur", "vi", "xh", "yo", "zh", "zu",
)  # fmt: skip
ANY_LANGUAGE = "any"
UNDETERMINED = "und"
#: Fewer letters than this say too little.
MIN_LETTERS = 24
#: What lingua is shown of a text: some pieces, evenly spread. It takes as long as its sample, and all is no better.
_MAX_CHARACTERS = 4000
_PIECES, _PIECE_CHARACTERS = 4, 120


@lru_cache(maxsize=4)
def _detector(languages: tuple[str, ...]) -> Any:
    lingua = require("lingua")
    codes = [getattr(lingua.IsoCode639_1, code.upper()) for code in languages]
    return lingua.LanguageDetectorBuilder.from_iso_codes_639_1(*codes).with_low_accuracy_mode().build()


#: Names that data sets use instead of codes.
_CODE_OF_NAME = {
    "arabic": "ar", "welsh": "cy", "danish": "da", "german": "de", "greek": "el", "english": "en", "spanish": "es",
    "finnish": "fi", "french": "fr", "irish": "ga", "hebrew": "he", "hindi": "hi", "italian": "it", "japanese": "ja",
    "korean": "ko", "latin": "la", "norwegian": "nb", "dutch": "nl", "polish": "pl", "portuguese": "pt",
    "russian": "ru", "swedish": "sv", "ukrainian": "uk", "chinese": "zh",
}  # fmt: skip


def language_code(label: str) -> str:
    """The ISO 639-1 code that a label such as `en`, `pt-BR` or `ENGLISH` means; '' for any other."""
    plain = label.strip().lower()
    code = _CODE_OF_NAME.get(plain, plain.replace("_", "-").partition("-")[0])
    return code if code in KNOWN_LANGUAGES else ""


def check_language(wanted: str) -> None:
    """Refuse a setting of `corpus.language` that no lyrics could ever be found to be in.

    Raises:
        InputError: it is neither `any` nor a code in `KNOWN_LANGUAGES`.
    """
    if wanted not in {*KNOWN_LANGUAGES, ANY_LANGUAGE}:
        raise InputError(
            f"corpus.language: '{wanted}' is not a language that can be detected. Set it to '{ANY_LANGUAGE}' or one of "
            f"{', '.join(KNOWN_LANGUAGES)}."
        )


def _sample(text: str) -> str:
    """Pieces of a long text from its start to its end, at most `_PIECES * _PIECE_CHARACTERS` characters."""
    room = _PIECES * _PIECE_CHARACTERS
    if len(text) <= room:
        return text
    starts = [number * (len(text) - _PIECE_CHARACTERS) // (_PIECES - 1) for number in range(_PIECES)]
    return " ".join(text[start : start + _PIECE_CHARACTERS] for start in starts)


def detect_language(text: str, wanted: str) -> str:
    """The ISO 639-1 code of a text, or `und` where it is too short or fits no language.

    Args:
        text: lyrics without headings.
        wanted: the code asked for; told apart too if it is not among `LANGUAGES`.

    Raises:
        MissingExtraError: lingua is not installed.
        InputError: `wanted` is not in `KNOWN_LANGUAGES`.
    """
    check_language(wanted)
    text = text[:_MAX_CHARACTERS]
    told_apart = tuple(sorted({*LANGUAGES, wanted} - {ANY_LANGUAGE}))
    sample = _sample(text)
    if sum(map(str.isalpha, sample)) < MIN_LETTERS:
        return UNDETERMINED
    certain = language_by_function_words(text.split()) if told_apart == LANGUAGES else None
    if certain is not None:
        return certain
    found = _detector(told_apart).detect_language_of(sample)
    return UNDETERMINED if found is None else str(found.iso_code_639_1.name).lower()
