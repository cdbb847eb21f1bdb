"""The language of accompaniment patterns.

A pattern is a string over sixteenths (120 ticks). Blanks and bar lines `|` are for the eye. A pattern may span
several bars and is then cycled through a section. `-` holds the sound before it, `.` is silence; what else sounds
depends on the part:

- drums: `x` hit, `X` accent, `o` ghost.
- piano, guitar, strings: `x` chord, `X` accented chord, `u` upper voices, softer; `b` low root, `f` low fifth, `B`
  low root with the chord; `0` to `4` one voice from the lowest up; `p`, `q` low root with its fifth, sixth.
- bass: `r` root (or the slash bass), `R` accented; `3 5 6 7 8` that degree above the root; `a` approach to the next
  chord's root; `w` walk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

STEP_TICKS = 120

#: General MIDI percussion by the names that the drum patterns use, and their loudness.
DRUM_KIT: Mapping[str, tuple[int, int]] = {
    "kick": (36, 92),
    "snare": (38, 88),
    "rim": (37, 66),
    "clap": (39, 78),
    "hat": (42, 60),
    "pedal": (44, 52),
    "open": (46, 62),
    "ride": (51, 60),
    "crash": (49, 84),
    "low": (45, 84),
    "mid": (47, 82),
    "high": (50, 80),
    "tambourine": (54, 56),
    "conga": (63, 62),
    "shaker": (70, 46),
    "triangle": (81, 44),
    "block": (76, 56),
}


@dataclass(frozen=True)
class Groove:
    """Patterns of one style in one metre. Each pair is (light, full): verses and choruses."""

    drums: tuple[Mapping[str, str], Mapping[str, str]]
    fill: Mapping[str, str]
    piano: tuple[str, str]
    guitar: tuple[str, str]
    bass: tuple[str, str]
    strings: tuple[str, str]


@lru_cache(maxsize=4096)
def clean(pattern: str) -> str:
    """The pattern without what is for the eye."""
    return pattern.replace(" ", "").replace("|", "")


@lru_cache(maxsize=8192)
def tokens(steps: str) -> tuple[tuple[int, int, str], ...]:
    """(step, length in steps, symbol) of each sound of a cleaned pattern."""
    found = []
    for step, symbol in enumerate(steps):
        if symbol not in ".-":
            length = 1
            while step + length < len(steps) and steps[step + length] == "-":
                length += 1
            found.append((step, length, symbol))
    return tuple(found)


def bar_of(pattern: str, bar: int, bar_steps: int) -> str:
    """The steps of bar number `bar` (from 0) of a pattern that is cycled; silence if the pattern is empty."""
    steps = clean(pattern)
    if not steps:
        return "." * bar_steps
    start = bar * bar_steps % len(steps)
    return steps[start : start + bar_steps]
