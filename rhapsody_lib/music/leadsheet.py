"""The lead sheet: melody, chords and words of a song. Composed, or read from imported sheets."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.score import Metre, Note, Section, Syllable, TimedChord


@dataclass(frozen=True)
class LeadSheet:
    """A melody with chords and words, before it is arranged.

    Tick 0 is a barline (a pickup is padded with rests to a full bar). `tempo_bpm` counts quarter notes. The melody
    is sorted and should be monophonic; `chords` may be empty, sections need not cover the whole. `end_ticks` is the
    end of the last bar.
    """

    title: str
    style: str
    key: Key
    tempo_bpm: float
    metres: tuple[Metre, ...]
    melody: tuple[Note, ...]
    chords: tuple[TimedChord, ...]
    sections: tuple[Section, ...]
    syllables: tuple[Syllable, ...]
    end_ticks: int

    def __post_init__(self) -> None:
        if not self.metres or self.metres[0].start_ticks:
            raise ValueError("a lead sheet has a metre at tick 0")
        if any(metre.bar_ticks <= 0 for metre in self.metres):
            raise ValueError("a bar has a length")
        if self.end_ticks <= 0:
            raise ValueError("a lead sheet has at least one bar")

    def bars(self) -> list[tuple[int, Metre]]:
        """(start tick, metre) of each bar before `end_ticks`; a metre change starts a new bar."""
        found: list[tuple[int, Metre]] = []
        for index, metre in enumerate(self.metres):
            later = self.metres[index + 1].start_ticks if index + 1 < len(self.metres) else self.end_ticks
            position = metre.start_ticks
            while position < min(later, self.end_ticks):
                found.append((position, metre))
                position += metre.bar_ticks
        return found

    def chord_at(self, ticks: int) -> ChordSymbol | None:
        """The chord that sounds at a tick, if one is named by then."""
        index = bisect.bisect_right(self.chords, ticks, key=lambda chord: chord.start_ticks) - 1
        return self.chords[index].symbol if index >= 0 else None
