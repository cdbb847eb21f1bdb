"""Words on music: every syllable of the lyrics gets the onset of a melody note.

The sections of the score carry the lyrics' sections in the same order; what is between (intro, ending) stays as it is.
The bars of a section are shared evenly by its lines; each line is sung on the melody of its bars (`phrase`,
`sung_notes`).
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import Metre, Note, Score, Section, Syllable
from rhapsody_lib.song.phrase import Phrase, place_lines
from rhapsody_lib.song.sung_notes import chord_tone_notes, sing
from rhapsody_lib.song.sung_words import SungSyllable, sung_language, sung_syllables
from rhapsody_lib.words.document import Lyrics, LyricSection

START_PITCH = 65


def pair_sections(lyrics: Lyrics, score: Score) -> list[tuple[LyricSection, Section]]:
    """Each section of the lyrics that has lines with the section of the score on which it is sung.

    Raises:
        ValueError: the score lacks a section of that name after the one before.
    """
    pairs, rest = [], iter(score.sections)
    for words in lyrics.sections:
        if not words.lines:
            continue
        music = next((section for section in rest if section.name == words.name), None)
        if music is None:
            raise ValueError(f"the music has no section '{words.name}' where the lyrics have it")
        pairs.append((words, music))
    return pairs


def _bars(score: Score, end_ticks: int) -> list[tuple[int, Metre]]:
    """(start, metre) of every bar that begins before `end_ticks`."""
    bars = []
    for index, metre in enumerate(score.metres):
        after = score.metres[index + 1].start_ticks if index + 1 < len(score.metres) else end_ticks
        bars += [(start, metre) for start in range(metre.start_ticks, min(after, end_ticks), metre.bar_ticks)]
    return bars


def line_bounds(section: Section, lines: int, bars: Sequence[tuple[int, Metre]]) -> list[int]:
    """The `lines` + 1 ticks between which the lines are sung: at bar lines, unless there are more lines than bars."""
    inside = [start for start, _ in bars if section.start_ticks <= start < section.end_ticks]
    if not inside or inside[0] != section.start_ticks or len(inside) < lines:
        span = section.end_ticks - section.start_ticks
        return [section.start_ticks + span * index // lines for index in range(lines + 1)]
    edges = [*inside, section.end_ticks]
    return [edges[len(inside) * index // lines] for index in range(lines + 1)]


def _monophonic(notes: Sequence[Note], start_ticks: int, end_ticks: int) -> tuple[Note, ...]:
    """The upper voice of what starts in the span, each note cut where the next starts, none past the end."""
    highest: dict[int, Note] = {}
    for note in notes:
        if start_ticks <= note.start_ticks < end_ticks:
            kept = highest.get(note.start_ticks)
            highest[note.start_ticks] = note if kept is None or note.pitch > kept.pitch else kept
    starts = sorted(highest)
    ends = [*starts[1:], end_ticks][: len(starts)]
    return tuple(
        replace(highest[start], duration_ticks=min(highest[start].end_ticks, end) - start)
        for start, end in zip(starts, ends, strict=True)
    )


def _words_of(line: str, phrase: Phrase, language: str) -> tuple[SungSyllable, ...]:
    words = sung_syllables(line, language)
    if len(words) > phrase.end_ticks - phrase.start_ticks:
        raise InputError(
            f"The line '{line[:60]}...' has {len(words)} syllables, more than its bars can hold. Break it into lines."
        )
    return words


def _with_notes(phrases: Sequence[Phrase], texts: Sequence[Sequence[SungSyllable]], score: Score) -> list[Phrase]:
    """The phrases with room to breathe, and with a melody where they have words but no notes."""
    ready: list[Phrase] = []
    pitch = START_PITCH
    for phrase, words in zip(phrases, texts, strict=True):
        roomy = phrase.with_room(len(words)) if words else phrase
        if words and not roomy.notes:
            notes = chord_tone_notes(roomy, len(words), pitch, score.key, score.chord_at)
            roomy = replace(roomy, notes=notes)
        pitch = roomy.notes[-1].pitch if roomy.notes else pitch
        ready.append(roomy)
    return ready


def _bars_touched(bars: Sequence[tuple[int, Metre]], start: int, end: int) -> tuple[tuple[int, Metre], ...]:
    starts = [tick for tick, _ in bars]
    return tuple(bars[max(0, bisect.bisect_right(starts, start) - 1) : bisect.bisect_left(starts, end)])


def fit_words(lyrics: Lyrics, score: Score) -> Score:
    """Lay the lyrics on the score's melody. Deterministic; the other five parts stay as they are.

    In the result every line's syllables stand in `syllables`, numbered by `Lyrics.lines`, each at the onset of a melody
    note of its own. The melody under words is monophonic and stays within each line's bars.

    Args:
        lyrics: sections with lines; lines without any visible character have no syllables.
        score: its sections are named as those of the lyrics, in the same order, with others between.

    Raises:
        ValueError: a section of the lyrics is missing from the score.
        InputError: a line has more syllables than its bars have ticks.
    """
    pairs = pair_sections(lyrics, score)
    bars = _bars(score, max((section.end_ticks for section in score.sections), default=0))
    phrases: list[Phrase] = []
    for words, music in pairs:
        for start, end in pairwise(line_bounds(music, len(words.lines), bars)):
            per_tick = score.seconds_at(start + 1) - score.seconds_at(start)
            notes = _monophonic(score.parts["melody"], start, end)
            phrases.append(Phrase(start, end, _bars_touched(bars, start, end), per_tick, notes))
    lines = [line for words, _ in pairs for line in words.lines]
    language = sung_language(lyrics)
    texts = [_words_of(line, phrase, language) for line, phrase in zip(lines, phrases, strict=True)]
    phrases = _with_notes(phrases, texts, score)
    sung: list[Note] = []
    syllables: list[Syllable] = []
    for number, (phrase, text, onsets) in enumerate(zip(phrases, texts, place_lines(phrases, texts), strict=True)):
        ends_word = [word.ends_word for word in text]
        sung += sing(phrase, onsets, ends_word, score.key, score.chord_at) if text else phrase.notes
        syllables += [
            Syllable(onset, word.text, word.ends_word, number) for onset, word in zip(onsets, text, strict=True)
        ]
    spans = [(music.start_ticks, music.end_ticks) for _, music in pairs]
    return _with_melody(score, lyrics.title, sung, syllables, spans)


def _with_melody(
    score: Score, title: str, sung: list[Note], syllables: list[Syllable], spans: list[tuple[int, int]]
) -> Score:
    """The score with its melody replaced inside `spans`; notes that sound into a span are cut at its start."""
    kept = []
    for note in score.parts["melody"]:
        if any(start <= note.start_ticks < end for start, end in spans):
            continue
        limit = min((start for start, _ in spans if start > note.start_ticks), default=note.end_ticks)
        kept.append(replace(note, duration_ticks=min(note.end_ticks, limit) - note.start_ticks))
    parts = {**score.parts, "melody": tuple(sorted([*kept, *sung]))}
    return replace(score, title=title or score.title, parts=parts, syllables=tuple(syllables))
