"""Syllables of any word: pieces of its letters, as printed under the notes of a song, and their stress.

Count and stress come from the CMU dictionary; its phonemes are aligned with the letters to find the vowel of each
syllable, and hyphenation divides the consonants between. Words it lacks go by their spelling. Two liberties are taken
with the dictionary, because singers take them: `fire`, `hour` and their like are one syllable, and small words (`the`,
`of`, `and`) carry no stress.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from rhapsody_lib.words.hyphenation import Nucleus, cuts
from rhapsody_lib.words.languages import ENGLISH, has_rules, nuclei_of
from rhapsody_lib.words.nuclei import aligned_nuclei, spelled_nuclei
from rhapsody_lib.words.pronunciation import is_vowel, phones
from rhapsody_lib.words.tokens import character_class

_UNSTRESSED_WORDS = """
    a an the of to in on at by for from with and or nor but as if than that so is am are was were be been has have had
    do does did will would shall should can could may might must i me my we us our you your he him his she her it its
    they them their i'm i'll i'd i've you're you'll it's he's she's we're they're 'til 'cause there who which some
    such not
"""
_UNSTRESSED = frozenset(_UNSTRESSED_WORDS.split())
_VOWEL_LETTERS = tuple("aeiouy")
_SHORT_VOWELS = frozenset({"AE", "EH", "IH", "AH", "UH", "AA"})
_DIPHTHONGS = frozenset({"AY", "AW"})
_FIRE = re.compile(r"[iy]re?|oure?|oir")
_STRESSLESS_PREFIX = re.compile(
    r"(?:a(?=[^aeiou]{2})|be|de|re|un|in|im|dis|con|com|ex|en|pre|pro|per|for|mis|to)(?=[^aeiou])"
)
_LATE_STRESS = re.compile(r"(?:[tcs]ion(?:s|al)?|ics?|[ie]ous|[ie]an|ia|ity|ities)$")
_ENDINGS = frozenset({"er", "ers", "est", "y", "en", "ens", "ened", "ening", "ish"})
#: Ends of words that take an ending whole: teach-er, bank-er, but not count-y.
_STEM_END = re.compile(r"[aeiou]{2}(?:[cst]h|[bdfgklmnprstvz])$|(?:ght|nk|rm|ld|lk|rk|mp|ng|lp|[csk]h)$")
_SHORT_FIRSTS = frozenset({"up", "in", "on", "no", "it", "my", "to"})
_VOWEL_SECONDS = frozenset({"ever", "out", "one", "over", "under", "all", "any", "eye", "eyed", "on", "ache"})
_SECOND = re.compile(r"[^aeiou]..")
_SMALL_KANA = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー")
#: A word of more characters than this is not remembered.
_LONGEST_CACHED = 48


@dataclass(frozen=True, slots=True)
class WordSyllable:
    """One syllable: its letters as they stand in the word, and stress 0 (none), 1 (main) or 2 (secondary)."""

    text: str
    stress: int


def _plain_letter(character: str) -> str:
    """One lower-case letter without accent, for the rules to look at."""
    base = unicodedata.normalize("NFD", character)[:1].lower()[:1]
    return {"æ": "e", "œ": "e", "ø": "o", "ł": "l", "ß": "s", "ı": "i", "đ": "d", "ð": "d", "þ": "t"}.get(base, base)


@lru_cache(maxsize=8192)
def _kind(character: str) -> str:
    """`a` alphabetic letter, `d` digit, `h` one syllable a character, `o` other letter, else as `character_class`."""
    kind, code = character_class(character), ord(character)
    if kind not in "wc":
        return "m" if kind == "j" else kind
    if unicodedata.category(character)[0] == "N":
        return "d"
    if character in _SMALL_KANA:
        return "m"
    if code < 0x0530 or 0x1E00 <= code < 0x2000:
        return "a"
    return "h" if 0x3005 <= code < 0xE000 or 0xF900 <= code < 0xFB00 or code >= 0x1B000 else "o"


_SOUND = re.compile(r"'?a[am']*|[dh]|om*(?:om*)?|sm*(?:sm*)*")


def _spelled_stresses(letters: str, count: int) -> list[int]:
    if count == 1:
        main = 0
    elif _LATE_STRESS.search(letters):
        main = max(0, count - (3 if letters.endswith(("ity", "ities")) else 2))
    elif _STRESSLESS_PREFIX.match(letters):
        main = 1
    else:
        main = 0 if count == 2 else count - 3
    return [int(index == main) for index in range(count)]


def _said_nuclei(letters: str, said: tuple[str, ...]) -> list[Nucleus] | None:
    places = [place for place, phone in enumerate(said) if is_vowel(phone)]
    if len(places) == 1:  # most words of a song; which letter sounds matters to none
        return [Nucleus(0, 1, int(said[places[0]][2:] or 0))]
    spans = aligned_nuclei(letters, said)
    if spans is None:
        return None
    nuclei: list[Nucleus] = []
    for (start, stop), place in zip(spans, places, strict=True):
        phone, sound = said[place], letters[start:stop]
        loose_r = sound.endswith("rr") or (
            sound[1:].endswith("r") and not nuclei and phone == "ER0" and len(places) > 1
        )
        end = stop - loose_r if letters[stop : stop + 1] in _VOWEL_LETTERS else stop  # hur-ry, a-round
        nucleus = Nucleus(start, end, int(phone[2:] or 0), phone[:2] in _SHORT_VOWELS)
        fire = place > 0 and said[place - 1][:2] in _DIPHTHONGS and phone.startswith("ER")
        if (
            fire
            and _FIRE.fullmatch(letters[nuclei[-1].start : end])
            and letters[end : end + 1] not in ("a", "i", "o", "u", "y")
        ):
            nuclei[-1] = nuclei[-1]._replace(end=end)
        else:
            nuclei.append(nucleus)
    return nuclei


def _bare(said: tuple[str, ...]) -> list[str]:
    """Phonemes without stress; the two sounds of th are one (`with`, `without`)."""
    return ["TH" if phone == "DH" else phone[:2] for phone in said]


def _joints(letters: str, said: tuple[str, ...]) -> list[int]:
    """Where a compound's second word begins (`light|house`), or the ending of a known word (`teach|er`).

    The dictionary must know the first part, and the second unless it is an ending, as sounding as they do in the whole.
    """
    whole, found = _bare(said), []
    for place in range(2, len(letters)):
        first, rest = phones(letters[:place]), letters[place:]
        if rest == "ever":  # the e of where is lost in wherever
            first = said[:-3]
        if not first or _bare(first) != whole[: len(first)] or not any(map(is_vowel, first)):
            continue
        if rest in _ENDINGS:
            fits = _STEM_END.search(letters[:place]) is not None
        else:
            fits = (place > 2 or letters[:2] in _SHORT_FIRSTS) and (rest in _VOWEL_SECONDS or bool(_SECOND.match(rest)))
            fits = fits and _bare(first + (phones(rest) or ())) == whole
        if fits:
            found.append(place)
    return found


def _word_syllables(text: str, language: str) -> list[tuple[int, int]]:
    """(index of the first character, stress) of each syllable of an alphabetic word."""
    places = [place for place, character in enumerate(text) if _kind(character) == "a"]
    letters = "".join(_plain_letter(text[place]) for place in places)
    if has_rules(language):
        told = [Nucleus(*found) for found in nuclei_of("".join(text[place] for place in places), language)]
        begins = [0, *(places[cut] for cut in cuts(letters, told))]
        return [(begin, nucleus.stress) for begin, nucleus in zip(begins, told, strict=True)]
    said = phones(text) or phones(text.strip("'’‘")) or phones(letters)
    nuclei = _said_nuclei(letters, said) if said else None
    if not nuclei:
        spans = spelled_nuclei(letters) or [(0, 1)]
        stresses = _spelled_stresses(letters, len(spans))
        nuclei = [Nucleus(start, end, stress) for (start, end), stress in zip(spans, stresses, strict=True)]
    if len(nuclei) == 1 and text.lower().replace("’", "'") in _UNSTRESSED:
        nuclei = [nuclei[0]._replace(stress=0)]
    joints = _joints(letters, said) if said and len(nuclei) > 1 else []
    spelled_out = letters + "g" if text.lower().endswith(("in'", "in’")) else letters
    starts = [0, *(places[cut] for cut in cuts(spelled_out, nuclei, joints))]
    return [(start, nucleus.stress) for start, nucleus in zip(starts, nuclei, strict=True)]


def _syllables(word: str, language: str) -> tuple[WordSyllable, ...]:
    starts: list[tuple[int, int]] = []
    for match in _SOUND.finditer("".join(map(_kind, word))):
        text = word[match.start() : match.end()]
        alphabetic = "a" in map(_kind, text[:2])
        inner = _word_syllables(text, language) if alphabetic else [(0, 1)]
        starts.extend((match.start() + offset, stress) for offset, stress in inner)
    if not starts:
        return (WordSyllable(word, 0),)
    ends = [start for start, _ in starts[1:]] + [len(word)]
    begins = [0] + [start for start, _ in starts[1:]]
    return tuple(
        WordSyllable(word[begin:end], stress) for begin, end, (_, stress) in zip(begins, ends, starts, strict=True)
    )


_remembered = lru_cache(maxsize=65536)(_syllables)


def syllables(word: str, language: str = ENGLISH) -> tuple[WordSyllable, ...]:
    """The syllables of a word; their texts joined are the word exactly.

    Args:
        word: as it stands in a line, with its capitals and punctuation. A digit, a Chinese character or a run of
            emoji is one syllable; of writing without written vowels two letters are.
        language: of Latin letters, as `latin_language` tells it; one without rules is read as English.

    Returns:
        At least one syllable, also for punctuation alone.
    """
    return _remembered(word, language) if len(word) <= _LONGEST_CACHED else _syllables(word, language)


def line_words(line: str) -> list[str]:
    """The words of a line as sung: what has no sound (a dash between spaces) stays with its neighbour.

    Joined by spaces they are the line with its runs of whitespace made single spaces.
    """
    words: list[str] = []
    silent_before = ""
    for word in line.split():
        if _SOUND.search("".join(map(_kind, word))):
            words.append(silent_before + word)
            silent_before = ""
        elif words:
            words[-1] += " " + word
        else:
            silent_before += word + " "
    return words or ([silent_before.rstrip()] if silent_before else [])


def count_syllables(line: str, language: str = ENGLISH) -> int:
    """Syllables to sing in a line of a song in some language; 0 for a blank one."""
    return sum(len(syllables(word, language)) for word in line_words(line))
