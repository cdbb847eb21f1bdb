"""Lead sheets (.mxl, .musicxml, .xml): melody, chords and syllables of a sheet, arranged for six parts.

The defects that real sheets have (docs/data.md) are mended where there is a musical reason to do so: barlines are
completed, words put together from syllables, lines found by the melody's phrases, keys believed unless the notes
contradict them, tempi chosen by how densely the melody is sung.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from rhapsody_lib.corpus.found import Job, ParsedSong, track_of
from rhapsody_lib.corpus.musicxml import Sheet, read_sheet
from rhapsody_lib.corpus.musicxml_file import load_musicxml
from rhapsody_lib.corpus.musicxml_measures import Measure
from rhapsody_lib.corpus.phrases import Grid, lines_of, lyrics_in_sections, with_lines
from rhapsody_lib.corpus.repeats import performed
from rhapsody_lib.corpus.sheet_words import sung_syllables, words_under
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.harmony import believed_key, estimate_chords, pitch_class_profile
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import PART_RANGES, TICKS_PER_BEAT, Metre, Note, Score, Section, Syllable, TimedChord

MAX_BARS = 1500
_MELODY_CENTRE = 67
#: Notes a second that a melody without a tempo mark is taken at, and the tempi that this may lead to.
_NOTES_PER_S = 1.8
_TEMPO_RANGE = (72, 160)
_SECTION_BARS = {2: 16, 3: 16}


@dataclass
class _Placed:
    """A sheet on the grid of ticks, in order of performance."""

    metres: list[Metre] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    chords: list[TimedChord] = field(default_factory=list)
    words: list[tuple[int, str, str]] = field(default_factory=list)
    marks: list[tuple[int, str]] = field(default_factory=list)
    end_ticks: int = 0


def _ticks(quarters: Fraction) -> int:
    return round(quarters * TICKS_PER_BEAT)


def _metres(measures: Sequence[Measure]) -> list[tuple[int, int]]:
    """The time signature of each written measure; where the sheet states none, that of its most usual length."""
    lengths = Counter(measure.length for measure in measures if measure.length)
    usual = lengths.most_common(1)[0][0] if lengths else Fraction(4)
    guessed = (int(usual), 4) if usual.denominator == 1 and 2 <= usual <= 7 else (4, 4)
    current = next((measure.time for measure in measures if measure.time), guessed)
    metres = []
    for measure in measures:
        current = measure.time or current
        metres.append(current)
    return metres


def _place(sheet: Sheet, name: str) -> _Placed:
    """Measures one after another on complete bars.

    A short first measure is a pickup, padded in front; a short measure and the next are one bar where they fill it
    (a bar divided by a repeat sign); any other short measure is filled up with rest.
    """
    placed, metres = _Placed(), _metres(sheet.measures)
    bar_start, filled, previous = Fraction(0), Fraction(0), -1
    for index, verse in performed(sheet.measures):
        measure = sheet.measures[index]
        bar = Fraction(4 * metres[index][0], metres[index][1])
        joins = (
            placed.bars
            and 0 < filled < bar
            and 0 < measure.length <= bar - filled
            and (previous < 0 or metres[previous] == metres[index])
        )
        if joins:
            start = bar_start + filled
            filled += measure.length
        else:
            bar_start = Fraction(placed.end_ticks, TICKS_PER_BEAT)
            bars = max(1, -(-measure.length // bar))
            start, filled = bar_start, measure.length
            if index == 0 and 0 < measure.length < bar:
                start, filled = bar_start + bar - measure.length, bar
            _open_bars(placed, metres[index], bars)
        if index != previous + 1 or measure.label or measure.repeat_start or _ends_section(sheet, previous):
            placed.marks.append((_ticks(bar_start), measure.label))
        _put(placed, measure, _ticks(start), verse)
        previous = index
        if len(placed.bars) > MAX_BARS:
            raise UnreadableFileError(name, "too_large", f"lasts more than {MAX_BARS} bars.", "Is it one song?")
    return placed


def _ends_section(sheet: Sheet, index: int) -> bool:
    return index >= 0 and (sheet.measures[index].double_bar or sheet.measures[index].repeat_end)


def _open_bars(placed: _Placed, time: tuple[int, int], count: int) -> None:
    metre = Metre(placed.end_ticks, *time)
    if not placed.metres or (placed.metres[-1].numerator, placed.metres[-1].denominator) != time:
        placed.metres.append(metre)
    for _ in range(min(count, MAX_BARS + 1)):
        placed.bars.append(placed.end_ticks)
        placed.end_ticks += metre.bar_ticks


def _put(placed: _Placed, measure: Measure, start_ticks: int, verse: int) -> None:
    """Add a measure's notes, chords and words."""
    for offset, symbol in measure.chords:
        ticks = min(start_ticks + _ticks(offset), placed.end_ticks - 1)
        if placed.chords and placed.chords[-1].start_ticks >= ticks:
            placed.chords.pop()
        if not placed.chords or placed.chords[-1].symbol != symbol:
            placed.chords.append(
                TimedChord(max(ticks, placed.chords[-1].start_ticks + 1 if placed.chords else 0), symbol)
            )
    texts = words_under(measure, verse)
    for note, text in zip(measure.notes, texts, strict=True):
        start, end = start_ticks + _ticks(note.offset), start_ticks + _ticks(note.offset + note.duration)
        last = placed.notes[-1] if placed.notes else None
        if last and note.tie_stop and text is None and last.pitch == note.pitch and last.end_ticks == start:
            placed.notes[-1] = replace(last, duration_ticks=end - last.start_ticks)
            continue
        if last and start <= last.start_ticks:
            continue
        if last and last.end_ticks > start:
            placed.notes[-1] = replace(last, duration_ticks=start - last.start_ticks)
        accent = 8 if start in placed.bars[-4:] else 0
        placed.notes.append(Note(start, note.pitch, max(1, end - start), 86 + accent))
        if text is not None:
            placed.words.append((start, text.syllabic, text.text))


def _in_range(notes: Sequence[Note]) -> tuple[Note, ...]:
    """The melody moved by octaves to where a voice is at home; single notes beyond the part's range folded into it."""
    low, high = PART_RANGES["melody"]
    mean = sum(note.pitch * note.duration_ticks for note in notes) / sum(note.duration_ticks for note in notes)
    shift = 12 * round((_MELODY_CENTRE - mean) / 12)
    moved = []
    for note in notes:
        pitch = note.pitch + shift
        while pitch < low:
            pitch += 12
        while pitch > high:
            pitch -= 12
        moved.append(replace(note, pitch=pitch))
    return tuple(moved)


def _tempo(sheet: Sheet, metre: Metre, notes: Sequence[Note]) -> float:
    """The first tempo mark, else one at which the melody has `_NOTES_PER_S` notes a second."""
    stated = next((measure.tempo_bpm for measure in sheet.measures if measure.tempo_bpm), None)
    if stated:
        return float(min(max(round(stated, 2), 30.0), 300.0))
    sounding = sum(note.duration_ticks for note in notes) / TICKS_PER_BEAT
    bpm = 60 * _NOTES_PER_S * sounding / len(notes)
    low, high = _TEMPO_RANGE if metre.denominator >= 4 else (100, 200)
    return float(2 * round(min(max(bpm, low), high) / 2))


def _key(sheet: Sheet, notes: Sequence[Note], chords: Sequence[TimedChord], end_ticks: int) -> Key:
    """The signature's key or its relative unless melody and chords contradict it."""
    fifths = next((measure.fifths for measure in sheet.measures if measure.fifths is not None), None)
    signature = Key(fifths * 7 % 12, "major") if fifths is not None and -7 <= fifths <= 7 else None
    profile = pitch_class_profile(notes)
    ends = [chord.start_ticks for chord in chords[1:]] + [end_ticks]
    for chord, end in zip(chords, ends, strict=False):
        for pitch_class in chord.symbol.pitch_classes[:3]:
            profile[pitch_class] += 0.4 * (end - chord.start_ticks)
    return believed_key(signature, profile)


def _section_starts(placed: _Placed) -> list[tuple[int, str]]:
    """Starts and labels of sections: marks of the sheet at least four bars apart, longer stretches divided evenly."""
    index_of = {ticks: index for index, ticks in enumerate(placed.bars)}
    kept: list[tuple[int, str]] = []
    for ticks, label in [(0, ""), *placed.marks]:
        index = index_of.get(ticks, 0)
        if kept and index - kept[-1][0] < 4:
            if label:
                kept[-1] = (kept[-1][0], label)
        else:
            kept.append((index, label))
    if len(kept) > 1 and len(placed.bars) - kept[-1][0] < 3 and not kept[-1][1]:
        kept.pop()
    size = _SECTION_BARS.get(placed.metres[0].numerator, 8)
    starts = []
    for position, (index, label) in enumerate(kept):
        following = kept[position + 1][0] if position + 1 < len(kept) else len(placed.bars)
        pieces = max(1, round((following - index) / size))
        starts += [(placed.bars[index + (following - index) * piece // pieces], label) for piece in range(pieces)]
    return starts


def _sections(placed: _Placed, syllables: Sequence[Syllable]) -> tuple[Section, ...]:
    """Named sections: as labelled, `chorus` where the same words return, `verse` where sung, else by place."""
    starts = _section_starts(placed)
    bounds = [*(ticks for ticks, _ in starts[1:]), placed.end_ticks]
    lines = lines_of(syllables)
    texts = [
        "\n".join(text for text, ticks in lines if start <= ticks < end).casefold()
        for (start, _), end in zip(starts, bounds, strict=True)
    ]
    seen, verses = Counter(texts), 0
    sections: list[Section] = []
    for position, ((start, label), end, text) in enumerate(zip(starts, bounds, texts, strict=True)):
        kind = "intro" if not position else "ending" if position + 1 == len(starts) else "interlude"
        if text:
            kind = label if label in {"verse", "chorus", "bridge", "outro"} else "chorus" if seen[text] > 1 else "verse"
        if kind == "verse":
            verses += 1
        elif sections and sections[-1].name == kind and texts[position - 1] != text:
            sections[-1] = replace(sections[-1], end_ticks=end)
            continue
        sections.append(Section(f"verse {verses}" if kind == "verse" else kind, start, end))
    return tuple(sections)


def lead_sheet(sheet: Sheet, name: str) -> LeadSheet:
    """The performed form of a sheet.

    Raises:
        UnreadableFileError: `too_large`.
    """
    placed = _place(sheet, name)
    notes = _in_range(placed.notes)
    grid = Grid(placed.metres[0].bar_ticks)
    syllables = with_lines(sung_syllables(placed.words), notes, grid)
    draft = LeadSheet(
        title=sheet.title or Path(name).stem,
        style="",
        key=Key(0, "major"),
        tempo_bpm=_tempo(sheet, placed.metres[0], notes),
        metres=tuple(placed.metres),
        melody=notes,
        chords=tuple(placed.chords),
        sections=_sections(placed, syllables),
        syllables=syllables,
        end_ticks=placed.end_ticks,
    )
    chords = draft.chords or estimate_chords(notes, draft.bars())
    return replace(draft, chords=chords, key=_key(sheet, notes, chords, placed.end_ticks))


def sheet_music(job: Job) -> Score:
    """A lead sheet arranged for six parts, with its words if it has some.

    Raises:
        UnreadableFileError: `bad_musicxml`, `no_notes` or `too_large`.
    """
    from rhapsody_lib.music.arranger import arrange

    sheet = read_sheet(load_musicxml(Path(job.path), job.name), job.name)
    return arrange(lead_sheet(sheet, job.name))


def parse_leadsheet_file(job: Job) -> ParsedSong:
    """A lead sheet as a song.

    Raises:
        UnreadableFileError: `bad_musicxml`, `no_notes`, `no_lyrics` or `too_large`.
    """
    from rhapsody_lib.music.arranger import arrange

    sheet = read_sheet(load_musicxml(Path(job.path), job.name), job.name)
    leadsheet = lead_sheet(sheet, job.name)
    if not leadsheet.syllables and job.words_needed:
        raise UnreadableFileError(job.name, "no_lyrics", "has no words under its notes.", "Add lyrics to the melody.")
    sung = lyrics_in_sections(sheet.title, leadsheet.syllables, leadsheet.sections) if leadsheet.syllables else None
    return ParsedSong(
        title=sheet.title,
        artist=sheet.artist,
        year=0,
        genres=(),
        licence=sheet.rights,
        language="",
        lyrics="" if sung is None else sung.text(),
        track=track_of(arrange(leadsheet)),
    )
