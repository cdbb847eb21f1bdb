"""leadsheet.musicxml: melody, chords and words as a sheet that score editors open (MusicXML 4.0, one part).

Written directly: music21 writes it too, but needs seconds to start (docs/decisions/0032). The notes keep the ids
`n<index>`, so that the page can mark them as they sound.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from rhapsody_lib.music.score import Note, Score
from rhapsody_lib.song.notation import (
    STEP_TICKS,
    STEPS_PER_BEAT,
    Bar,
    Grid,
    Piece,
    upper_voice,
    written_bars,
)
from rhapsody_lib.song.note_values import written_pieces
from rhapsody_lib.song.spelling import ACCIDENTALS, KINDS, Spelled, key_fifths, signature, spell, spell_root
from rhapsody_lib.song.syllable_notes import joined_syllables, syllable_runs

#: What XML 1.0 cannot hold, escaped or not.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _plain(text: str) -> str:
    return " ".join(_FORBIDDEN.sub("\ufffd", text).split())


def _add(parent: ET.Element, tag: str, text: object = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    if text is not None:
        element.text = str(text)
    return element


@dataclass(frozen=True, slots=True)
class SungNote:
    """What is sung on a note.

    Args:
        text: the syllable, empty where the one before is held.
        syllabic: its place in the word: `single`, `begin`, `middle`, `end`.
        extends: whether further notes are sung on it.
        slur: `start`, `stop` or nothing: where several notes carry one syllable.
    """

    text: str = ""
    syllabic: str = ""
    extends: bool = False
    slur: str = ""


def sung_notes(score: Score, notes: Sequence[Note], printed: Sequence[int]) -> dict[int, SungNote]:
    """What is sung on each of the notes that are printed, by its index."""
    written = [notes[index] for index in printed]
    syllables = joined_syllables(score.syllables, notes, {note.start_ticks for note in written})
    sung: dict[int, SungNote] = {}
    inside = False
    for run in syllable_runs(written, syllables, score.sections):
        ends = run.syllable.ends_word
        place = ("end" if inside else "single") if ends else ("middle" if inside else "begin")
        held = run.last > run.first
        text = _plain(run.syllable.text) or "-"
        sung[printed[run.first]] = SungNote(text, place, held and ends, "start" if held else "")
        if held:
            sung[printed[run.last]] = SungNote(slur="stop")
        inside = not ends
    return sung


@dataclass
class _Sheet:
    """What the bars of one sheet are written from."""

    score: Score
    notes: tuple[Note, ...]
    sung: dict[int, SungNote]
    harmonies: list[tuple[int, ET.Element]]
    directions: list[tuple[int, ET.Element]]
    #: Semitones that each letter and octave was last altered by in this bar.
    altered: dict[tuple[str, int], int] = field(default_factory=dict)


def _harmony(score: Score, index: int) -> ET.Element:
    symbol = score.chords[index].symbol
    element = ET.Element("harmony", {"print-frame": "no"})
    kind, degrees = KINDS[symbol.quality]
    for tag, pitch_class in (("root", symbol.root), ("bass", symbol.bass)):
        if tag == "bass" and symbol.bass == symbol.root:
            continue
        holder = ET.Element(tag)
        step, alter = spell_root(pitch_class, score.key)
        _add(holder, f"{tag}-step", step)
        if alter:
            _add(holder, f"{tag}-alter", alter)
        element.append(holder)
    written = ET.Element("kind", {"text": symbol.quality} if symbol.quality else {})
    written.text = kind
    element.insert(1, written)
    for degree in degrees:
        added = _add(element, "degree", **{"print-object": "no"})
        _add(added, "degree-value", degree)
        _add(added, "degree-alter", 0)
        _add(added, "degree-type", "add")
    return element


def _harmonies(score: Score) -> list[tuple[int, ET.Element]]:
    """(step, element) of each chord that is not the one before, or opens a section."""
    opens = {section.start_ticks for section in score.sections}
    return [
        (round(chord.start_ticks / STEP_TICKS), _harmony(score, index))
        for index, chord in enumerate(score.chords)
        if index == 0 or chord.symbol != score.chords[index - 1].symbol or chord.start_ticks in opens
    ]


def _direction(*, above: bool = True) -> tuple[ET.Element, ET.Element]:
    direction = ET.Element("direction", {"placement": "above"} if above else {})
    return direction, _add(direction, "direction-type")


def _slowing(score: Score) -> set[int]:
    """Places of the tempi that belong to a ritardando: each slower than the one before, within a bar of it."""
    places: set[int] = set()
    for place in range(2, len(score.tempi)):
        first, before, tempo = score.tempi[place - 2 : place + 1]
        near = tempo.start_ticks - before.start_ticks <= score.metres[-1].bar_ticks
        if near and first.bpm > before.bpm > tempo.bpm:
            places |= {place - 1, place}
    return places


def _directions(score: Score) -> list[tuple[int, ET.Element]]:
    """(step, element) of the sections' names and of the tempi; where these fall step by step, `rit.` is shown once."""
    found = []
    for section in score.sections:
        direction, kind = _direction()
        _add(kind, "rehearsal", _plain(section.name).capitalize() or "-")
        found.append((round(section.start_ticks / STEP_TICKS), direction))
    slowing = _slowing(score)
    for place, tempo in enumerate(score.tempi):
        metre = [metre for metre in score.metres if metre.start_ticks <= tempo.start_ticks][-1]
        dotted = metre.denominator == 8 and metre.numerator % 3 == 0
        step, sound = round(tempo.start_ticks / STEP_TICKS), {"tempo": f"{round(tempo.bpm, 3):g}"}
        if place - 1 in slowing and place in slowing:
            found.append((step, ET.Element("sound", sound)))
            continue
        direction, kind = _direction()
        if place in slowing:
            _add(kind, "words", "rit.")
        else:
            mark = _add(kind, "metronome", parentheses="no")
            _add(mark, "beat-unit", "quarter")
            if dotted:
                _add(mark, "beat-unit-dot")
            _add(mark, "per-minute", round(tempo.bpm * 2 / 3 if dotted else tempo.bpm))
        _add(direction, "sound", **sound)
        found.append((step, direction))
    return sorted(found, key=lambda pair: pair[0])


def _attributes(bar: Bar, score: Score, *, first: bool) -> ET.Element:
    element = ET.Element("attributes")
    if first:
        _add(element, "divisions", STEPS_PER_BEAT)
        key = _add(element, "key")
        _add(key, "fifths", key_fifths(score.key))
        _add(key, "mode", score.key.mode)
    time = _add(element, "time")
    _add(time, "beats", bar.metre.numerator)
    _add(time, "beat-type", bar.metre.denominator)
    if first:
        clef = _add(element, "clef")
        _add(clef, "sign", "G")
        _add(clef, "line", 2)
    return element


def _pitch(parent: ET.Element, spelled: Spelled) -> None:
    pitch = _add(parent, "pitch")
    _add(pitch, "step", spelled.step)
    if spelled.alter:
        _add(pitch, "alter", spelled.alter)
    _add(pitch, "octave", spelled.octave)


def _lyric(parent: ET.Element, sung: SungNote) -> None:
    lyric = _add(parent, "lyric", number="1")
    _add(lyric, "syllabic", sung.syllabic)
    _add(lyric, "text", sung.text)
    if sung.extends:
        _add(lyric, "extend")


def _notations(parent: ET.Element, piece: Piece, slur: str) -> None:
    marks = [("tied", "stop")] * piece.tied_from + [("tied", "start")] * piece.tied_on
    if slur:
        marks.append(("slur", slur))
    if piece.triplet in {"start", "stop"}:
        marks.append(("tuplet", piece.triplet))
    if marks:
        notations = _add(parent, "notations")
        for tag, kind in marks:
            _add(notations, tag, type=kind, **({} if tag == "tied" else {"number": "1"}))


def _note(sheet: _Sheet, piece: Piece) -> ET.Element:
    """A printed note or rest, its elements in the order that the schema asks for."""
    element = ET.Element("note")
    sung, spelled, shown = SungNote(), None, False
    if piece.note is None:
        _add(element, "rest", **({} if piece.value else {"measure": "yes"}))
    else:
        ending = "" if not piece.tied_from else f"-{piece.start}"
        element.set("id", f"n{piece.note}{ending}")
        spelled = spell(sheet.notes[piece.note].pitch, sheet.score.key)
        _pitch(element, spelled)
        usual = sheet.altered.get((spelled.step, spelled.octave), signature(sheet.score.key)[spelled.step])
        shown = usual != spelled.alter and not piece.tied_from
        if not piece.tied_from:  # over a bar line, a tie's accidental tells nothing about the notes after it
            sheet.altered[spelled.step, spelled.octave] = spelled.alter
        sung = sheet.sung.get(piece.note, sung)
    _add(element, "duration", piece.steps)
    for tie in [*["stop"] * piece.tied_from, *["start"] * piece.tied_on]:
        _add(element, "tie", type=tie)
    _add(element, "voice", 1)
    if piece.value:
        _add(element, "type", piece.value)
    for _ in range(piece.dots):
        _add(element, "dot")
    if spelled and shown:
        _add(element, "accidental", ACCIDENTALS[spelled.alter])
    if piece.triplet:
        change = _add(element, "time-modification")
        _add(change, "actual-notes", 3)
        _add(change, "normal-notes", 2)
    for level, state in enumerate(piece.beams, start=1):
        _add(element, "beam", state, number=str(level))
    first, last = not piece.tied_from, not piece.tied_on
    _notations(element, piece, sung.slur if (first if sung.slur == "start" else last) else "")
    if sung.text and first:
        _lyric(element, sung)
    return element


def _place(measure: ET.Element, piece: Piece, waiting: list[tuple[int, ET.Element]]) -> None:
    """Write what begins before the end of a piece in front of it, with its distance where it begins later."""
    while waiting and waiting[0][0] < piece.end:
        step, element = waiting.pop(0)
        if step > piece.start:
            offset = ET.Element("offset")
            offset.text = str(step - piece.start)
            sound = element.find("sound")
            element.insert(list(element).index(sound) if sound is not None else len(element), offset)
        measure.append(element)


def _measures(sheet: _Sheet, bars: Sequence[Bar], written: Sequence[Sequence[Piece]], part: ET.Element) -> None:
    pickup = len(bars) > 1 and bars[0].metre != bars[1].metre and bars[0].steps < bars[1].steps
    before = None
    for number, (bar, pieces) in enumerate(zip(bars, written, strict=True), start=0 if pickup else 1):
        measure = _add(part, "measure", number=str(number), **({"implicit": "yes"} if number == 0 else {}))
        shown = bars[1] if number == 0 else bar
        if before != shown.metre:
            measure.append(_attributes(shown, sheet.score, first=before is None))
        before = shown.metre
        sheet.altered.clear()
        for piece in pieces:
            _place(measure, piece, sheet.directions)
            _place(measure, piece, sheet.harmonies)
            measure.append(_note(sheet, piece))
    ending = _add(part[-1], "barline", location="right")
    _add(ending, "bar-style", "light-heavy")


def leadsheet(score: Score) -> bytes:
    """The lead sheet of a fitted song. Same song, same bytes.

    Pitches and words are the song's; onsets and ends are the nearest sixteenths or triplets, and what the melody sounds
    at once is its upper voice.
    """
    bars, notes = written_bars(score), upper_voice(score)
    grid = Grid(bars, [note.start_ticks / STEP_TICKS for note in notes])
    spans = grid.spans(notes, {syllable.start_ticks for syllable in score.syllables})
    root = ET.Element("score-partwise", {"version": "4.0"})
    _add(_add(root, "work"), "work-title", _plain(score.title) or "Untitled")
    encoding = _add(_add(root, "identification"), "encoding")
    _add(encoding, "software", "Rhapsody")
    listed = _add(_add(root, "part-list"), "score-part", id="P1")
    _add(listed, "part-name", "Voice", **{"print-object": "no"})
    sung = sung_notes(score, notes, [span.note for span in spans])
    sheet = _Sheet(score, notes, sung, _harmonies(score), _directions(score))
    _measures(sheet, bars, written_pieces(bars, grid, spans), _add(root, "part", id="P1"))
    ET.indent(root)
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        + ET.tostring(root, encoding="unicode").encode(errors="replace")
        + b"\n"
    )
