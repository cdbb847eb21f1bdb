"""Small songs for the tests of the song stage, made by hand."""

from __future__ import annotations

from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Metre, Note, Score, Section, Tempo, TimedChord
from rhapsody_lib.words.document import Lyrics, LyricSection

BEAT = TICKS_PER_BEAT
VERSE = ("The sky is blue above the town", "And every little cloud comes down")
CHORUS = ("Hallelujah, sing it over", "Wonderful water")


def sample_lyrics() -> Lyrics:
    """Two verses and a chorus that returns."""
    chorus = LyricSection("chorus", CHORUS)
    second = LyricSection("verse 2", ("I packed my bag, I caught the train", "It's raining in my heart again"))
    return Lyrics("The Sky Is Blue", (LyricSection("verse 1", VERSE), chorus, second, chorus))


def line_melody(start: int, bars: int, bar_ticks: int) -> list[Note]:
    """Quarter notes up and down C major, the last one long."""
    scale = (60, 62, 64, 65, 67, 65, 64, 62)
    count = bars * bar_ticks // BEAT - 1
    notes = [Note(start + i * BEAT, scale[i % len(scale)], BEAT, 90) for i in range(count)]
    return [*notes[:-1], Note(notes[-1].start_ticks, 60, 2 * BEAT, 90)]


def sample_score(
    names: tuple[tuple[str, int], ...] = (("intro", 0), ("verse 1", 2), ("chorus", 2), ("verse 2", 2), ("chorus", 2)),
    *,
    bars_per_line: int = 2,
    metre: tuple[int, int] = (4, 4),
    tempo_bpm: float = 100.0,
    melody: bool = True,
) -> Score:
    """A six-part score with the sections `names` (name, lines), two bars where there are no lines, and an ending."""
    bar = metre[0] * BEAT * 4 // metre[1]
    sections: list[Section] = []
    parts: dict[str, list[Note]] = {part: [] for part in PARTS}
    chords, position = [], 0
    for name, lines in (*names, ("ending", 0)):
        bars = max(2, lines * bars_per_line)
        sections.append(Section(name, position, position + bars * bar))
        for line in range(lines if melody else 0):
            parts["melody"] += line_melody(position + line * bars_per_line * bar, bars_per_line, bar)
        for index in range(bars):
            start = position + index * bar
            symbol = parse_chord(("C", "F", "G", "C")[index % 4])
            chords.append(TimedChord(start, symbol))
            parts["piano"] += [Note(start, 60 + (p % 12), bar - 10, 70) for p in sorted(symbol.pitch_classes)]
            parts["bass"].append(Note(start, 36 + symbol.root % 12, BEAT, 90))
            parts["guitar"] += [Note(start + b, 55, BEAT // 2, 60) for b in range(0, bar, BEAT)]
            parts["strings"].append(Note(start, 67, bar, 50))
            parts["drums"] += [Note(start + b, 42, 60, 70) for b in range(0, bar, BEAT // 2)] + [
                Note(start, 36, 60, 100)
            ]
        position += bars * bar
    return Score(
        "The Sky Is Blue",
        Key(0, "major"),
        (Tempo(0, tempo_bpm),),
        (Metre(0, *metre),),
        {part: tuple(sorted(notes)) for part, notes in parts.items()},
        tuple(chords),
        tuple(sections),
        style="pop",
    )
