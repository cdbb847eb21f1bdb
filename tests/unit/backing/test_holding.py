"""Notes of a whole part let go at once are let go where each alone would be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.backing.holding import released
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.parts import without_overlaps
from rhapsody_lib.music.plan import PlannedSection, SongPlan
from rhapsody_lib.music.score import PARTS, TICKS_PER_BEAT, Metre, Note, Score, Tempo, TimedChord

PLAN = SongPlan((4, 4), (PlannedSection("verse", "verse", 3),))
LAST_BAR, END = 2 * PLAN.bar_ticks, 3 * PLAN.bar_ticks
CHORDS = (ChordSymbol(0, "", 0), ChordSymbol(7, "", 7), ChordSymbol(9, "m", 9))

ticks = st.integers(0, (END - 1) // 120).map(lambda step: step * 120)
notes = st.lists(st.builds(Note, ticks, st.integers(60, 72), st.integers(1, 16).map(lambda n: n * 120), st.just(80)))
chords = st.lists(st.tuples(ticks, st.sampled_from(CHORDS)), max_size=6, unique_by=lambda chord: chord[0])


def _alone(part: str, note: Note, played: list[Note], changes: list[TimedChord]) -> Note:
    """The note let go where a player would, by the rule as it is told."""
    limits = [note.end_ticks, LAST_BAR if note.start_ticks < LAST_BAR else END]
    if part in {"melody", "bass"}:
        limits += [other.start_ticks for other in played if other.start_ticks > note.start_ticks]
    elif part != "drums":
        limits += [
            chord.start_ticks
            for chord in changes
            if note.start_ticks < chord.start_ticks <= note.end_ticks - TICKS_PER_BEAT
            and note.pitch % 12 not in chord.symbol.pitch_classes
        ]
    return replace(note, duration_ticks=min(limits) - note.start_ticks)


@pytest.mark.parametrize("part", ["melody", "drums", "piano"])
@given(played=notes, changes=chords)
def test_each_note_is_let_go_by_its_rule(part: str, played: list[Note], changes: list[tuple[int, ChordSymbol]]) -> None:
    told = [TimedChord(start, symbol) for start, symbol in sorted(changes, key=lambda change: change[0])]
    parts = {name: tuple(sorted(played)) if name == part else () for name in PARTS}
    score = Score("", Key(0, "major"), (Tempo(0, 90.0),), (Metre(0, 4, 4),), parts, chords=tuple(told))
    expected = without_overlaps(_alone(part, note, played, told) for note in played)
    assert released(score, PLAN)[part] == expected
