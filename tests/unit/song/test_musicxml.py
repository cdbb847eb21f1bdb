from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.music.chords import QUALITIES, SHARP_NAMES, ChordSymbol, Key, parse_chord, parse_key
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Syllable, Tempo, TimedChord
from rhapsody_lib.song.engraving import check_engraving, engrave
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.musicxml import leadsheet
from rhapsody_lib.song.notation import STEP_TICKS, Bar, Grid, upper_voice, written_bars
from rhapsody_lib.song.note_values import written_pieces
from rhapsody_lib.song.spelling import KINDS, chord_name, key_fifths, spell, spell_root
from rhapsody_lib.song.syllable_notes import syllable_runs
from tests.unit.song.song_samples import BEAT, sample_lyrics, sample_score

music21 = pytest.importorskip("music21")
KEYS = [parse_key(f"{name} {mode}") for name in SHARP_NAMES for mode in ("major", "minor")]


def melody_score(notes: list[Note], *, metres: tuple[Metre, ...] = (Metre(0, 4, 4),), **changes: Any) -> Score:
    parts = {part: tuple(notes) if part == "melody" else () for part in PARTS}
    return replace(Score("Try", Key(0, "major"), (Tempo(0, 100.0),), metres, parts), **changes)


def opened(sheet: bytes) -> Any:
    """The sheet's one part as music21 reads it, ties joined."""
    return music21.converter.parseData(sheet.decode(), format="musicxml").parts[0].stripTies()


def sung(part: Any) -> list[tuple[float, float, int, str, str]]:
    """(onset and length in quarters, pitch, syllable, its place in the word) of each note."""
    rows = []
    for note in part.flatten().getElementsByClass(music21.note.Note):
        lyric = note.lyrics[0] if note.lyrics else None
        place = (lyric.text, lyric.syllabic) if lyric else ("", "")
        rows.append((float(note.offset), float(note.quarterLength), note.pitch.midi, *place))
    return rows


@pytest.mark.parametrize("metre", [(4, 4), (3, 4), (6, 8), (2, 2)])
def test_music21_reads_the_song_back(metre: tuple[int, int]) -> None:
    score = fit_words(sample_lyrics(), sample_score(metre=metre))
    part = opened(leadsheet(score))
    voice, texts = upper_voice(score), {syllable.start_ticks: syllable for syllable in score.syllables}
    rows = sung(part)
    assert [row[2] for row in rows] == [note.pitch for note in voice]
    for (onset, length, _, text, _), note in zip(rows, voice, strict=True):
        assert onset == pytest.approx(note.start_ticks / BEAT, abs=0.01)
        assert length == pytest.approx(note.duration_ticks / BEAT, abs=0.26)
        assert text == (texts[note.start_ticks].text if note.start_ticks in texts else "")
    assert [row[4] for row in rows if row[3]][:6] == ["single"] * 4 + ["begin", "end"]
    measures = list(part.getElementsByClass(music21.stream.Measure))
    assert len(measures) == sum(1 for _ in score.bars())
    assert all(measure.duration.quarterLength == metre[0] * 4 / metre[1] for measure in measures)
    flat = part.flatten()
    assert flat.getElementsByClass(music21.meter.TimeSignature)[0].ratioString == f"{metre[0]}/{metre[1]}"
    marks = [mark.content for mark in flat.getElementsByClass(music21.expressions.RehearsalMark)]
    assert marks == [section.name.capitalize() for section in score.sections]
    tempo = flat.getElementsByClass(music21.tempo.MetronomeMark)[0]
    assert tempo.getQuarterBPM() == pytest.approx(100, abs=0.8)
    figures = [chord.figure for chord in flat.getElementsByClass(music21.harmony.ChordSymbol)]
    assert figures[:4] == ["C", "F", "C", "F"]


def test_ties_triplets_melismas_and_pickups_are_written() -> None:
    third = BEAT // 3
    starts = [0, BEAT, BEAT + third, BEAT + 2 * third, 2 * BEAT, 6 * BEAT]
    ends = [*starts[1:], 7 * BEAT]
    notes = [
        Note(start, 60 + 2 * index, end - start, 90)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    words = (Syllable(0, "Oh", True, 0), Syllable(BEAT, "glo", False, 0), Syllable(2 * BEAT, "ry", True, 0))
    metres = (Metre(0, 1, 4), Metre(BEAT, 4, 4))
    sheet = leadsheet(melody_score(notes, metres=metres, syllables=words)).decode()
    part = opened(sheet.encode())
    assert [row[:2] for row in sung(part)] == [
        (pytest.approx(start / BEAT), pytest.approx((end - start) / BEAT))
        for start, end in zip(starts, ends, strict=True)
    ]
    assert sheet.count('<tuplet type="start"') == 1
    assert sheet.count("<extend") == 1
    assert sheet.count('<slur type="start"') == sheet.count('<slur type="stop"') == 2
    assert '<measure number="0" implicit="yes">' in sheet
    assert sheet.count("<time>") == 1
    assert sheet.count('<tie type="start"') == sheet.count('<tie type="stop"') == 1


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_pitch_is_spelled_as_it_sounds(key: Key) -> None:
    for pitch in range(40, 90):
        name = spell(pitch, key)
        assert music21.pitch.Pitch(step=name.step, octave=name.octave, accidental=name.alter).midi == pitch
    assert music21.key.KeySignature(key_fifths(key)).asKey(key.mode).tonic.pitchClass == key.tonic
    assert all(spell(60 + tone, key).alter in {-1, 0, 1} for tone in key.scale)


def test_accidentals_are_shown_where_the_signature_does_not_tell() -> None:
    notes = [Note(index * BEAT, pitch, BEAT, 90) for index, pitch in enumerate((66, 65, 65, 66, 66))]
    sheet = leadsheet(melody_score(notes, key=Key(7, "major"))).decode()
    # G major: F sharp is told by the signature; then a natural, the same, a sharp; and in the next bar nothing.
    assert sheet.count("<accidental>natural") == 1
    assert sheet.count("<accidental>sharp") == 1


def test_a_tie_over_a_bar_line_does_not_hide_the_accidental_of_a_later_note() -> None:
    notes = [Note(0, 60, 3 * BEAT, 90), Note(3 * BEAT, 66, 2 * BEAT, 90), Note(5 * BEAT, 66, BEAT, 90)]
    sheet = leadsheet(melody_score(notes)).decode()
    assert sheet.count('<tie type="stop"') == 1
    assert sheet.count("<accidental>sharp") == 2


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_chords_are_named_like_the_notes(key: Key) -> None:
    for tone in range(12):
        named, note = spell_root(tone, key), spell(60 + tone, key)
        assert abs(named[1]) < 2
        assert named == (note.step, note.alter) or abs(note.alter) == 2
        assert parse_chord(chord_name(ChordSymbol(tone, "m7", (tone + 3) % 12), key)).root == tone
    assert chord_name(parse_chord("A#/D"), Key(0, "major")) == "Bb/D"


def test_every_chord_is_named_and_understood() -> None:
    assert set(KINDS) == set(QUALITIES)
    chords = tuple(TimedChord(i * BEAT, parse_chord(f"Bb{quality}")) for i, quality in enumerate(QUALITIES))
    score = melody_score([Note(0, 60, BEAT * len(chords), 90)], chords=chords, key=Key(5, "major"))
    found = opened(leadsheet(score)).flatten().getElementsByClass(music21.harmony.ChordSymbol)
    assert len(found) == len(chords)
    for timed, read in zip(chords, found, strict=True):
        assert read.offset == timed.start_ticks / BEAT
        assert {pitch.pitchClass for pitch in read.pitches} >= set(timed.symbol.pitch_classes[:3])


def test_hostile_words_stay_text_and_the_sheet_is_drawn() -> None:
    notes = [Note(i * BEAT, 60 + i, BEAT, 90) for i in range(4)]
    texts = ("<script>", "&\x00\ud800", "</svg>", "é")
    words = tuple(Syllable(i * BEAT, text, True, 0) for i, text in enumerate(texts))
    score = melody_score(notes, syllables=words, title='<b>"', sections=(Section("</g>", 0, 4 * BEAT),))
    (page,) = engrave(leadsheet(score))
    assert "<script" not in page
    assert page.count("</svg>") == page.count("<svg")
    assert 'id="n0"' in page
    assert "<style" not in page
    assert engrave(leadsheet(score)) == [page]


def test_a_song_without_notes_has_a_sheet() -> None:
    assert engrave(leadsheet(melody_score([])))


def test_a_ritardando_is_named_once_and_heard_at_each_beat() -> None:
    notes = [Note(beat * BEAT, 60 + beat % 5, BEAT, 80) for beat in range(16)]
    slower = tuple(Tempo((13 + step) * BEAT, 95.0 - 5 * step) for step in range(3))
    sheet = leadsheet(melody_score(notes, tempi=(Tempo(0, 100.0), Tempo(4 * BEAT, 90.0), *slower)))
    assert sheet.count(b"<words>rit.</words>") == 1
    assert sheet.count(b"<metronome") == 3  # 100, 90 and 95
    assert [float(bpm) for bpm in re.findall(rb'tempo="([0-9.]+)"', sheet)] == [100, 90, 95, 90, 85]
    assert len(sung(opened(sheet))) == len(notes)
    assert all("<svg" in page for page in engrave(sheet))


def bar_at(bars: list[Bar], step: int) -> int:
    """The index of the bar that a place stands in; the end stands in the last."""
    return sum(bar.start <= step for bar in bars) - 1


def test_a_bar_with_more_syllables_than_places_has_all_its_words_and_its_neighbour_its_own() -> None:
    step = BEAT // 8
    fast = [Note(i * step, 60 + i % 5, step, 90) for i in range(32)]
    words = tuple(Syllable(note.start_ticks, f"a{i}", i % 2 == 1, 0) for i, note in enumerate(fast))
    last = Note(6 * BEAT, 72, BEAT, 90)
    score = melody_score([*fast, last], syllables=(*words, Syllable(6 * BEAT, "end", True, 0)))
    rows = sung(opened(leadsheet(score)))
    assert "".join(row[3] for row in rows).replace(" ", "") == "".join(word.text for word in words) + "end"
    assert [row[:3] for row in rows if row[0] >= 4] == [(6.0, 1.0, 72)]
    assert len(rows) == 17


def test_notes_without_words_give_way_in_a_bar_that_is_too_full() -> None:
    step = BEAT // 8
    fast = [Note(i * step, 60 + i % 5, step, 90) for i in range(32)]
    words = tuple(Syllable(i * step, text, True, 0) for i, text in ((0, "first"), (30, "last")))
    rows = sung(opened(leadsheet(melody_score(fast, syllables=words))))
    assert [row[3] for row in rows if row[3]] == ["first", "last"]
    assert rows[-1][0] >= 3.5


def test_a_syllable_is_not_held_into_the_next_section() -> None:
    notes = [Note(i * BEAT, 60 + i, BEAT, 90) for i in range(8)]
    sections = (Section("verse", 0, 4 * BEAT), Section("solo", 4 * BEAT, 8 * BEAT))
    words = (Syllable(2 * BEAT, "oh", True, 0),)
    (run,) = syllable_runs(notes, words, sections)
    assert (run.first, run.last) == (2, 3)
    sheet = leadsheet(melody_score(notes, syllables=words, sections=sections))
    slurred = opened(sheet).recurse().getElementsByClass(music21.spanner.Slur)
    assert [[note.pitch.midi for note in slur.getSpannedElements()] for slur in slurred] == [[62, 63]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 1500), st.integers(50, 80)), max_size=24),
    st.sampled_from([(4, 4), (3, 4), (6, 8), (12, 8), (5, 4), (7, 8), (2, 2)]),
    st.integers(1, 2500),
)
def test_bars_are_filled_and_no_note_leaves_its_own(
    rows: list[tuple[int, int, int]], metre: tuple[int, int], changes_at: int
) -> None:
    metres = (Metre(0, *metre), Metre(changes_at, 3, 4))
    score = melody_score(sorted(Note(s, p, d, 90) for s, d, p in rows), metres=metres)
    bars, notes = written_bars(score), upper_voice(score)
    grid = Grid(bars, [note.start_ticks / STEP_TICKS for note in notes])
    spans = grid.spans(notes)
    pieces = written_pieces(bars, grid, spans)
    for bar, inside in zip(bars, pieces, strict=True):
        assert [piece.start for piece in inside] == [bar.start, *(piece.end for piece in inside[:-1])]
        assert inside[-1].end == bar.start + bar.steps
    found = [piece.note for inside in pieces for piece in inside if piece.note is not None and not piece.tied_from]
    assert found == [span.note for span in spans]
    nearest = [bar_at(bars, grid.nearest(note.start_ticks / STEP_TICKS)) for note in notes]
    assert [(nearest[span.note], bar_at(bars, span.start)) for span in spans] == [(nearest[i],) * 2 for i in found]
    for bar in range(len(bars)):
        places = [place for place in grid.places[:-1] if bar_at(bars, place) == bar]
        assert sum(nearest[i] == bar for i in found) == min(nearest.count(bar), len(places))


def test_the_sheet_is_the_same_twice() -> None:
    score = fit_words(sample_lyrics(), sample_score())
    assert leadsheet(score) == leadsheet(score)


def test_the_names_of_a_sheet_of_several_pages_are_its_own() -> None:
    notes = [Note(i * BEAT, 60 + i % 12, BEAT, 90) for i in range(600)]
    pages = engrave(leadsheet(melody_score(notes)))
    assert len(pages) > 1
    names = [set(re.findall(r' id="([^"]*)"', page)) for page in pages]
    assert sum(map(len, names)) == len(set().union(*names)) == sum(page.count(' id="') for page in pages)
    for page, defined in zip(pages, names, strict=True):
        used = set(re.findall(r'href="#([^"]*)"', page))
        assert used
        assert used <= defined


def test_a_missing_engraver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_engraving()
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(MissingExtraError, match=r"'verovio' is not installed.*rhapsody\[song\]"):
        check_engraving()


def test_the_engraving_needs_no_font_of_its_own() -> None:
    chords = tuple(TimedChord(i * BEAT, parse_chord(name)) for i, name in enumerate(("Bb", "F#m7b5", "Eb/G")))
    score = melody_score([Note(0, 60, 3 * BEAT, 90)], chords=chords, key=Key(10, "major"), metres=(Metre(0, 6, 8),))
    page = "".join(engrave(leadsheet(score)))
    assert "♭" in page
    assert "♩." in page
    assert not any("\ue000" <= char <= "\uf8ff" for char in page)


def test_rehearsal_marks_are_as_long_as_their_boxes_in_any_font() -> None:
    page = "".join(engrave(leadsheet(sample_score())))
    marks = re.findall(r'<g [^>]*class="reh"[^>]*><rect [^>]*width="(\d+)"[^>]*/><text ([^>]*)>', page)
    assert len(marks) == len(sample_score().sections)
    for width, text in marks:
        length = re.search(r'textLength="(\d+)" lengthAdjust="spacingAndGlyphs"', text)
        assert length
        assert 0.7 * int(width) < int(length.group(1)) < int(width)
