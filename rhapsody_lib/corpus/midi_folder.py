"""MIDI songs: a MIDI file with a lyrics file of the same stem, a karaoke file, or a MIDI file with lyric events.

Words in a text file beside the MIDI win over words inside it: they have line breaks and stanzas. Words from events take
their lines from the events, or from the melody's phrases where the events have none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from rhapsody_lib.corpus.found import Job, ParsedSong, track_of_tables
from rhapsody_lib.corpus.phrases import Grid, lines_of, with_lines
from rhapsody_lib.corpus.verse_lines import without_long_lines
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.midi_reader import DEFAULT_LIMITS, midi_to_tables
from rhapsody_lib.music.note_tables import ScoreTables, notes_of, notes_of_part
from rhapsody_lib.music.score import Score, Section, Syllable

MAX_TEXT_BYTES = 256_000
#: A line of more words than this was not meant as one.
_MAX_LINE_WORDS = 16
#: A stanza ends where no word is sung for this many bars.
_STANZA_GAP_BARS = 1.5
_TIME_TAG = re.compile(r"[\[<]\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?[\]>]")
_ID_TAG = re.compile(r"^\s*\[(ti|ar|al|au|by|re|ve|length|offset|la)\s*:\s*([^\]]*)\]\s*$", re.IGNORECASE)


def read_text(path: Path, name: str) -> str:
    """A text file in UTF-8, UTF-16 (with its mark) or, failing these, Windows-1252.

    Raises:
        UnreadableFileError: `too_large`, or `bad_text` for what is no text.
    """
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES:
        raise UnreadableFileError(
            name, "too_large", f"has lyrics of {size:,} bytes; {MAX_TEXT_BYTES:,} are allowed.", "Is it one song?"
        )
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    if "\0" in text:
        raise UnreadableFileError(name, "bad_text", "has lyrics that are not text.", "Save them as UTF-8 text.")
    return text


def from_lrc(text: str) -> tuple[str, dict[str, str]]:
    """Words of an LRC file without time tags, and its id tags (`ti`, `ar`, ...)."""
    tags: dict[str, str] = {}
    lines = []
    for line in text.splitlines():
        match = _ID_TAG.match(line)
        if match:
            tags[match.group(1).lower()] = match.group(2).strip()
        else:
            lines.append(_TIME_TAG.sub("", line).strip())
    return "\n".join(lines), tags


def without_title(text: str, title: str) -> str:
    """The text without a first line that only repeats the title."""
    lines = text.lstrip("\n\r \t").splitlines()
    same = lines and re.sub(r"\W+", "", lines[0]).casefold() == re.sub(r"\W+", "", title).casefold()
    return "\n".join(lines[1:] if same and len(lines) > 1 else lines)


def with_readable_lines(tables: ScoreTables) -> ScoreTables:
    """The score with the lines of the file, or with phrases as lines where the file's cannot be sung."""
    frame = tables.frame
    lengths = [len(text.split()) for text, _ in lines_of(frame.syllables)]
    if not lengths or max(lengths) <= _MAX_LINE_WORDS or sum(lengths) / len(lengths) <= _MAX_LINE_WORDS / 2:
        return tables
    melody = notes_of(notes_of_part(tables.notes, "melody"))
    syllables = with_lines(frame.syllables, melody, Grid(frame.metres[0].bar_ticks))
    return replace(tables, frame=replace(frame, syllables=syllables))


def words_of_score(score: Score) -> str:
    """The words in a score's syllables (its notes are not looked at): a line a line.

    Stanzas are told by its sections, or by the rests between lines.
    """
    blocks: list[str] = []
    previous_end, previous_section = 0, ""
    gap_ticks = round(_STANZA_GAP_BARS * score.metres[0].bar_ticks)
    for first, last, text in _timed_lines(score.syllables):
        section = _section_at(score.sections, (first + last) // 2)
        if blocks and (section != previous_section if score.sections else first - previous_end >= gap_ticks):
            blocks.append("")
        if section != previous_section and section:
            blocks.append(f"[{section.partition('@')[0]}]")
        blocks.append(text)
        previous_end, previous_section = last, section
    return "\n".join(blocks)


def _timed_lines(syllables: Sequence[Syllable]) -> list[tuple[int, int, str]]:
    """(first tick, last tick, text) of each line."""
    lines = []
    for _, group in groupby(syllables, key=lambda syllable: syllable.line):
        members = list(group)
        text = " ".join("".join(each.text + (" " if each.ends_word else "") for each in members).split())
        if text:
            lines.append((members[0].start_ticks, members[-1].start_ticks, text))
    return lines


def _section_at(sections: Sequence[Section], ticks: int) -> str:
    """Name and start of the section at a tick, so that a chorus after a chorus is another one; '' outside all."""
    inside = [section for section in sections if section.start_ticks <= ticks < section.end_ticks]
    return f"{inside[-1].name}@{inside[-1].start_ticks}" if inside else ""


def _named(job: Job, score: Score, tags: dict[str, str]) -> tuple[str, str]:
    """Title and artist: from LRC tags, a file named `Artist - Title`, or the MIDI file."""
    artist, dash, title = Path(job.name).stem.partition(" - ")
    if not dash:
        artist, title = "", ""
    return tags.get("ti") or title.strip() or score.title, tags.get("ar") or artist.strip()


def words_beside(job: Job) -> tuple[str, dict[str, str]]:
    """The words that a job brings along: those a catalogue knows, or of the text file beside; and the tags of an LRC.

    Raises:
        UnreadableFileError: `bad_text` or `too_large`.
    """
    if job.known is not None and job.known.lyrics.strip():
        return without_long_lines(job.known.lyrics), {}
    if not job.lyrics_path:
        return "", {}
    text = read_text(Path(job.lyrics_path), job.name)
    return from_lrc(text) if job.lyrics_path.lower().endswith(".lrc") else (text, {})


def parse_midi_file(job: Job) -> ParsedSong:
    """A MIDI or karaoke file and its words as a song; without words if the job needs none.

    Raises:
        UnreadableFileError: `bad_midi`, `no_notes`, `no_lyrics`, `bad_text` or `too_large`.
    """
    path = Path(job.path)
    size = path.stat().st_size
    if size > DEFAULT_LIMITS.max_bytes:
        raise UnreadableFileError(
            job.name, "too_large", f"has {size:,} bytes; {DEFAULT_LIMITS.max_bytes:,} are allowed.", "Is it one song?"
        )
    text, tags = words_beside(job)
    tables = with_readable_lines(midi_to_tables(path.read_bytes(), job.name))
    score = tables.frame
    title, artist = _named(job, score, tags)
    words = without_title(text, title) if text.strip() else words_of_score(score)
    if not words.strip() and job.words_needed:
        raise UnreadableFileError(
            job.name, "no_lyrics", "has no lyric events and no .txt or .lrc file of its name beside it.", "Add one."
        )
    return ParsedSong(
        title=title,
        artist=artist,
        year=0,
        genres=(score.style,) if score.style else (),
        licence="",
        language="",
        lyrics=words,
        track=track_of_tables(tables),
    )
