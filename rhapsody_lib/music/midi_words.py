"""Sung words in MIDI files: lyric events (FF 05) and the text events (FF 01) of karaoke files.

Two customs are read. Lyric events: a trailing space (or hyphen) tells whether the word ends, a carriage return or
line feed starts a new line. Karaoke files: headers start with `@` (`@T` is the title), a leading backslash starts a
page, a slash a line, a leading or trailing space separates words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rhapsody_lib.music.midi_meta import LYRIC, TEXT, TextEvent, decode
from rhapsody_lib.music.score import TICKS_PER_BEAT, Syllable

MAX_SYLLABLES = 20_000
#: A longer event is a comment, no syllable.
MAX_SYLLABLE_BYTES = 120
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


@dataclass(frozen=True)
class Words:
    """Syllables in order, in the file's own ticks, and the title that a karaoke header names."""

    syllables: tuple[Syllable, ...]
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
    lyrics = [event for event in events if event.kind == LYRIC]
    karaoke, title = _karaoke_track(events)
    chosen = lyrics if len(lyrics) >= len(karaoke) else karaoke
    chosen = [event for event in chosen if len(event.data) <= MAX_SYLLABLE_BYTES]
    chosen = sorted(chosen, key=lambda event: event.ticks)[:MAX_SYLLABLES]
    texts = decode([event.data for event in chosen])
    pieces: list[tuple[int, str, bool, bool]] = []  # ticks, text, ends word, starts line
    new_line = True
    hyphens = sum(text.rstrip().endswith("-") for text in texts)
    spaced = sum(text.endswith(" ") or text.startswith(" ") for text in texts)
    for event, text in zip(chosen, texts, strict=True):
        new_line = new_line or text[:1] in {"/", "\\", "\r", "\n"}
        stripped = text[1:] if text[:1] in {"/", "\\"} else text
        plain = stripped if stripped.isprintable() else _CONTROL.sub("", stripped)
        if plain.startswith(" ") and pieces:
            pieces[-1] = (*pieces[-1][:2], True, pieces[-1][3])
        word = plain.strip()
        if word and word != "-":
            joined = word.endswith("-") and len(word) > 1
            ends = not joined and (plain.endswith(" ") or (hyphens > 0 and spaced == 0))
            pieces.append((event.ticks, word[:-1] if joined else word, ends, new_line))
            new_line = False
        elif pieces and plain:
            pieces[-1] = (*pieces[-1][:2], True, pieces[-1][3])
        new_line = new_line or stripped.endswith(("\r", "\n"))
    return Words(_syllables(pieces), title)


def _syllables(pieces: Sequence[tuple[int, str, bool, bool]]) -> tuple[Syllable, ...]:
    found = []
    line = -1
    for index, (ticks, text, ends, starts_line) in enumerate(pieces):
        line += starts_line
        last = index + 1 == len(pieces) or pieces[index + 1][3]
        found.append(Syllable(ticks, text, ends or last, max(line, 0)))
    return tuple(found)


def on_melody(syllables: Sequence[Syllable], onsets: Sequence[int]) -> tuple[Syllable, ...]:
    """Syllables moved to the nearest melody onset within a quarter of a beat, if no other syllable took it."""
    moved: list[Syllable] = []
    cursor = 0
    for syllable in syllables:
        sung = syllable.start_ticks
        while cursor + 1 < len(onsets) and abs(onsets[cursor + 1] - sung) <= abs(onsets[cursor] - sung):
            cursor += 1
        near = cursor < len(onsets) and abs(onsets[cursor] - sung) <= TICKS_PER_BEAT // 4
        ticks = onsets[cursor] if near else sung
        if moved and ticks <= moved[-1].start_ticks:
            ticks = max(sung, moved[-1].start_ticks)
        moved.append(syllable if ticks == sung else Syllable(ticks, syllable.text, syllable.ends_word, syllable.line))
    return tuple(moved)
