"""Which letters of a word are its syllables' vowels: by alignment with phonemes, or by rule from the spelling alone.

A nucleus is a half-open span `(start, end)` of letters. All functions take lower-case letters without accents or marks.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rhapsody_lib.words.pronunciation import is_vowel

_VOWEL_LETTERS = frozenset("aeiouyаеёиоуыэюяіїєαεηιουω")
_DIGRAPH_VOWELS = re.compile(r"a[iuwy]|aye|e[aeiuwy]|eye|eau|i[e]|ieu|iew|o[aeiouwy]|u[eiy]|(?:ei|i|au|ou)gh|[aeo]h|ye")
_R_VOWELS = re.compile(r"(?:[aeiouy]|ea|ou|oo|ai|ei|ie)rr?|[ou]re?|ire|yre")
_CONSONANT_PAIR_LIST = """
    ch tch sh th ph gh ck kn wr gn sc sch ng dg dge wh rh gu qu cq ps pt pn mb mn lm lk lf ld bt st tw xc ss sci ti ci
    si
"""
_CONSONANT_PAIRS = frozenset(_CONSONANT_PAIR_LIST.split())
#: First letters that may spell each consonant.
_SPELLINGS = {
    "B": "b", "CH": "ct", "D": "d", "DH": "t", "F": "fpgl", "G": "gx", "HH": "hwj", "JH": "jgd", "K": "kcqxl", "L": "l",
    "M": "mlg", "N": "nkgpm", "NG": "n", "P": "p", "R": "rw", "S": "sczxp", "SH": "sctx", "T": "tdpb", "TH": "t",
    "V": "vf", "W": "wuo", "Y": "yie", "Z": "zsx", "ZH": "szgxt",
}  # fmt: skip
_SILENT = {"e": 0.2, "h": 0.5, "a": 1.5, "i": 1.5, "o": 1.5, "u": 0.9, "y": 1.5}
_IMPOSSIBLE = 1e9
_LONGEST_CHUNK = 4


@lru_cache(maxsize=32768)
def _vowel_cost(phone: str, chunk: str, following: str) -> float:
    if phone == "ER" and _R_VOWELS.fullmatch(chunk):
        return 0.0
    if phone == "AH" and following == "L" and chunk in ("le", "l"):
        return 0.6
    if len(chunk) == 1:
        syllabic = 0.8 if chunk == "r" and phone == "ER" else 2.0 if chunk in "mnlr" else 4.0
        return 0.0 if chunk in _VOWEL_LETTERS else syllabic
    if _DIGRAPH_VOWELS.fullmatch(chunk):
        return 0.1
    return 1.2 if all(letter in _VOWEL_LETTERS for letter in chunk) else _IMPOSSIBLE


@lru_cache(maxsize=32768)
def _consonant_cost(phone: str, chunk: str, before: str) -> float:
    if not chunk:
        return 0.3 if before == "x" or phone == "Y" else 0.6 if phone in ("W", "L", "R", "M", "N") else 2.5
    if chunk[0] not in _SPELLINGS.get(phone, ""):
        return 2.0 if len(chunk) == 1 and chunk not in _VOWEL_LETTERS else _IMPOSSIBLE
    if len(chunk) == 1 or chunk == chunk[0] * 2 or chunk in _CONSONANT_PAIRS:
        return 0.0
    return _IMPOSSIBLE


def aligned_nuclei(letters: str, phones: tuple[str, ...]) -> list[tuple[int, int]] | None:
    """The letters of each vowel phoneme, from the cheapest alignment of letters to phonemes; None where there is none.

    Dynamic programming over (phonemes used, letters used): a vowel takes one letter to four, a consonant none to
    four, a letter may be silent.
    """
    rows, columns = len(letters) + 1, len(phones) + 1
    cost = [[_IMPOSSIBLE] * columns for _ in range(rows)]
    taken = [[0] * columns for _ in range(rows)]  # letters taken by the last phoneme; -1: the last letter is silent
    cost[0][0] = 0.0
    for used in range(1, rows):
        cost[used][0] = cost[used - 1][0] + _SILENT.get(letters[used - 1], 0.8)
        taken[used][0] = -1
    for said, phone in enumerate(phones, start=1):
        vowel, following = is_vowel(phone), phones[said] if said < len(phones) else ""
        kind = phone[:2] if vowel else phone
        for used in range(1 if vowel else 0, rows):
            best, size_of_best = _IMPOSSIBLE, 0
            if used:
                best, size_of_best = cost[used - 1][said] + _SILENT.get(letters[used - 1], 0.8), -1
            for start in range(used - vowel, max(used - _LONGEST_CHUNK, 0) - 1, -1):
                chunk, so_far = letters[start:used], cost[start][said - 1]
                if so_far >= best:
                    continue
                before = letters[start - 1] if start else ""
                step = _vowel_cost(kind, chunk, following) if vowel else _consonant_cost(kind, chunk, before)
                if so_far + step < best:
                    best, size_of_best = so_far + step, used - start
            cost[used][said], taken[used][said] = best, size_of_best
    if cost[-1][-1] >= _IMPOSSIBLE:
        return None
    return _trace(taken, phones)


def _trace(taken: list[list[int]], phones: tuple[str, ...]) -> list[tuple[int, int]]:
    nuclei, used, said = [], len(taken) - 1, len(phones)
    while used or said:
        size = taken[used][said]
        if size < 0:
            used -= 1
            continue
        said -= 1
        if is_vowel(phones[said]):
            nuclei.append((used - size, used))
        used -= size
    return nuclei[::-1]


_VOWEL_RUN = re.compile(r"[aeiouyаеёиоуыэюяіїєαεηιουω]+")
#: Letters that look like vowels and are none: qu, gu before a vowel, y before a vowel at the start or after a vowel.
_CONSONANTAL = re.compile(r"(?<=q)u|(?<=g)u(?=[aei])|\by(?=[aeiou])|(?<=[aeou])y(?=[aeiou])|y(?=ards?\b)")
_SILENT_E = re.compile(
    r"(?<=[^aeiou])(?<![^aeiouylrw]l)e\b"  # time, but not little
    r"|(?<=[^aeiousxzcg])(?<![sc]h)(?<![^aeiouylr]l)e(?=s\b)"  # times, but not roses
    r"|(?<=[^aeioutd])(?<![^aeiouylr][lr])e(?=d\b)"  # walked, but not wanted, hundred
    r"|(?<=[gq]u)e(?=s?\b)"  # tongue
    r"|(?<=[aeiouy][^aeiouylr])e"
    r"(?=(?:ly|ful|fully|less|lessly|ness|ments?|some|man|men|ville|land|wood|house|town|hood|woman|time|work)\b)"
)
#: First parts of compounds, whose last letter is silent.
_COMPOUND = re.compile(
    r"\b(?:some|there|where|fore|here|life|home|love|fire|safe|horse|house|score|wine|name|space|time|smoke|state|store"
    r"|stone|gate|wave|cave|tide|like|make|take|more|nine|side|base|wire|live|hope|care|pine|apple|ware|white|face|rose)"
    r"(?=[^aeiouylrsnv])"
)
#: The first of two vowel letters that belong to two syllables, told by what stands around them.
_HIATUS = re.compile(
    r"(?<=[^aeiou])y(?=[aeou]|ing)|[aeiou](?=ing\b|ism\b)|(?<=[eu])[eu](?=ist)"
    r"|(?<![cst])i(?=a|ous\b)|(?<![cstghlnx])i(?=on\b)|(?<![cst])i(?=en[ct])"
    r"|i(?=um|o\b|ol|ot|et|er\b|us\b)|(?<!pr)i(?=est\b)"
    r"|(?<=[aeiouy][^aeiouy])e(?=a\b)|(?<=cr)e(?=at(?!ur))|(?<!g)e(?=on\b)|e(?=os?\b|um|us\b|or|ol)"
    r"|(?<=\br)e(?=[ou]|i(?!gn|n\b)|en|el|act|app|ass)|(?<=\bc)o(?=ord|oper|inc|ex)"
    r"|o(?=e[mt]|ia|er\b|a\b)|(?<!b)u(?=a|ous|ity|el|en|er\b|o)|a(?=o|ic|ia|el)"
)
_SYLLABIC = re.compile(r"(?<=[^aeiouylrw])le(?=s?d?\b)|(?:(?<=[iyat]s)|(?<=th))m(?=s?\b)|(?<=\bm)c(?=[^aeiouyh])")


def spelled_nuclei(letters: str) -> list[tuple[int, int]]:
    """Nuclei by rule from the spelling of a word that no dictionary has; none for letters without a vowel."""
    silent = {match.start() for pattern in (_CONSONANTAL, _SILENT_E) for match in pattern.finditer(letters)}
    silent.update(match.end() - 1 for match in _COMPOUND.finditer(letters))
    breaks = {match.start() + 1 for match in _HIATUS.finditer(letters)}
    nuclei = [match.span() for match in _SYLLABIC.finditer(letters)]
    silent.update(position for span in nuclei for position in range(*span))
    for run in _VOWEL_RUN.finditer(letters):
        start = None
        for position in range(run.start(), run.end() + 1):
            sounds = position < run.end() and position not in silent
            if start is not None and (not sounds or position in breaks):
                nuclei.append((start, position))
                start = None
            if sounds and start is None:
                start = position
    return sorted(nuclei) or [match.span() for match in _VOWEL_RUN.finditer(letters)][:1]
