"""Tables say the same as plain loops over notes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.music import note_tables
from rhapsody_lib.music.note_tables import PART, ScoreTables, in_order, joined, notes_of, table_of
from rhapsody_lib.music.score import PARTS, Note, Score
from tests.unit.music.music_strategies import scores

crowded = st.lists(
    st.builds(Note, st.integers(0, 12), st.integers(58, 60), st.integers(1, 9), st.integers(1, 4)), max_size=25
)


@given(scores())
def test_a_score_comes_back_from_its_table(score: Score) -> None:
    assert ScoreTables.of(score).score() == score


@given(crowded, crowded)
def test_order_is_by_part_then_as_notes_sort(first: list[Note], second: list[Note]) -> None:
    table = in_order(joined([table_of(second, 3), table_of(first, 1)]))
    assert notes_of(table) == (*sorted(first), *sorted(second))
    assert table[PART].tolist() == [1] * len(first) + [3] * len(second)


@given(crowded)
def test_overlaps_end_as_a_loop_ends_them(found: list[Note]) -> None:
    longest: dict[tuple[int, int], Note] = {}
    for note in sorted(found, key=lambda n: (n.duration_ticks, -n.velocity)):
        longest[note.start_ticks, note.pitch] = note
    expected = []
    for note in longest.values():
        later = [n.start_ticks for n in longest.values() if n.pitch == note.pitch and n.start_ticks > note.start_ticks]
        room = min(later, default=note.end_ticks) - note.start_ticks
        expected.append(Note(note.start_ticks, note.pitch, min(note.duration_ticks, room), note.velocity))
    assert notes_of(note_tables.without_overlaps(table_of(found))) == tuple(sorted(expected))


@given(st.lists(st.integers(0, 127), max_size=20), st.sampled_from(range(len(PARTS))))
def test_only_drums_are_dropped_for_their_pitch(pitches: list[int], part: int) -> None:
    kept = note_tables.in_range(table_of((Note(0, pitch, 1, 1) for pitch in pitches), part))
    expected = [p for p in pitches if 35 <= p <= 81] if PARTS[part] == "drums" else pitches
    assert [pitch % 12 for pitch in kept[note_tables.PITCH].tolist()] == [pitch % 12 for pitch in expected]
