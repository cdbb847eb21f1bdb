"""What each bar of an arrangement is: its section, how full it is, what chords it has."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

from rhapsody_lib.music.chords import ChordSymbol
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import Metre, Section

_FULL_KINDS = frozenset({"chorus", "refrain", "hook"})
_GAINS = {"intro": 0.8, "verse": 0.86, "pre-chorus": 0.93, "bridge": 0.9, "outro": 0.88, "ending": 0.95}


@dataclass(frozen=True)
class Bar:
    """A bar to be arranged. `number` counts within the section; `chords` are (start, end, symbol) without gaps."""

    start_ticks: int
    metre: Metre
    kind: str
    number: int
    is_last: bool
    is_final: bool
    full: bool
    gain: float
    with_drums: bool
    with_strings: bool
    chords: tuple[tuple[int, int, ChordSymbol], ...]
    next_chord: ChordSymbol

    @property
    def end_ticks(self) -> int:
        """First tick of the next bar."""
        return self.start_ticks + self.metre.bar_ticks

    def chord_at(self, ticks: int) -> ChordSymbol:
        """The chord that sounds at a tick of this bar."""
        return next((symbol for start, end, symbol in self.chords if start <= ticks < end), self.chords[-1][2])

    def after(self, ticks: int) -> ChordSymbol:
        """The chord that follows the one sounding at a tick, in this bar or the next."""
        return next((symbol for start, _, symbol in self.chords if start > ticks), self.next_chord)


def _spans(sheet: LeadSheet, start: int, end: int) -> tuple[tuple[int, int, ChordSymbol], ...]:
    first = max(0, bisect.bisect_right(sheet.chords, start, key=lambda chord: chord.start_ticks) - 1)
    spans = []
    for index in range(first, len(sheet.chords)):
        chord = sheet.chords[index]
        if chord.start_ticks >= end:
            break
        until = sheet.chords[index + 1].start_ticks if index + 1 < len(sheet.chords) else end
        if until > start:
            spans.append((max(start, chord.start_ticks), min(end, until), chord.symbol))
    if not spans:
        spans = [(start, end, sheet.chords[first].symbol)]
    return ((start, spans[0][1], spans[0][2]), *spans[1:])


def _sections(sheet: LeadSheet) -> list[Section]:
    """The sheet's sections; gaps, and sheets without any, in stretches of eight bars, verse and chorus by turns."""
    bars = sheet.bars()
    found: list[Section] = []
    position, stretch = 0, 0
    named = sorted(sheet.sections, key=lambda section: section.start_ticks)
    for section in [*named, Section("", sheet.end_ticks, sheet.end_ticks)]:
        gap = [start for start, _ in bars if position <= start < section.start_ticks]
        for index in range(0, len(gap), 8):
            end = gap[index + 8] if index + 8 < len(gap) else section.start_ticks
            found.append(Section("chorus" if stretch % 2 else f"verse {stretch // 2 + 1}", gap[index], end))
            stretch += 1
        if section.end_ticks > section.start_ticks:
            found.append(section)
        position = max(position, section.end_ticks)
    return found


def plan_bars(sheet: LeadSheet, *, soft: bool) -> list[Bar]:
    """Every bar of a sheet that has chords, in order."""
    bars = sheet.bars()
    sections = _sections(sheet)
    starts = [start for start, _ in bars]
    last_chorus = max((i for i, section in enumerate(sections) if section.kind in _FULL_KINDS), default=-1)
    plan: list[Bar] = []
    for index, section in enumerate(sections):
        inside = range(bisect.bisect_left(starts, section.start_ticks), bisect.bisect_left(starts, section.end_ticks))
        kind = section.kind
        full = kind in _FULL_KINDS or kind in {"pre-chorus", "ending"} or (kind == "bridge" and not soft)
        first_verse = section.name in {"verse", "verse 1"}
        gain = 1.06 if index == last_chorus else _GAINS.get(kind, 1.0)
        for number, bar in enumerate(inside):
            start, metre = bars[bar]
            end = start + metre.bar_ticks
            half = number * 2 >= len(inside)
            following = sheet.chord_at(end) if bar + 1 < len(bars) else None
            chords = _spans(sheet, start, end)
            plan.append(
                Bar(
                    start_ticks=start,
                    metre=metre,
                    kind=kind,
                    number=number,
                    is_last=bar == inside[-1],
                    is_final=bar == len(bars) - 1,
                    full=full,
                    gain=gain,
                    with_drums=kind != "intro" or half,
                    with_strings=full
                    or kind in {"bridge", "outro"}
                    or (soft and half)
                    or not (first_verse or kind == "intro"),
                    chords=chords,
                    next_chord=following or chords[-1][2],
                )
            )
    return plan
