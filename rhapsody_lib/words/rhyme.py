"""Rhyme: the sounds from the last stressed vowel on (`night`, `light`), by the CMU dictionary, else by spelling.

Perfect rhyme needs the same rhyme part in words that are not said alike. Slant rhyme (`home`, `stone`) keeps the vowel
and likens the consonants by place and manner.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from rhapsody_lib.words.nuclei import spelled_nuclei
from rhapsody_lib.words.pronunciation import is_vowel, phones
from rhapsody_lib.words.tokens import APOSTROPHES, tokenize_line

#: First letters tried, the commonest first, to find a known word that is spelled like the end of an unknown one.
_ONSET_LETTERS = "tsblmrfdpnwhgckjv"
_NEAR_VOWELS = frozenset(
    frozenset(pair)
    for pair in (
        ("AA", "AH"), ("AO", "OW"), ("IH", "IY"), ("EH", "IH"), ("AE", "EH"), ("UH", "UW"), ("AH", "UH"),
        ("EY", "EH"), ("ER", "AH"), ("AY", "OY"),
    )
)  # fmt: skip
#: One vowel for half the speakers of English (`gone`, `on`).
_MERGED_VOWELS = frozenset(("AA", "AO"))
_FAMILIES = ("PTK", "BDG", ("M", "N", "NG"), ("F", "TH", "S", "SH"), ("V", "DH", "Z", "ZH"), ("L", "R"), ("CH", "JH"))
_VOICED_PAIRS = ("PB", "TD", "KG", "FV", ("TH", "DH"), "SZ", ("SH", "ZH"), ("CH", "JH"))
_HOMOPHONE_STRENGTH = 0.5


def _is_stressed(phone: str) -> bool:
    return phone[-1] in "12"


def _last_word(text: str) -> str:
    tokens = tokenize_line(text)
    return tokens[-1] if tokens else ""


def _said_part(said: tuple[str, ...]) -> tuple[str, ...]:
    vowels = [place for place, phone in enumerate(said) if is_vowel(phone)]
    if not vowels:
        return ()
    start = max((place for place in vowels if _is_stressed(said[place])), default=vowels[-1])
    # The weak vowels of roses and poses are one, whatever the dictionary's authors heard.
    return tuple(
        "AH" if phone in ("IH0", "AH0") and place > 0 else phone[:2] if is_vowel(phone) else phone
        for place, phone in enumerate(said[start:])
    )


def _spelled_part(word: str) -> tuple[str, ...]:
    """The rhyme part of a known word spelled like the end of this one, else the last letters themselves."""
    decomposed = unicodedata.normalize("NFD", word)
    letters = "".join(c for c in decomposed if unicodedata.category(c)[0] != "M" and c not in APOSTROPHES) or word
    nuclei = spelled_nuclei(letters)
    if not nuclei:
        return tuple(letters[-1:])
    for start in range(1, nuclei[-1][0] + 1):
        known = phones(letters[start:]) if len(letters) - start >= 3 else None
        if known:
            return _said_part(known)
    rime = letters[nuclei[-1][0] :]
    for onset in _ONSET_LETTERS:
        known = phones(onset + rime)
        if known:
            return _said_part(known)
    return tuple(rime)


@lru_cache(maxsize=65536)
def _parts(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(rhyme part, all sounds) of the last word of a text."""
    word = _last_word(text)
    said = phones(word) or phones(word.strip("'"))
    if said:
        bare = tuple(phone[:2] if is_vowel(phone) else phone for phone in said)
        return _said_part(said), bare
    return (_spelled_part(word[-24:]) if word else ()), tuple(word)


def rhyme_part(word: str) -> tuple[str, ...]:
    """Phonemes without stress digits from the last stressed vowel (main or secondary) on.

    Args:
        word: a word, or a line, of which the last word counts.

    Returns:
        Upper-case phonemes; lower-case letters where neither the word nor one spelled like it is in the dictionary;
        empty for no word at all.
    """
    return _parts(word)[0]


def rhymes(a: str, b: str) -> bool:
    """Whether two words rhyme perfectly. None rhymes with itself or with one said alike (`night`, `knight`)."""
    (part_a, said_a), (part_b, said_b) = _parts(a), _parts(b)
    return bool(part_a) and part_a == part_b and said_a != said_b


def _alike(a: str | None, b: str | None) -> float:
    """Likeness of two consonants in [0, 1]; None stands for a missing one."""
    if a == b:
        return 1.0
    if a is None or b is None:
        return 0.6 if (a or b) in ("S", "Z", "T", "D") else 0.4
    if any(a in pair and b in pair for pair in _VOICED_PAIRS):
        return 0.8
    return 0.7 if any(a in family and b in family for family in _FAMILIES) else 0.2


def _split_syllables(part: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """(vowel, consonants after it) of each syllable."""
    starts = [place for place, phone in enumerate(part) if is_vowel(phone)]
    return [(part[start], part[start + 1 : end]) for start, end in itertools.pairwise([*starts, len(part)])]


@lru_cache(maxsize=65536)
def _part_strength(part_a: tuple[str, ...], part_b: tuple[str, ...]) -> float:
    syllables_a, syllables_b = _split_syllables(part_a), _split_syllables(part_b)
    if not syllables_a or not syllables_b:
        return 0.0
    if len(syllables_a) != len(syllables_b):
        # The end of `melody` may be sung with a stress and rhyme with `me`.
        return 0.6 if syllables_a[-1] == syllables_b[-1] and syllables_a[-1][0] not in ("AH", "ER") else 0.0
    strength = 1.0
    for (vowel_a, coda_a), (vowel_b, coda_b) in zip(syllables_a, syllables_b, strict=True):
        if vowel_a != vowel_b:
            pair = frozenset((vowel_a, vowel_b))
            strength *= 0.9 if pair == _MERGED_VOWELS else 0.5 if pair in _NEAR_VOWELS else 0.0
        likeness = [_alike(x, y) for x, y in itertools.zip_longest(coda_a, coda_b)]
        strength *= 0.35 + 0.65 * (sum(likeness) / len(likeness) if likeness else 1.0)
    return strength


def rhyme_strength(a: str, b: str) -> float:
    """How well two words rhyme: 1 perfect, 0 not at all or the same word; between them slant rhymes.

    Vowels alike before like consonants (`home`, `stone`) have about 0.8, before others (`home`, `road`) about 0.5, and
    so have words said alike.
    """
    (part_a, said_a), (part_b, said_b) = _parts(a), _parts(b)
    if _last_word(a) == _last_word(b) or not part_a or not part_b:
        return 0.0
    if part_a == part_b:
        return 1.0 if said_a != said_b else _HOMOPHONE_STRENGTH
    return _part_strength(part_a, part_b)


def rhyme_vowels(word: str) -> tuple[str, ...]:
    """Vowels of the rhyme part, those that many speakers merge as one: rhymes stronger than 0.6 have the same."""
    merged = min(_MERGED_VOWELS)
    return tuple(merged if phone in _MERGED_VOWELS else phone for phone in rhyme_part(word) if is_vowel(phone))


def rhyme_classes(words: Sequence[str]) -> npt.NDArray[np.int32]:
    """One number a word, `[words]`: equal for words with the same rhyme part, -1 for what has none.

    That is punctuation, and marks such as `<line>`.
    A word shares its class with itself and with words said alike: whoever looks for a rhyme must leave those out.
    """
    numbers: dict[tuple[str, ...], int] = {}
    parts = [() if word.startswith("<") else rhyme_part(word) for word in words]
    classes = [numbers.setdefault(part, len(numbers)) if part else -1 for part in parts]
    return np.asarray(classes, dtype=np.int32)
