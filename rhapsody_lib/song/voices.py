"""Which voice of eSpeak NG reads a word: by the script it is written in, and what else the song's words tell."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from rhapsody_lib.music.score import Syllable
from rhapsody_lib.words.languages import latin_language

#: Latin letters are read as English, unless the song is in one of these languages.
LATIN_VOICE = "en-us"
LATIN_VOICES: Mapping[str, str] = MappingProxyType(
    {
        "da": "da",
        "de": "de",
        "es": "es",
        "fi": "fi",
        "fr": "fr",
        "it": "it",
        "nl": "nl",
        "pl": "pl",
        "pt": "pt-br",
        "sv": "sv",
    }
)
#: Voice by the first word of a letter's Unicode name.
SCRIPT_VOICES: Mapping[str, str] = MappingProxyType(
    {
        "ARABIC": "ar",
        "ARMENIAN": "hy",
        "BENGALI": "bn",
        "CJK": "cmn",
        "CYRILLIC": "ru",
        "DEVANAGARI": "hi",
        "ETHIOPIC": "am",
        "GEORGIAN": "ka",
        "GREEK": "el",
        "GUJARATI": "gu",
        "GURMUKHI": "pa",
        "HANGUL": "ko",
        "HEBREW": "he",
        "HIRAGANA": "ja",
        "KANNADA": "kn",
        "KATAKANA": "ja",
        "LATIN": LATIN_VOICE,
        "MALAYALAM": "ml",
        "SINHALA": "si",
        "TAMIL": "ta",
        "TELUGU": "te",
        "THAI": "th",
    }
)
#: (voice, letters of which a song in another language of the same script has one, that language's voice).
_TELLING = (("ru", "іїєґ", "uk"), ("ru", "ў", "be"), ("ar", "پچژگ", "fa"), ("ar", "ٹڈڑے", "ur"))


def _script(char: str) -> str:
    return unicodedata.name(char, "").split(" ")[0].split("-")[0]


def voices_of(words: Iterable[str]) -> list[str]:
    """The voice for each word of a song; '' for one that no voice can read.

    A word without letters, such as a number, is read in the language of the word before it. Japanese ideograms have no
    voice: eSpeak reads kana alone.
    """
    # Full-width letters, ª and µ become those they stand for, whose names tell the script.
    words = [unicodedata.normalize("NFKC", word) for word in words]
    text = "".join(words).lower()
    scripts = {_script(char) for char in set(text)}
    changed = {voice: other for voice, letters, other in _TELLING if set(letters) & set(text)}
    if scripts & {"HIRAGANA", "KATAKANA"}:
        changed["cmn"] = ""
    latin = changed[LATIN_VOICE] = LATIN_VOICES.get(latin_language(words), LATIN_VOICE)
    found, last = [], latin
    for word in words:
        letter = next((char for char in word if char.isalpha()), "")
        voice = SCRIPT_VOICES.get(_script(letter), "") if letter else last
        last = changed.get(voice, voice)
        found.append(last)
    return found


def told_voices(syllables: Iterable[Syllable]) -> dict[str, int]:
    """How many words of a fitted song each voice reads; under `none` those that are sung on a vowel alone."""
    words, word = [], ""
    for syllable in syllables:
        word += syllable.text
        if syllable.ends_word:
            words.append(word)
            word = ""
    found = voices_of([*words, *([word] if word else [])])
    return {voice or "none": found.count(voice) for voice in sorted(set(found))}
