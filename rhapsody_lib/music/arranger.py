"""A lead sheet into six parts, by patterns of its style: deterministic, with voice leading.

Verses play the lighter patterns, choruses the fuller; sections end in a drum fill and full ones open with a crash;
the strings wait for the second verse; the last bar is one held tonic chord. Velocities vary a little with the song's
title; nothing else is left to chance.
"""

from __future__ import annotations

import dataclasses
import itertools

from rhapsody_lib.music.accompaniment import BassPlayer, ChordPlayer, Wobble, play_drums
from rhapsody_lib.music.barplan import Bar, plan_bars
from rhapsody_lib.music.chords import ChordSymbol
from rhapsody_lib.music.harmony import estimate_chords
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.parts import in_range, skyline, without_overlaps
from rhapsody_lib.music.score import TICKS_PER_BEAT, Note, Score, Section, Syllable, Tempo, TimedChord
from rhapsody_lib.music.styles import Style, bar_steps, choose_style, groove_for
from rhapsody_lib.seeding import generator

_CHROMATIC_STYLES = frozenset({"swing", "blues", "soul", "funk", "bossa"})


def _wobble(title: str, part: str) -> Wobble:
    changes = generator(0, "arranger", title, part).integers(-4, 5, 509).tolist()
    return itertools.cycle(changes).__next__


def _harmonised(sheet: LeadSheet) -> LeadSheet:
    """The sheet with chords from tick 0 on: its own, or estimated from its melody, or the tonic throughout."""
    tonic = ChordSymbol(sheet.key.tonic, "" if sheet.key.mode == "major" else "m", sheet.key.tonic)
    chords = sheet.chords or estimate_chords(sheet.melody, sheet.bars()) or (TimedChord(0, tonic),)
    if chords[0].start_ticks > 0:
        chords = (TimedChord(0, chords[0].symbol), *chords)
    return dataclasses.replace(sheet, chords=chords)


def _brought_home(sheet: LeadSheet) -> LeadSheet:
    """The sheet, with a bar of the tonic added unless it ends on one with the melody at rest."""
    bars = sheet.bars()
    last_start, metre = bars[-1]
    last = sheet.chord_at(sheet.end_ticks - 1)
    moving = sum(note.end_ticks > last_start for note in sheet.melody) > 1
    if last is not None and last.root == sheet.key.tonic and not moving:
        return sheet
    tonic = ChordSymbol(sheet.key.tonic, "" if sheet.key.mode == "major" else "m", sheet.key.tonic)
    start = last_start + metre.bar_ticks
    return dataclasses.replace(
        sheet,
        chords=(*(chord for chord in sheet.chords if chord.start_ticks < start), TimedChord(start, tonic)),
        sections=(*sheet.sections, Section("ending", start, start + metre.bar_ticks)) if sheet.sections else (),
        end_ticks=start + metre.bar_ticks,
    )


def swung(ticks: int) -> int:
    """A tick with triplet feel: the second eighth of each beat falls on its last third."""
    beat, within = divmod(ticks, TICKS_PER_BEAT)
    half, late = TICKS_PER_BEAT // 2, TICKS_PER_BEAT * 2 // 3
    moved = within * late // half if within < half else late + (within - half) * (TICKS_PER_BEAT - late) // half
    return beat * TICKS_PER_BEAT + moved


def _swing_notes(notes: tuple[Note, ...]) -> tuple[Note, ...]:
    return tuple(
        Note(swung(n.start_ticks), n.pitch, max(1, swung(n.end_ticks) - swung(n.start_ticks)), n.velocity)
        for n in notes
    )


def _melody(sheet: LeadSheet, bars: list[Bar]) -> list[Note]:
    """The melody with velocities: louder in choruses, on downbeats and on high notes."""
    wobble = _wobble(sheet.title, "melody")
    notes, index = [], 0
    for note in skyline(sheet.melody):
        while index + 1 < len(bars) and bars[index + 1].start_ticks <= note.start_ticks:
            index += 1
        accent = 6 if note.start_ticks == bars[index].start_ticks else 0
        velocity = round(86 + accent + (note.pitch - 66) * 0.5 + 14 * (bars[index].gain - 0.9)) + wobble()
        notes.append(Note(note.start_ticks, note.pitch, note.duration_ticks, max(40, min(118, velocity))))
    return notes


def _hook(sheet: LeadSheet) -> list[Note]:
    """The tune of the first sung bars, for an intro over the same chords that has no melody of its own."""
    intro = next((section for section in sheet.sections if section.kind == "intro"), None)
    if intro is None or any(note.start_ticks < intro.end_ticks - TICKS_PER_BEAT * 2 for note in sheet.melody):
        return []
    bar_ticks = sheet.metres[0].bar_ticks
    shift = intro.end_ticks - intro.start_ticks
    wobble = _wobble(sheet.title, "hook")
    return [
        Note(note.start_ticks - shift, note.pitch + 12, note.duration_ticks, 74 + wobble())
        for note in sheet.melody
        if intro.end_ticks <= note.start_ticks < intro.end_ticks + shift - bar_ticks
        and sheet.chord_at(note.start_ticks) == sheet.chord_at(note.start_ticks - shift)
    ]


def _accompany(sheet: LeadSheet, style: Style, bars: list[Bar]) -> dict[str, list[Note]]:
    soft = 0.9 if style.soft else 1.0
    players = {
        "piano": ChordPlayer(55, 76, 40, 4, round(66 * soft), _wobble(sheet.title, "piano")),
        "guitar": ChordPlayer(50, 71, 40, 4, round(62 * soft), _wobble(sheet.title, "guitar")),
        "strings": ChordPlayer(55, 79, 48, 3, round(52 * soft), _wobble(sheet.title, "strings")),
    }
    bass = BassPlayer(sheet.key, style.name in _CHROMATIC_STYLES, round(80 * soft), _wobble(sheet.title, "bass"))
    drum_wobble = _wobble(sheet.title, "drums")
    parts: dict[str, list[Note]] = {name: [] for name in ("drums", "piano", "guitar", "bass", "strings")}
    parts[style.lead] += _hook(sheet)
    for bar in bars:
        groove = groove_for(style, dataclasses.replace(bar.metre, start_ticks=0))
        parts["drums"] += play_drums(groove, bar, soft=style.soft, wobble=drum_wobble)
        if bar.is_final:
            for name, player in players.items():
                parts[name] += player.hold(bar)
            parts["bass"] += bass.play("R" + "-" * (bar_steps(bar.metre) - 1), bar)
            continue
        for name in ("piano", "guitar"):
            parts[name] += players[name].play(getattr(groove, name)[bar.full], bar)
        if bar.with_strings:  # where verses have no pattern of their own, later ones take the chorus's, softly
            own = groove.strings[bar.full].strip(".| ")
            parts["strings"] += players["strings"].play(
                groove.strings[bar.full] if own else groove.strings[1],
                bar if own else dataclasses.replace(bar, gain=bar.gain * 0.82),
            )
        parts["bass"] += bass.play(groove.bass[bar.full], bar)
    return parts


def arrange(sheet: LeadSheet) -> Score:
    """Arrange a lead sheet for melody, drums, piano, guitar, bass and strings.

    Sheets without chords are harmonised from their melody; an unknown style is chosen by metre and tempo; a sheet
    that does not end on its tonic gets one bar more that does. Parts stay in their ranges, and no pitch of a part
    overlaps itself.
    """
    sheet = _brought_home(_harmonised(sheet))
    style = choose_style(sheet.style, sheet.metres[0], sheet.tempo_bpm)
    bars = plan_bars(sheet, soft=style.soft)
    parts: dict[str, tuple[Note, ...]] = {"melody": tuple(_melody(sheet, bars))}
    parts |= {name: tuple(notes) for name, notes in _accompany(sheet, style, bars).items()}
    syllables = sheet.syllables
    if style.swing and sheet.metres[0].denominator == 4:
        parts = {name: _swing_notes(notes) for name, notes in parts.items()}
        syllables = tuple(Syllable(swung(s.start_ticks), s.text, s.ends_word, s.line) for s in syllables)
    return Score(
        title=sheet.title,
        key=sheet.key,
        tempi=(Tempo(0, sheet.tempo_bpm),),
        metres=sheet.metres,
        parts={name: without_overlaps(in_range(name, notes)) for name, notes in parts.items()},
        chords=sheet.chords,
        sections=sheet.sections,
        syllables=syllables,
        programs=style.program_of_part(),
        style=style.name,
    )
