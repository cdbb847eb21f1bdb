"""Styles: which instruments play, how they feel, and their patterns in any metre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rhapsody_lib.music.grooves import STEP_TICKS, Groove, clean
from rhapsody_lib.music.grooves_four import FOUR
from rhapsody_lib.music.grooves_three import SIX, THREE
from rhapsody_lib.music.score import DEFAULT_PROGRAMS, Metre


@dataclass(frozen=True)
class Style:
    """How a style sounds.

    `soft` styles have no crashes and lighter drums; `swing` delays the off-beat eighths to triplets;
    `lead` is the part that plays the tune in an intro.


    `four`, `three` and `six` name the patterns in `grooves_four` and `grooves_three`.
    """

    name: str
    programs: tuple[int, int, int, int, int]  # melody, piano, guitar, bass, strings
    four: str
    three: str
    six: str
    lead: str = "piano"
    swing: bool = False
    soft: bool = False

    def program_of_part(self) -> dict[str, int]:
        """General MIDI program of each part."""
        return {
            **DEFAULT_PROGRAMS,
            **dict(zip(("melody", "piano", "guitar", "bass", "strings"), self.programs, strict=True)),
        }


_ALL = (
    Style("ballad", (71, 0, 24, 35, 48), "ballad", "waltz", "ballad", soft=True),
    Style("blues", (66, 0, 27, 32, 61), "blues", "swing", "shuffle", swing=True),
    Style("bossa", (73, 4, 24, 32, 49), "bossa", "swing", "ballad"),
    Style("country", (22, 0, 25, 33, 40), "country", "folk", "jig", lead="strings"),
    Style("disco", (65, 2, 28, 38, 48), "disco", "band", "shuffle", lead="strings"),
    Style("folk", (73, 0, 25, 32, 40), "folk", "folk", "jig", lead="strings"),
    Style("funk", (56, 7, 27, 36, 61), "funk", "band", "shuffle"),
    Style("gospel", (53, 0, 26, 33, 52), "gospel", "band", "shuffle", lead="strings"),
    Style("lullaby", (74, 10, 24, 32, 49), "lullaby", "soft", "soft", soft=True),
    Style("pop", (73, 0, 25, 33, 50), "pop", "band", "ballad"),
    Style("reggae", (22, 16, 27, 33, 61), "reggae", "band", "shuffle"),
    Style("rock", (65, 0, 29, 34, 48), "rock", "band", "rock"),
    Style("sea-song", (72, 21, 25, 32, 40), "sea-song", "folk", "jig", lead="strings"),
    Style("soul", (66, 4, 27, 33, 48), "soul", "band", "shuffle", lead="strings"),
    Style("swing", (66, 0, 26, 32, 48), "swing", "swing", "shuffle", swing=True),
    Style("waltz", (68, 0, 24, 32, 48), "ballad", "waltz", "ballad", lead="strings", soft=True),
)
STYLES: Mapping[str, Style] = {style.name: style for style in _ALL}


def choose_style(name: str, metre: Metre, tempo_bpm: float) -> Style:
    """The style of that name, or for an unknown one what the metre and tempo (quarters a minute) suggest."""
    if name in STYLES:
        return STYLES[name]
    compound = metre.denominator >= 8 and metre.numerator % 3 == 0
    if compound:
        return STYLES["ballad" if tempo_bpm < 110 else "folk"]
    if metre.numerator % 3 == 0:
        return STYLES["waltz"]
    if metre.numerator == 2 and metre.denominator == 4:
        return STYLES["country"]
    if metre.numerator % 5 == 0:
        return STYLES["swing"]
    return STYLES["ballad" if tempo_bpm < 80 else "folk" if tempo_bpm < 104 else "pop" if tempo_bpm < 132 else "rock"]


def _segments(metre: Metre) -> list[tuple[str, int]]:
    """Which pattern (four, three, six) serves how many steps, in order, to fill one bar."""
    numerator, denominator = metre.numerator, metre.denominator
    if denominator >= 8 and numerator % 3 == 0:
        steps = numerator * 16 // denominator
        return [("six", min(12, steps - start)) for start in range(0, steps, 12)]
    if denominator == 8:
        groups: list[tuple[str, int]] = []
        left = numerator
        while left > 0:
            size = 3 if left == 3 or left > 4 else min(left, 2)
            groups.append(("six" if size == 3 else "four", size * 2))
            left -= size
        return groups
    quarters = numerator * 4 / denominator
    groups = []
    while quarters >= 1:
        size = (
            4 if quarters == 4 or (quarters > 5 and quarters % 3) else 3 if quarters >= 3 else 2 if quarters >= 2 else 1
        )
        groups.append(("three" if size == 3 else "four", size * 4))
        quarters -= size
    return groups + ([("four", max(1, round(quarters * 4)))] if quarters > 0 else [])


def bar_steps(metre: Metre) -> int:
    """Steps of 120 ticks in a bar, the last one possibly cut short."""
    return max(1, -(-metre.bar_ticks // STEP_TICKS))


def _spliced(patterns: list[tuple[str, int, int]]) -> str:
    """One line of pattern from (pattern, its steps a bar, steps wanted), over as many bars as the longest has."""
    bars = max((len(clean(pattern)) // unit for pattern, unit, _ in patterns), default=1) or 1
    line = ""
    for bar in range(bars):
        for pattern, unit, wanted in patterns:
            steps = clean(pattern) or "." * unit
            start = bar * unit % len(steps)
            line += steps[start : start + unit][:wanted].ljust(wanted, ".")
    return line


@lru_cache(maxsize=512)
def groove_for(style: Style, metre: Metre) -> Groove:
    """The style's patterns in a metre: as written for 4/4, 3/4 and 6/8, spliced from those for any other."""
    sources = {"four": (FOUR[style.four], 16), "three": (THREE[style.three], 12), "six": (SIX[style.six], 12)}
    segments = _segments(metre)
    if len(segments) == 1 and segments[0][1] == sources[segments[0][0]][1]:
        return sources[segments[0][0]][0]

    def splice(pattern_of: Mapping[str, str]) -> str:
        return _spliced([(pattern_of[name], sources[name][1], wanted) for name, wanted in segments])

    def drums(kits: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        names = dict.fromkeys(drum for name, _ in segments for drum in kits[name])
        return {drum: splice({name: kit.get(drum, "") for name, kit in kits.items()}) for drum in names}

    def pair(part: str) -> tuple[str, str]:
        light, full = ({name: getattr(g, part)[level] for name, (g, _) in sources.items()} for level in (0, 1))
        return splice(light), splice(full)

    return Groove(
        drums=(
            drums({name: groove.drums[0] for name, (groove, _) in sources.items()}),
            drums({name: groove.drums[1] for name, (groove, _) in sources.items()}),
        ),
        fill=drums({name: groove.fill for name, (groove, _) in sources.items()}),
        piano=pair("piano"),
        guitar=pair("guitar"),
        bass=pair("bass"),
        strings=pair("strings"),
    )
