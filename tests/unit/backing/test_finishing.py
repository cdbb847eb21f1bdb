"""A silence of more than a bar is held through, and the last chorus is played up; no note is moved."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rhapsody_lib.backing.finishing import CRASHES, LIFT, finished, gaps, ritardando
from rhapsody_lib.backing.holding import articulated
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.plan import PlannedSection, SongPlan
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Tempo, TimedChord

BAR = 4 * 480
PLAN = SongPlan(
    (4, 4),
    tuple(PlannedSection(name, name, 2) for name in ("verse", "chorus", "bridge", "chorus")),
)


def _score(**parts: tuple[Note, ...]) -> Score:
    silent: dict[str, tuple[Note, ...]] = dict.fromkeys(PARTS, ())
    c = TimedChord(0, ChordSymbol(0, "", 0))
    return Score("", Key(0, "major"), (Tempo(0, 90.0),), (Metre(0, 4, 4),), silent | parts, chords=(c,))


def test_the_last_notes_before_a_silence_are_held_to_its_end() -> None:
    piano = (Note(0, 60, 480, 70), Note(0, 64, 240, 70), Note(2 * BAR - 10, 60, 480, 70))
    melody = (Note(BAR, 72, 480, 90),)  # a singer does not fill a band's silence
    steady = tuple(Note(bar * BAR, 36, BAR, 80) for bar in range(2, 8))
    before = _score(piano=piano, melody=melody, bass=steady)
    assert gaps(before.parts, BAR, 8 * BAR) == [(480, 2 * BAR - 10)]
    after = finished(before, PLAN, 90.0)
    assert gaps(after.parts, BAR, 8 * BAR) == []
    assert [(n.start_ticks, n.end_ticks) for n in after.parts["piano"][:2]] == [(0, 2 * BAR - 10), (0, 240)]


def test_the_last_chorus_is_louder_and_opens_with_the_songs_own_crash() -> None:
    bass = tuple(Note(bar * BAR, 36, BAR, 80) for bar in range(8))
    drums = (Note(0, CRASHES[0], 120, 90), *(Note(bar * BAR + 480, 36, 120, 90) for bar in range(8)))
    after = finished(_score(bass=bass, drums=drums), PLAN, 90.0)
    assert [note.velocity for note in after.parts["bass"]] == [80] * 6 + [round(80 * LIFT)] * 2
    crashes = [note.start_ticks for note in after.parts["drums"] if note.pitch == CRASHES[0]]
    assert crashes == [0, 6 * BAR]
    plain = finished(_score(bass=bass, drums=drums[1:]), PLAN, 90.0)
    assert not any(note.pitch in CRASHES for note in plain.parts["drums"])


@pytest.mark.parametrize(("factor", "held"), [(0.5, 240), (1.03, 240), (1.5, 360), (3.0, 480)])
def test_chords_are_held_as_the_primers_player_holds_them(factor: float, held: int) -> None:
    """Within a factor of two, to the next note of the pitch, and not in the last bar."""
    written = tuple(Note(beat * 480, 60 + beat % 2, 240, 70) for beat in range(32))
    primer = _score(piano=tuple(Note(beat * 480, 60, round(240 * factor), 70) for beat in range(8)))
    found = articulated(_score(piano=written, bass=written), primer, PLAN)
    before, last = found.parts["piano"][:28], found.parts["piano"][28:]
    expected = max(120, held) if factor > 1 else 120
    assert {note.duration_ticks for note in before} == {expected}
    assert last == written[28:]
    assert found.parts["bass"] == written


@pytest.mark.parametrize(("bpm", "bars"), [(80.0, 1), (150.0, 2)])
def test_the_end_slows_down_like_a_runner(bpm: float, bars: int) -> None:
    plan = SongPlan((4, 4), (PlannedSection("verse", "verse", 4), PlannedSection("ending", "ending", 3)))
    tempi = ritardando(plan, bpm, "ballad")
    assert [tempo.start_ticks for tempo in tempi[1:]] == [6 * BAR - 480 * back for back in range(4 * bars - 1, -1, -1)]
    assert tempi[0] == Tempo(0, bpm)
    assert tempi[-1].bpm == pytest.approx(0.7 * bpm)
    steps = [a.bpm - b.bpm for a, b in pairwise(tempi)]
    assert steps == sorted(steps)
    assert steps[0] > 0
    assert ritardando(plan, bpm, "rock")[-1].bpm > tempi[-1].bpm
    alone = SongPlan((4, 4), (PlannedSection("verse", "verse", 1),))
    assert ritardando(alone, bpm, "") == (Tempo(0, bpm),)
