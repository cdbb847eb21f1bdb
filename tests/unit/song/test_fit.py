from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import Note, Score
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.sung_words import sung_syllables
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.unit.song.song_samples import BEAT, sample_lyrics, sample_score

LINES = st.one_of(
    st.lists(
        st.sampled_from(
            ["the", "sky", "blue", "wonderful", "hallelujah", "1999", "😀🎉", "青い空", "небо", "—", "&", "don't"]
        ),
        max_size=40,
    ).map(" ".join),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60),
)
MELODIES = st.lists(
    st.builds(
        Note, st.integers(0, 4 * BEAT * 4 - 1), st.integers(50, 80), st.integers(1, 3 * BEAT), st.integers(1, 127)
    ),
    max_size=24,
)


def one_line(line: str, melody: list[Note], tempo_bpm: float = 100.0) -> tuple[Score, Score, Lyrics]:
    lyrics = Lyrics("One", (LyricSection("verse 1", (line, line)),))
    score = sample_score((("verse 1", 2),), tempo_bpm=tempo_bpm)
    parts = {**score.parts, "melody": tuple(sorted(melody))}
    score = Score(score.title, score.key, score.tempi, score.metres, parts, score.chords, score.sections)
    return score, fit_words(lyrics, score), lyrics


def spelled(score: Score, line: int) -> str:
    return "".join(s.text + " " * s.ends_word for s in score.syllables if s.line == line).strip()


def check_invariants(fitted: Score, lyrics: Lyrics, min_ticks: int) -> None:
    melody = fitted.parts["melody"]
    starts = [note.start_ticks for note in melody]
    onsets = [syllable.start_ticks for syllable in fitted.syllables]
    assert set(onsets) <= set(starts)
    assert all(a < b for a, b in pairwise(onsets))
    assert all(a.end_ticks <= b.start_ticks for a, b in pairwise(melody))
    assert all(note.duration_ticks >= min_ticks for note in melody if note.start_ticks in set(onsets))
    for number, line in enumerate(lyrics.lines):
        assert spelled(fitted, number) == " ".join(line.split())
        assert all(
            2 * 4 * BEAT * number <= s.start_ticks < 2 * 4 * BEAT * (number + 1)
            for s in fitted.syllables
            if s.line == number
        )
    assert all(note.end_ticks <= 16 * BEAT for note in melody if note.start_ticks in set(onsets))


@settings(max_examples=100, deadline=None)
@given(LINES, MELODIES, st.sampled_from([60.0, 100.0, 180.0]))
def test_every_syllable_has_its_own_note(line: str, melody: list[Note], tempo_bpm: float) -> None:
    score, fitted, lyrics = one_line(line, melody, tempo_bpm)
    syllables = max(1, len(sung_syllables(line)))
    even_s = 8 * 60 / tempo_bpm / syllables
    check_invariants(fitted, lyrics, int(min(0.06, even_s * 0.99) * tempo_bpm / 60 * BEAT))
    assert all(fitted.parts[part] == score.parts[part] for part in fitted.parts if part != "melody")
    assert fit_words(lyrics, score) == fitted


@pytest.mark.parametrize("syllables", [1, 7, 60, 100])
@pytest.mark.parametrize("notes", [0, 1, 3, 30])
def test_any_number_of_syllables_on_any_number_of_notes(syllables: int, notes: int) -> None:
    melody = [Note(i * 3840 // max(1, notes), 60 + i % 5, 3840 // notes, 90) for i in range(notes)]
    _, fitted, lyrics = one_line(" ".join(["la"] * syllables), melody)
    check_invariants(fitted, lyrics, 15)
    assert len(fitted.syllables) == 2 * syllables


def test_melody_stays_as_it_is_where_the_counts_agree() -> None:
    melody = [Note(i * BEAT, 60 + 2 * i, BEAT, 90) for i in range(6)]
    _, fitted, _ = one_line("we are sing ing a song", melody)
    assert fitted.parts["melody"][:6] == tuple(melody)


def test_fewer_notes_than_syllables_keep_the_melody_and_add_onsets_on_the_grid() -> None:
    melody = [Note(0, 60, 2 * BEAT, 90), Note(2 * BEAT, 64, 2 * BEAT, 90)]
    _, fitted, _ = one_line("my river runs", melody)
    first = {s.start_ticks for s in fitted.syllables if s.line == 0}
    pitches = {note.start_ticks: note.pitch for note in fitted.parts["melody"]}
    assert {0: 60, 2 * BEAT: 64}.items() <= pitches.items()
    assert len(first) == 4
    assert all(tick % (BEAT // 2) == 0 for tick in first)


def test_a_note_split_in_two_repeats_its_pitch() -> None:
    melody = [Note(0, 60, 2 * BEAT, 90), Note(2 * BEAT, 64, 4 * BEAT, 90), Note(6 * BEAT, 67, 2 * BEAT, 90)]
    _, fitted, _ = one_line("one two three four", melody)
    first = [note.pitch for note in fitted.parts["melody"] if note.start_ticks < 8 * BEAT]
    assert first in ([60, 60, 64, 67], [60, 64, 64, 67], [60, 64, 67, 67])


def test_more_notes_than_syllables_are_slurred() -> None:
    melody = [Note(i * BEAT, 60 + i, BEAT, 90) for i in range(6)]
    _, fitted, _ = one_line("rain falls down slowly", melody)
    assert [n for n in fitted.parts["melody"] if n.start_ticks < 8 * BEAT] == melody
    assert len([s for s in fitted.syllables if s.line == 0]) == 5


def test_stressed_syllables_take_the_strong_beats() -> None:
    _, fitted, _ = one_line("the river and the water under the moon", [Note(0, 60, 8 * BEAT - 240, 90)])
    strong = {0, 2 * BEAT, 4 * BEAT, 6 * BEAT}
    onsets = {s.text: s.start_ticks for s in fitted.syllables if s.line == 0}
    stressed = [onsets[text] for text in ("ri", "wa", "moon") if text in onsets] or [onsets["riv"], onsets["wa"]]
    assert sum(tick % BEAT == 0 for tick in stressed) >= len(stressed) - 1
    assert strong & set(stressed)


def test_a_word_is_not_torn_by_a_rest() -> None:
    melody = [Note(0, 60, BEAT // 2, 90), Note(2 * BEAT, 62, BEAT // 2, 90), Note(3 * BEAT, 64, BEAT, 90)]
    _, fitted, _ = one_line("water runs", melody)
    assert [note.duration_ticks for note in fitted.parts["melody"][:2]] == [2 * BEAT, BEAT // 2]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["the", "sky", "blue", "wonderful", "river"]), min_size=1, max_size=6), MELODIES)
def test_a_line_ends_with_an_eighth_to_breathe(words: list[str], melody: list[Note]) -> None:
    _, fitted, _ = one_line(" ".join(words), melody)  # at most 18 syllables: some lines are too full for eighths
    for line, end in enumerate((8 * BEAT, 16 * BEAT)):
        onsets = [s.start_ticks for s in fitted.syllables if s.line == line]
        sung = [note for note in fitted.parts["melody"] if onsets[0] <= note.start_ticks < end]
        if len(onsets) <= 15:
            assert onsets[-1] <= end - BEAT
            assert sung[-1].end_ticks <= end - BEAT // 2


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10), MELODIES)
def test_no_syllable_is_sung_across_a_rest(words: int, melody: list[Note]) -> None:
    _, fitted, _ = one_line(" ".join(["sky"] * words), melody)
    starts = {s.start_ticks for s in fitted.syllables}
    for note, after in pairwise(fitted.parts["melody"]):
        assert after.start_ticks in starts or after.start_ticks == note.end_ticks


def test_notes_left_over_after_a_rest_are_not_sung() -> None:
    melody = [
        Note(0, 60, BEAT, 90),
        Note(BEAT, 62, BEAT, 90),
        Note(5 * BEAT, 64, BEAT, 90),
        Note(6 * BEAT, 65, BEAT, 90),
    ]
    _, fitted, _ = one_line("oh love.", melody)
    onsets = {s.start_ticks for s in fitted.syllables if s.line == 0}
    gaps = [b.start_ticks - a.end_ticks for a, b in pairwise(fitted.parts["melody"]) if b.start_ticks < 8 * BEAT]
    assert 0 in onsets
    assert all(gap == 0 for gap in gaps) or 5 * BEAT in onsets


def test_slurs_of_a_real_line() -> None:
    pitches = [(74, 1.0), (72, 0.5), (71, 0.5), (69, 0.5), (67, 0.5), (67, 0.75), (65, 0.25), (64, 2.0)]
    melody, tick = [], 0
    for pitch, beats in pitches:
        melody.append(Note(tick, pitch, int(beats * BEAT), 90))
        tick += int(beats * BEAT)
    _, fitted, _ = one_line("and heaven and nature sing", melody)
    onsets = [s.start_ticks for s in fitted.syllables if s.line == 0]
    assert len(onsets) == 7
    assert onsets[-1] == 4 * BEAT


def test_last_note_leaves_a_breath() -> None:
    _, fitted, _ = one_line("hold the line", [Note(i * BEAT, 60, BEAT * (6 if i == 2 else 1), 90) for i in range(3)])
    assert fitted.parts["melody"][2].end_ticks < 8 * BEAT


def test_whole_song_keeps_its_form_and_a_returning_chorus_its_notes() -> None:
    lyrics, score = sample_lyrics(), sample_score()
    fitted = fit_words(lyrics, score)
    for number, line in enumerate(lyrics.lines):
        assert spelled(fitted, number) == line
    first, second = (s for s in score.sections if s.name == "chorus")
    notes = [
        [
            (n.start_ticks - s.start_ticks, n.pitch, n.duration_ticks)
            for n in fitted.parts["melody"]
            if s.start_ticks <= n.start_ticks < s.end_ticks
        ]
        for s in (first, second)
    ]
    assert notes[0] == notes[1] != []


def test_a_section_missing_from_the_music_is_told() -> None:
    with pytest.raises(ValueError, match="bridge"):
        fit_words(Lyrics("x", (LyricSection("bridge", ("a line",)),)), sample_score())


def test_more_syllables_than_ticks_is_an_input_error() -> None:
    with pytest.raises(InputError, match="syllables"):
        one_line("la " * 5000, [])


@given(st.text(max_size=80))
def test_sung_syllables_spell_the_line(line: str) -> None:
    sung = sung_syllables(line)
    assert "".join(s.text + " " * s.ends_word for s in sung).strip() == " ".join(line.split())
    assert bool(sung) == bool(line.split())
