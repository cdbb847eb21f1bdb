from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.music.chords import QUALITIES, SHARP_NAMES, Key, parse_chord, parse_key
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Syllable, Tempo, TimedChord
from rhapsody_lib.song.engraving import engrave
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.musicxml import leadsheet
from rhapsody_lib.song.notation import STEP_TICKS, Grid, upper_voice, written_bars
from rhapsody_lib.song.note_values import written_pieces
from rhapsody_lib.song.spelling import KINDS, key_fifths, spell
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


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 1500), st.integers(50, 80)), max_size=24),
    st.sampled_from([(4, 4), (3, 4), (6, 8), (12, 8), (5, 4), (7, 8), (2, 2)]),
)
def test_bars_are_filled_and_no_note_is_lost(rows: list[tuple[int, int, int]], metre: tuple[int, int]) -> None:
    score = melody_score(sorted(Note(s, p, d, 90) for s, d, p in rows), metres=(Metre(0, *metre),))
    bars, notes = written_bars(score), upper_voice(score)
    grid = Grid(bars, [note.start_ticks / STEP_TICKS for note in notes])
    spans = grid.spans(notes)
    pieces = written_pieces(bars, grid, spans)
    for bar, inside in zip(bars, pieces, strict=True):
        assert [piece.start for piece in inside] == [bar.start, *(piece.end for piece in inside[:-1])]
        assert inside[-1].end == bar.start + bar.steps
    found = [piece.note for inside in pieces for piece in inside if piece.note is not None and not piece.tied_from]
    assert found == [span.note for span in spans] == list(range(min(len(notes), len(grid.places) - 1)))


def test_the_sheet_is_the_same_twice() -> None:
    score = fit_words(sample_lyrics(), sample_score())
    assert leadsheet(score) == leadsheet(score)


def test_the_engraving_needs_no_font_of_its_own() -> None:
    chords = tuple(TimedChord(i * BEAT, parse_chord(name)) for i, name in enumerate(("Bb", "F#m7b5", "Eb/G")))
    score = melody_score([Note(0, 60, 3 * BEAT, 90)], chords=chords, key=Key(10, "major"), metres=(Metre(0, 6, 8),))
    page = "".join(engrave(leadsheet(score)))
    assert "♭" in page
    assert "♩." in page
    assert not any("\ue000" <= char <= "\uf8ff" for char in page)
