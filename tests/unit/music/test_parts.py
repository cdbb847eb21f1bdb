from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.music.note_tables import PART, notes_of, table_of
from rhapsody_lib.music.parts import RawTrack, assign, family, in_range, melody_track, skyline, without_overlaps
from rhapsody_lib.music.score import PART_RANGES, PARTS, Note
from tests.unit.music.music_strategies import notes

raw_notes = st.lists(
    st.builds(Note, st.integers(0, 2000), st.integers(50, 60), st.integers(1, 900), st.integers(1, 127)), max_size=30
)


@given(raw_notes)
def test_no_pitch_overlaps_itself(found: list[Note]) -> None:
    kept = without_overlaps(found)
    assert list(kept) == sorted(kept)
    for pitch in {note.pitch for note in found}:
        line = [note for note in kept if note.pitch == pitch]
        assert {n.start_ticks for n in line} == {n.start_ticks for n in found if n.pitch == pitch}
        assert all(a.end_ticks <= b.start_ticks for a, b in itertools.pairwise(line))


@given(raw_notes)
def test_skyline_is_monophonic_and_highest(found: list[Note]) -> None:
    line = skyline(found)
    assert all(a.end_ticks <= b.start_ticks for a, b in itertools.pairwise(line))
    assert all(note.pitch == max(n.pitch for n in found if n.start_ticks == note.start_ticks) for note in line)


@given(notes(), st.sampled_from([part for part in PARTS if part != "drums"]))
def test_folding_keeps_pitch_classes(found: tuple[Note, ...], part: str) -> None:
    low, high = PART_RANGES[part]
    folded = in_range(part, found)
    assert all(low <= note.pitch <= high for note in folded)
    assert [note.pitch % 12 for note in folded] == [note.pitch % 12 for note in found]


def test_every_program_has_a_family_or_none() -> None:
    assert {family(program) for program in range(128)} == {"piano", "guitar", "bass", "strings", None}
    assert family(105) == "guitar" and family(56) == "strings" and family(118) is None


def test_backing_vocals_are_no_melody() -> None:
    line = table_of(Note(i * 480, 70, 240, 80) for i in range(8))
    tracks = [RawTrack("Backing vocals", 52, False, line), RawTrack("LEAD", 80, False, line)]
    assert melody_track(tracks, []) == 1


def test_drums_alone_give_drums_alone() -> None:
    table, _ = assign([RawTrack("", 0, True, table_of([Note(0, 20, 1, 80), Note(0, 36, 1, 80)]))])
    assert [note.pitch for note in notes_of(table)] == [36]
    assert [PARTS[index] for index in table[PART].tolist()] == ["drums"]
