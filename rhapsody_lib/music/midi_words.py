"""Sung words in MIDI files: lyric events (FF 05) and the text events (FF 01) of karaoke files.

Two customs are read. Lyric events: a trailing space (or hyphen) tells whether the word ends, a carriage return or
line feed starts a new line. Karaoke files: headers start with `@` (`@T` is the title), a leading backslash starts a
page, a slash a line, a leading or trailing space separates words. Some programs write the verses that share a note
into one event, a line each: then the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rhapsody_lib.music.midi_meta import LYRIC, TEXT, TRACK_NAME, TextEvent, decode
from rhapsody_lib.music.score import TICKS_PER_BEAT, Syllable

MAX_SYLLABLES = 20_000
#: A longer event is a comment, no syllable.
MAX_SYLLABLE_BYTES = 120
_KARAOKE_MARKS, _BREAKS = frozenset("/\\"), frozenset("\r\n")
_LINE_MARKS = _KARAOKE_MARKS | _BREAKS
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


class Sung(NamedTuple):
    """A `Syllable` at the tick that the file gives it, in the file's own division."""

    ticks: int
    text: str
    ends_word: bool
    line: int


@dataclass(frozen=True)
class Words:
    """Syllables in order, and the title that a karaoke header names."""

    syllables: tuple[Sung, ...]
    title: str = ""


def _karaoke_track(events: Sequence[TextEvent]) -> tuple[list[TextEvent], str]:
    """The text events of the track that sings, and the title."""
    texts = [event for event in events if event.kind == TEXT]
    headers = [event.data for event in texts if event.data.startswith(b"@")]
    title = next((header[2:] for header in headers if header.startswith(b"@T")), b"")
    sung = [event for event in texts if not event.data.startswith(b"@")]
    counts: dict[int, int] = {}
    for event in sung:
        counts[event.track] = counts.get(event.track, 0) + 1
    if not counts or not (headers or any(event.data[:1] in {b"/", b"\\"} for event in sung)):
        return [], ""
    singer = max(counts, key=lambda track: (counts[track], -track))
    return [event for event in sung if event.track == singer], decode([title])[0].strip()


def read_words(events: Sequence[TextEvent]) -> Words:
    """The words of a file, none if it has none. Lines are counted from 0 without gaps."""
    if all(event.kind == TRACK_NAME for event in events):
        return Words(())
    lyrics = [event for event in events if event.kind == LYRIC]
    karaoke, title = _karaoke_track(events)
    chosen = lyrics if len(lyrics) >= len(karaoke) else karaoke
    chosen = [event for event in chosen if len(event.data) <= MAX_SYLLABLE_BYTES]
    chosen = sorted(chosen, key=lambda event: event.ticks)[:MAX_SYLLABLES]
    texts = _first_verse(decode([event.data for event in chosen]))
    pieces: list[tuple[int, str, bool, bool]] = []  # ticks, text, ends word, starts line
    new_line = True
    # Hyphens tell where words go on in files whose syllables have no spaces.
    hyphened = not any(text[-1:] == " " or text[:1] == " " for text in texts) and any(
        text.rstrip()[-1:] == "-" for text in texts
    )
    for event, text in zip(chosen, texts, strict=True):
        new_line = new_line or text[:1] in _LINE_MARKS
        stripped = text[1:] if text[:1] in _KARAOKE_MARKS else text
        plain = stripped if stripped.isprintable() else _CONTROL.sub("", stripped)
        if plain[:1] == " " and pieces:
            pieces[-1] = (*pieces[-1][:2], True, pieces[-1][3])
        word = plain.strip()
        if word and word != "-":
            joined = word[-1] == "-" and len(word) > 1
            ends = not joined and (hyphened or plain[-1] == " ")
            pieces.append((event.ticks, word[:-1] if joined else word, ends, new_line))
            new_line = False
        elif pieces and plain:
            pieces[-1] = (*pieces[-1][:2], True, pieces[-1][3])
        new_line = new_line or stripped[-1:] in _BREAKS
    return Words(_syllables(pieces), title)


def _first_verse(texts: list[str]) -> list[str]:
    """The texts, of those that hold a line for each verse the first; the space after the last verse is for all."""
    several = sum("\n" in text.strip() for text in texts)
    if 2 * several < len(texts) or not several:
        return texts
    return [text.strip().partition("\n")[0].rstrip() + (" " if text[-1:] == " " else "") for text in texts]


def _syllables(pieces: Sequence[tuple[int, str, bool, bool]]) -> tuple[Sung, ...]:
    found = []
    line = -1
    begins = [*(piece[3] for piece in pieces[1:]), True]
    for (ticks, text, ends, starts_line), last in zip(pieces, begins, strict=False):
        line += starts_line
        found.append(Sung(ticks, text, ends or last, max(line, 0)))
    return tuple(found)


def on_melody(syllables: Sequence[Sung], starts: Sequence[int], onsets: Sequence[int]) -> tuple[Syllable, ...]:
    """Syllables moved to the nearest melody onset within a quarter of a beat, if no other syllable took it.

    Args:
        syllables: the words in order.
        starts: tick of each.
        onsets: ticks at which notes of the melody begin, in order.
    """
    moved: list[Syllable] = []
    cursor = 0
    before = -1
    for (_, text, ends_word, line), sung in zip(syllables, starts, strict=True):
        while cursor + 1 < len(onsets) and abs(onsets[cursor + 1] - sung) <= abs(onsets[cursor] - sung):
            cursor += 1
        near = cursor < len(onsets) and abs(onsets[cursor] - sung) <= TICKS_PER_BEAT // 4
        ticks = onsets[cursor] if near else sung
        if ticks <= before:
            ticks = max(sung, before)
        before = ticks
        moved.append(Syllable(ticks, text, ends_word, line))
    return tuple(moved)
