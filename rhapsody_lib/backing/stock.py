"""A song that no other song primes: its style, metre, key and tempo by the seed, and a stock groove of that style."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from rhapsody_lib.backing.primer import PrimerFacts
from rhapsody_lib.music.arranger import arrange
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import Metre, Score, Section, TimedChord
from rhapsody_lib.seeding import generator

#: Quarter notes a minute that each style usually has: medians of the songbook, in its commonest metre.
USUAL_BPM: Mapping[str, float] = MappingProxyType(
    {
        "ballad": 72, "blues": 100, "bossa": 125, "country": 112, "disco": 116, "folk": 95, "funk": 107, "gospel": 94,
        "lullaby": 90, "pop": 110, "reggae": 76, "rock": 137, "sea-song": 100, "soul": 98, "swing": 135, "waltz": 115,
    }
)  # fmt: skip
_THREE_FOUR = frozenset({"waltz", "lullaby"})
#: A style is kept for a wanted tempo that is no further from its usual one than by this factor.
_NEAR = 1.25
#: Share of major keys, as in the songbook.
_MAJOR_SHARE = 0.6


def stock_facts(
    styles: Collection[str], seed: int, *, key: Key | None = None, tempo_bpm: float | None = None
) -> PrimerFacts:
    """What a song without a primer is in. The same arguments give the same.

    Args:
        styles: those that the network was trained on; unknown ones are not chosen.
        seed: chooses the style, the key, and nothing else.
        key: a wanted key.
        tempo_bpm: a wanted tempo, which rules out styles of other tempi where that leaves any.
    """
    random = generator(seed, "backing", "stock")
    known = sorted(USUAL_BPM.keys() & set(styles)) or sorted(USUAL_BPM)
    wanted = tempo_bpm or 0.0
    near = [style for style in known if wanted and 1 / _NEAR <= wanted / USUAL_BPM[style] <= _NEAR]
    choice = near or known
    style = choice[int(random.integers(len(choice)))]
    tonic, is_major = int(random.integers(12)), random.random() < _MAJOR_SHARE
    chosen = key or Key(tonic, "major" if is_major else "minor")
    metre = (3, 4) if style in _THREE_FOUR else (4, 4)
    return PrimerFacts(metre, chosen, tempo_bpm or USUAL_BPM[style], style, 2)


def stock_groove(style: str, metre: tuple[int, int], key: Key, tempo_bpm: float) -> Score:
    """Verse and chorus of a style as the arranger plays them, over a common progression, to prime a song with."""
    length = Metre(0, *metre).bar_ticks
    steps = (0, 7, 9, 5) if key.mode == "major" else (0, 8, 3, 10)
    minor = {9} if key.mode == "major" else {0}
    chords = []
    for bar in range(16):
        root = (key.tonic + steps[bar % 4]) % 12
        chords.append(TimedChord(bar * length, ChordSymbol(root, "m" if steps[bar % 4] in minor else "", root)))
    sections = (Section("verse", 0, 8 * length), Section("chorus", 8 * length, 16 * length))
    sheet = LeadSheet("", style, key, tempo_bpm, (Metre(0, *metre),), (), tuple(chords), sections, (), 16 * length)
    return arrange(sheet)
