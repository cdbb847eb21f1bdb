"""Bars of chords into time, and the intro and ending that frame a song."""

from __future__ import annotations

from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre, TimedChord

#: The chords of each bar.
Bars = tuple[tuple[ChordSymbol, ...], ...]

_SHORT_ENDINGS = frozenset({"ballad", "lullaby", "waltz", "bossa", "soul", "gospel", "folk"})


def timed_chords(bars: Bars, metre: Metre, start_ticks: int) -> list[TimedChord]:
    """Chords of consecutive bars, several in a bar on its beats (eighths in eighth metres), the earlier ones longer."""
    unit = TICKS_PER_BEAT * 4 // metre.denominator
    chords = []
    for index, bar in enumerate(bars):
        bar_start = start_ticks + index * metre.bar_ticks
        for number, symbol in enumerate(bar):
            beat = -(-metre.numerator * number // len(bar))
            chords.append(TimedChord(bar_start + beat * unit, symbol))
    return chords


def _triad(key: Key, degree: int) -> ChordSymbol:
    """The triad (of the dominant: seventh chord) on a scale degree, 1 to 7."""
    root = key.scale[degree - 1]
    if degree == 5:
        return ChordSymbol(root, "7", root)
    minor = degree in ({2, 3, 6} if key.mode == "major" else {1, 4})
    return ChordSymbol(root, "m" if minor else "", root)


def intro_bars_of(bars: Bars, count: int, key: Key) -> Bars:
    """`count` bars of intro from the first section's chords, the last one leading into it by the dominant."""
    if count <= 0 or not bars:
        return ()
    intro = [bars[index % len(bars)] for index in range(count)]
    leads = intro[-1][-1].root == key.scale[4]
    if count > 1 and not leads and bars[0][0].root == key.tonic:
        intro[-1] = (intro[-1][0], _triad(key, 5)) if intro[-1][0].root != key.tonic else (_triad(key, 5),)
    return tuple(intro)


def ending_bars(style: str, key: Key, tempo_bpm: float) -> Bars:
    """Two bars (slow or gentle songs) or four that close on the tonic."""
    tonic, fourth, fifth = _triad(key, 1), _triad(key, 4), _triad(key, 5)
    if style == "blues":
        root, iv = ChordSymbol(tonic.root, "7", tonic.root), ChordSymbol(fourth.root, "7", fourth.root)
        return (
            ((root, iv), (root, fifth), (root,)) if key.mode == "major" else ((tonic, fourth), (tonic, fifth), (tonic,))
        )
    if style == "swing":
        quality = "6" if key.mode == "major" else "m6"
        second = ChordSymbol(key.scale[1], "m7" if key.mode == "major" else "m7b5", key.scale[1])
        return ((second,), (fifth,), (ChordSymbol(tonic.root, quality, tonic.root),))
    if style in _SHORT_ENDINGS or tempo_bpm < 84:
        return ((fourth, tonic), (tonic,))
    sixth = _triad(key, 6)
    return ((tonic, sixth), (fourth, fifth), (tonic,), (tonic,))
