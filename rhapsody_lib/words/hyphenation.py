"""Where a word parts into syllables, once the letters of its vowels are known: rules of English hyphenation.

A consonant between two vowels goes to the second, unless the first is short and stressed (`ri-ver` no, `riv-er` yes);
of several, the second takes what English words can begin with; double letters part; `-ing` and `-ed` stand alone.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple


class Nucleus(NamedTuple):
    """The vowel letters `[start, end)` of one syllable, its stress 0 to 2, and whether the vowel is short."""

    start: int
    end: int
    stress: int
    short: bool = False


#: Consonant letters that are one sound, longest first.
_UNITS = re.compile(r"tch|ch|sh|th|ph|gh|ck|wh|qu|dg|[gs]u\Z|.", re.DOTALL)
_LIQUID_ONSETS = frozenset("bl br cl cr dr fl fr gl gr pl pr tr tw thr phr chr".split())  # noqa: SIM905
_ONSETS = _LIQUID_ONSETS | frozenset("shr sc sk sl sm sn sp st sw scr spl spr str squ kn wr".split())  # noqa: SIM905
_SUFFIXES = ("ing", "ings", "ed", "es")
_NEVER_FIRST = frozenset({"x", "ck", "tch", "dg"})


def _kept(cluster: str, *, short: bool, suffix: bool) -> int:
    """How many of the consonant letters between two vowels stay with the first."""
    silent = cluster.rfind("e") + 1
    if silent:  # some-thing, but ev-ery
        rest = cluster[silent:]
        return silent - (rest == "r") + (0 if len(rest) < 2 or rest in _ONSETS else _kept_of_many(_UNITS.findall(rest)))
    units: list[str] = _UNITS.findall(cluster[:-1] if cluster[1:].endswith("i") else cluster)  # mil-lion
    if not units:
        return 0
    last, doubled = units[-1], len(units) > 1 and units[-1] == units[-2]
    if suffix and not (doubled and last not in "lsfz") and (len(units) == 1 or doubled or last not in "lr"):
        whole = True  # call-ing, walk-ing, but run-ning, star-tling
    else:
        whole = last in _NEVER_FIRST or (len(units) == 1 and short)
    if whole:
        return len("".join(units))
    return 0 if len(units) == 1 or (cluster in _LIQUID_ONSETS and not short) else _kept_of_many(units)


def _kept_of_many(units: list[str]) -> int:
    if len(units) == 1:
        return 0
    for first in range(1, len(units) - 1):
        if units[-1] != units[-2] and "".join(units[first:]) in _ONSETS:
            return len("".join(units[:first]))
    return len("".join(units[:-1]))


def cuts(letters: str, nuclei: list[Nucleus], joints: Sequence[int] = ()) -> list[int]:
    """Index of the first letter of each syllable but the first.

    Args:
        letters: the word.
        nuclei: its vowels in order.
        joints: indices at which the second word of a compound may begin; a syllable begins there too.
    """
    found = []
    for left, right in itertools.pairwise(nuclei):
        cluster = letters[left.end : right.start]
        suffix = letters[right.start :] in _SUFFIXES and right is nuclei[-1]
        short = left.short and left.stress > 0 and letters[left.start] in "aeiouy" and letters[right.start] != "l"
        kept = _kept(cluster, short=short, suffix=suffix)
        cut = left.end + {"m": 0, "n": len(cluster)}.get(letters[right.start], kept)  # rhy-thm, did-n't
        if suffix and not letters.endswith(("thing", "things", "spring", "string")):
            found.append(cut)  # feel-ing, though fee and ling are words
        else:
            found.append(next((joint for joint in joints if left.end <= joint <= right.start), cut))
    return found
