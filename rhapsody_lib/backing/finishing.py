"""The end of writing: notes held through a gap, a last chorus lifted, a ritardando, the names of sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rhapsody_lib.backing.holding import released
from rhapsody_lib.music.parts import without_overlaps
from rhapsody_lib.music.plan import SongPlan
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Metre, Note, Score, Section, Tempo

#: Parts that can hold a note through a gap.
_HOLDING = ("piano", "guitar", "bass", "strings")
#: Tempo of the last chord by the song's; of music to dance to; bars of fewer seconds are short.
_END, _DRIVING_END, _SHORT_BAR_S = 0.7, 0.88, 2.0
_DRIVING = frozenset({"disco", "funk", "rock", "reggae"})
#: The last of several choruses is louder by this factor, and opens with a crash where the song has one.
LIFT = 1.08
_LIFTED = frozenset({"chorus", "refrain"})
CRASHES = (49, 57, 55)
_CRASH_VELOCITY = 96


def gaps(parts: Mapping[str, Sequence[Note]], longest: int, end: int) -> list[tuple[int, int]]:
    """(begin, end) of each silence longer than `longest` ticks before `end`, whatever the melody does."""
    found, silent_from = [], 0
    spans = sorted((note.start_ticks, note.end_ticks) for part in PARTS[1:] for note in parts[part])
    for start, stop in [*spans, (end, end)]:
        if start - silent_from > longest:
            found.append((silent_from, start))
        silent_from = max(silent_from, stop)
    return found


def _held(parts: Mapping[str, tuple[Note, ...]], bar_ticks: int, end: int) -> dict[str, tuple[Note, ...]]:
    """Parts in which the last notes before a silence of more than a bar sound on to its end."""
    held = {part: list(parts[part]) for part in PARTS}
    for begin, stop in gaps(parts, bar_ticks, end):
        ends = [note.end_ticks for part in _HOLDING for note in held[part] if note.end_ticks <= begin]
        last = max(ends, default=-1)
        for part in _HOLDING:
            held[part] = [
                replace(note, duration_ticks=stop - note.start_ticks) if note.end_ticks == last else note
                for note in held[part]
            ]
    return {part: tuple(notes) for part, notes in held.items()}


def _lifted(score: Score, plan: SongPlan) -> dict[str, tuple[Note, ...]]:
    """Parts with the last of several choruses played up: louder, a crash on its first beat. No note is changed."""
    choruses = [(section, bar) for section, bar in plan.starts() if section.kind in _LIFTED]
    parts = dict(score.parts)
    if len(choruses) < 2:
        return parts
    section, bar = choruses[-1]
    begin, end = bar * plan.bar_ticks, (bar + section.bars) * plan.bar_ticks
    for part in PARTS:
        parts[part] = tuple(
            replace(note, velocity=min(127, round(note.velocity * LIFT))) if begin <= note.start_ticks < end else note
            for note in parts[part]
        )
    struck = {note.pitch for note in parts["drums"]}
    crash = next((pitch for pitch in CRASHES if pitch in struck), None)
    if crash is not None and not any(n.start_ticks == begin and n.pitch == crash for n in parts["drums"]):
        note = Note(begin, crash, plan.bar_ticks // 16, _CRASH_VELOCITY)
        parts["drums"] = without_overlaps([*parts["drums"], note])
    return parts


def ritardando(plan: SongPlan, tempo_bpm: float, style: str) -> tuple[Tempo, ...]:
    """The song's tempo, and from the last bars before the last chord on a slower one at each quarter note.

    Friberg and Sundberg 1999, "Does music performance allude to locomotion?", equation 5 with q = 3: tempo falls like
    the speed of a runner who comes to a stop. It falls within the last section, over a bar of a slow song and two of a
    fast one.
    """
    length, final = plan.bar_ticks, _DRIVING_END if style in _DRIVING else _END
    bars = min(
        2 if plan.metre[0] * 4 / plan.metre[1] * 60 / tempo_bpm < _SHORT_BAR_S else 1, plan.sections[-1].bars - 1
    )
    end = (plan.bars - 1) * length
    begin, tempi = end - max(0, bars) * length, [Tempo(0, tempo_bpm)]
    for tick in (*range(begin + TICKS_PER_BEAT, end, TICKS_PER_BEAT), end):
        if tick > 0:
            done = (tick - begin) / (end - begin) if end > begin else 1.0
            tempi.append(Tempo(tick, tempo_bpm * (1 + (final**3 - 1) * done) ** (1 / 3)))
    return tuple(tempi)


def finished(score: Score, plan: SongPlan, tempo_bpm: float) -> Score:
    """The score with the plan's section names and the exact tempo, which slows at the end.

    Nothing sounds beyond the end, and no silence is longer than a bar.
    """
    length = plan.bar_ticks
    sections = tuple(Section(s.name, bar * length, (bar + s.bars) * length) for s, bar in plan.starts())
    named = replace(
        score,
        tempi=ritardando(plan, tempo_bpm, score.style),
        metres=(Metre(0, *plan.metre),),
        sections=sections,
        parts=_held(released(score, plan), length, plan.bars * length),
    )
    return replace(named, parts=_lifted(named, plan))
