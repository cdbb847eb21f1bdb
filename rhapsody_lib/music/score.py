"""The score: what every stage means by music. Six parts in ticks, with chords, sections and sung syllables.

Times are integer ticks, `TICKS_PER_BEAT` to a quarter note. `tempo_bpm` always counts quarter notes a minute, whatever
the metre.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from types import MappingProxyType

from rhapsody_lib.music.chords import ChordSymbol, Key

TICKS_PER_BEAT = 480
PARTS = ("melody", "drums", "piano", "guitar", "bass", "strings")
#: General MIDI programs (0-based) that each part plays unless a style says otherwise; drums play channel 10.
DEFAULT_PROGRAMS: Mapping[str, int] = MappingProxyType(
    {"melody": 73, "drums": 0, "piano": 0, "guitar": 25, "bass": 33, "strings": 48}
)
#: Lowest and highest MIDI pitch that each part may sound.
PART_RANGES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "melody": (48, 84),
        "drums": (35, 81),
        "piano": (28, 96),
        "guitar": (40, 84),
        "bass": (28, 60),
        "strings": (43, 93),
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """A note: `pitch` 0 to 127 (middle C = 60), `velocity` 1 to 127, `duration_ticks` at least 1."""

    start_ticks: int
    pitch: int
    duration_ticks: int
    velocity: int

    @property
    def end_ticks(self) -> int:
        """First tick at which the note no longer sounds."""
        return self.start_ticks + self.duration_ticks


@dataclass(frozen=True, slots=True)
class TimedChord:
    """A chord from `start_ticks` until the next one."""

    start_ticks: int
    symbol: ChordSymbol


@dataclass(frozen=True, slots=True)
class Tempo:
    """Quarter notes a minute from `start_ticks` on."""

    start_ticks: int
    bpm: float


@dataclass(frozen=True, slots=True)
class Metre:
    """A time signature from `start_ticks` on; `denominator` is a power of two."""

    start_ticks: int
    numerator: int
    denominator: int

    @property
    def bar_ticks(self) -> int:
        """Length of one bar in ticks."""
        return self.numerator * TICKS_PER_BEAT * 4 // self.denominator


def seconds_at(tempi: Sequence[Tempo], ticks: int) -> float:
    """Time of a tick in seconds, through all tempo changes."""
    seconds = 0.0
    for index, tempo in enumerate(tempi):
        end = tempi[index + 1].start_ticks if index + 1 < len(tempi) else ticks
        span = max(0, min(end, ticks) - tempo.start_ticks)
        seconds += span * 60.0 / (tempo.bpm * TICKS_PER_BEAT)
    return seconds


def bars_until(metres: Sequence[Metre], end_ticks: int) -> Iterator[tuple[int, Metre]]:
    """(start tick, metre) of each bar that begins before a tick; a metre change starts a new bar."""
    position = 0
    for index, metre in enumerate(metres):
        limit = metres[index + 1].start_ticks if index + 1 < len(metres) else end_ticks
        starts = range(position, min(limit, end_ticks), metre.bar_ticks)
        yield from zip(starts, repeat(metre), strict=False)
        position += len(starts) * metre.bar_ticks
        position = min(position, limit) if index + 1 < len(metres) else position


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the form: `name` such as `verse 1`, `chorus`, `intro`, `ending`."""

    name: str
    start_ticks: int
    end_ticks: int

    @property
    def kind(self) -> str:
        """The name without its number, and without `instrumental`."""
        return self.name.removeprefix("instrumental ").rstrip("0123456789 ")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One sung syllable at the onset of a melody note.

    `text` is the syllable alone ("won"). `ends_word` tells whether a space follows ("der "), `line` is the index of the
    lyric line within the song, counted through all sections.
    """

    start_ticks: int
    text: str
    ends_word: bool
    line: int


@dataclass(frozen=True)
class Score:
    """A whole piece. `parts` has a key for each of `PARTS`, its notes sorted by start, then pitch."""

    title: str
    key: Key
    tempi: tuple[Tempo, ...]
    metres: tuple[Metre, ...]
    parts: Mapping[str, tuple[Note, ...]]
    chords: tuple[TimedChord, ...] = ()
    sections: tuple[Section, ...] = ()
    syllables: tuple[Syllable, ...] = ()
    programs: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_PROGRAMS))
    style: str = ""

    def __post_init__(self) -> None:
        if set(self.parts) != set(PARTS):
            raise ValueError(f"a score has exactly the parts {', '.join(PARTS)}")
        if not self.tempi or not self.metres or self.tempi[0].start_ticks or self.metres[0].start_ticks:
            raise ValueError("a score has a tempo and a metre at tick 0")

    @property
    def tempo_bpm(self) -> float:
        """Quarter notes a minute at the start."""
        return self.tempi[0].bpm

    @property
    def end_ticks(self) -> int:
        """End of the last note, 0 if there is none."""
        return max((note.end_ticks for notes in self.parts.values() for note in notes), default=0)

    def seconds_at(self, ticks: int) -> float:
        """Time of a tick in seconds, through all tempo changes."""
        return seconds_at(self.tempi, ticks)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.seconds_at(self.end_ticks)

    def bars(self) -> Iterator[tuple[int, Metre]]:
        """(start tick, metre) of each bar up to the end of the last note; a metre change starts a new bar."""
        return bars_until(self.metres, self.end_ticks)

    def chord_at(self, ticks: int) -> ChordSymbol | None:
        """The chord that sounds at a tick, if the score names one by then."""
        index = bisect.bisect_right([chord.start_ticks for chord in self.chords], ticks) - 1
        return self.chords[index].symbol if index >= 0 else None
