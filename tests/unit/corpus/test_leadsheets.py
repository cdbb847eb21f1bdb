from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.leadsheets import lead_sheet, parse_leadsheet_file
from rhapsody_lib.corpus.musicxml import read_sheet
from rhapsody_lib.corpus.phrases import Grid, lines_of, with_lines
from rhapsody_lib.corpus.repeats import performed
from rhapsody_lib.corpus.sheet_words import sung_syllables
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import PART_RANGES, Note, Syllable
from tests.unit.corpus.corpus_samples import WORDS, sung_measures, xml_note, xml_score

FORWARD = '<barline location="left"><repeat direction="forward"/></barline>'
BACKWARD = '<barline location="right"><repeat direction="backward"/></barline>'
TWO_VERSES = xml_note("C5", 4, "one").replace("</note>", '<lyric number="2"><text>two</text></lyric></note>')


def _sheet(measures: list[str], **options: str) -> LeadSheet:
    return lead_sheet(read_sheet(fromstring(xml_score(measures, **options)), "song.xml"), "song.xml")


def _order(measures: list[str]) -> list[tuple[int, int]]:
    return performed(read_sheet(fromstring(xml_score(measures)), "song.xml").measures)


def _ending(number: str, *, close: str = "stop") -> str:
    start = f'<barline location="left"><ending number="{number}" type="start"/></barline>'
    return start + xml_note("E5", 4, "end") + f'<barline location="right"><ending number="{number}" type="{close}"/>'


def _words(*texts: str, syllabic: str = "single") -> list[str]:
    syllables = sung_syllables([(index, syllabic, text) for index, text in enumerate(texts)])
    return "".join(each.text + (" " if each.ends_word else "") for each in syllables).split()


def test_a_repeat_with_a_second_verse_is_sung_twice() -> None:
    assert _order([FORWARD + TWO_VERSES, TWO_VERSES + BACKWARD, xml_note("C5", 4, "out")]) == [
        (0, 1), (1, 1), (0, 2), (1, 2), (2, 1),
    ]  # fmt: skip


def test_a_repeat_without_new_words_is_sung_once_with_its_last_ending() -> None:
    once = xml_note("C5", 4, "one")
    first = _ending("1") + '<repeat direction="backward"/></barline>'
    assert _order([once, first, _ending("2") + "</barline>", once]) == [(0, 1), (2, 1), (3, 1)]


def test_endings_follow_their_verses() -> None:
    first = _ending("1") + '<repeat direction="backward"/></barline>'
    assert _order([TWO_VERSES, first, _ending("2", close="discontinue") + "</barline>"]) == [
        (0, 1), (1, 1), (0, 2), (2, 2),
    ]  # fmt: skip


def test_badly_formed_repeats_are_read_as_written() -> None:
    once = xml_note("C5", 4, "one")
    assert _order([once + BACKWARD, FORWARD + once, _ending("2") + "</barline>", FORWARD + once]) == [
        (0, 1), (1, 1), (2, 1), (3, 1),
    ]  # fmt: skip


def test_verses_under_all_notes_are_sung_one_after_another() -> None:
    assert _order([TWO_VERSES, TWO_VERSES]) == [(0, 1), (1, 1), (0, 2), (1, 2)]


def test_a_pickup_is_padded_and_divided_bars_are_joined() -> None:
    measures = [
        xml_note("G4", 1, "a"),
        *sung_measures("b c d e"),
        xml_note("C5", 3, "f"),
        xml_note("G4", 1, "g"),
        *sung_measures("h i j k"),
    ]
    sheet = _sheet(measures)
    assert [each.start_ticks // 480 for each in sheet.syllables] == [3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15]
    assert sheet.end_ticks == 16 * 480


def test_ties_are_one_note() -> None:
    tied = [
        xml_note("C5", 4, "long", extra='<tie type="start"/>'),
        xml_note("C5", 2, extra='<tie type="stop"/>') + xml_note("D5", 2, "end"),
    ]
    assert [(note.start_ticks, note.duration_ticks) for note in _sheet(tied).melody] == [(0, 2880), (2880, 960)]


@pytest.mark.parametrize(
    ("attributes", "content", "metre"),
    [
        ("", xml_note("C5", 3, "la"), (3, 4)),
        ("<time><beats>3+2</beats><beat-type>8</beat-type></time>", xml_note("C5", 2.5, "la"), (5, 8)),
        ("<time><beats>0</beats><beat-type>4</beat-type></time>", xml_note("C5", 4, "la"), (4, 4)),
        ("<time><beats>6</beats><beat-type>8</beat-type></time>", xml_note("C5", 3, "la"), (6, 8)),
    ],
)
def test_the_metre_is_the_stated_one_or_that_of_the_bars(attributes: str, content: str, metre: tuple[int, int]) -> None:
    sheet = _sheet([content] * 4, attributes=attributes)
    assert [(each.numerator, each.denominator) for each in sheet.metres] == [metre]


def test_a_key_signature_that_the_notes_contradict_is_not_believed() -> None:
    scale = ["F4", "G4", "A4", "C5", "D5", "F5", "F4", "C5"]
    flat = xml_note("B4", 1, "la").replace("<octave>", "<alter>-1</alter><octave>")
    measures = [
        "".join(xml_note(pitch, 0.5, "la") for pitch in scale),
        flat * 2 + xml_note("A4", 1, "la") + xml_note("F4", 1, "la"),
    ] * 3
    assert _sheet(measures).key.name == "F major"


def test_a_stated_tempo_is_taken_and_another_found_by_density() -> None:
    marked = '<direction><sound tempo="66"/></direction>'
    assert _sheet([marked + xml_note("C5", 4, "la")]).tempo_bpm == 66
    dense, sparse = _sheet(["".join([xml_note("C5", 0.5, "la")] * 8)]), _sheet([xml_note("C5", 4, "la")])
    assert 60 < dense.tempo_bpm < sparse.tempo_bpm < 200


def test_melodies_are_brought_into_the_range_of_a_voice() -> None:
    low, high = PART_RANGES["melody"]
    for octave in (1, 3, 7):
        sheet = _sheet([xml_note(f"C{octave}", 2, "la") + xml_note(f"G{octave}", 2, "la")] * 3)
        assert all(low <= note.pitch <= high for note in sheet.melody)


def test_words_are_put_together_as_people_type_them() -> None:
    assert _words("ap", "ple", "blos", "som", "time") == ["apple", "blossom", "time"]
    assert _words("won-", "der", "a", "way") == ["wonder", "a", "way"]
    assert _words("1.", "2. The", "sea", "_", "-") == ["The", "sea"]
    assert _words("moon", "light") == ["moon", "light"]
    assert _words("sing", "-ing") == ["singing"]
    assert _words("sea") == ["sea"]


def test_a_word_begun_and_never_ended_ends_where_the_next_begins() -> None:
    syllables = sung_syllables([(0, "begin", "ev"), (1, "begin", "won"), (2, "end", "der"), (3, "begin", "full")])
    assert [each.ends_word for each in syllables] == [True, False, True, True]


syllable_texts = st.lists(
    st.tuples(st.integers(1, 900), st.booleans(), st.sampled_from(["la", "The", "sea,", "of", "end."])),
    min_size=1,
    max_size=80,
)


@given(syllable_texts)
def test_lines_keep_every_syllable_and_break_between_words_only(pieces: list[tuple[int, bool, str]]) -> None:
    ticks, syllables = 0, []
    for step, ends, text in pieces:
        syllables.append(Syllable(ticks, text, ends, 0))
        ticks += step
    notes = [Note(each.start_ticks, 60, 1, 80) for each in syllables]
    lined = with_lines(syllables, notes, Grid(1920))
    assert [(each.start_ticks, each.text) for each in lined] == [(each.start_ticks, each.text) for each in syllables]
    assert lined[0].line == 0
    for before, after in pairwise(lined):
        assert after.line - before.line in ({0, 1} if before.ends_word else {0})


def test_lines_end_where_the_melody_rests() -> None:
    words = ["down", "by", "the", "river", "side", "i", "laid", "my", "burden", "down", "and", "went"]
    starts = [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 16, 17]
    syllables = [Syllable(480 * start, word, True, 0) for start, word in zip(starts, words, strict=True)]
    notes = [Note(480 * start, 60, 470, 80) for start in starts]
    lines = [text for text, _ in lines_of(with_lines(syllables, notes, Grid(1920)))]
    assert lines == ["down by the river side", "i laid my burden down", "and went"]


def test_a_lead_sheet_becomes_a_song_with_music(tmp_path: Path) -> None:
    chord = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    path = tmp_path / "song.xml"
    path.write_text(xml_score([chord + measure for measure in sung_measures(WORDS)]), encoding="utf-8")
    song = parse_leadsheet_file(Job("leadsheet", str(path), "song.xml"))
    assert song.title == "Boats"
    assert " ".join(song.lyrics.split("\n")[1:]).split() == WORDS.split()
    assert song.track is not None
    score = midi_to_score(song.track.midi, "song.mid")
    assert len(score.syllables) == len(WORDS.split())
    assert {each.start_ticks for each in score.syllables} <= {note.start_ticks for note in score.parts["melody"]}
    assert song.track.notes == sum(map(len, score.parts.values()))


def test_a_sheet_without_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.xml").write_text(xml_score([xml_note("C5", 4)] * 4), encoding="utf-8")
    with pytest.raises(UnreadableFileError) as caught:
        parse_leadsheet_file(Job("leadsheet", str(tmp_path / "song.xml"), "song.xml"))
    assert caught.value.code == "no_lyrics"


def test_a_sheet_without_words_is_music_where_words_are_not_needed(tmp_path: Path) -> None:
    (tmp_path / "song.xml").write_text(xml_score([xml_note("C5", 4)] * 4), encoding="utf-8")
    song = parse_leadsheet_file(Job("leadsheet", str(tmp_path / "song.xml"), "song.xml", words_needed=False))
    assert song.lyrics == ""
    assert song.track is not None
    assert song.track.notes >= 4
