"""Plain texts of songs: a file a song, lines and stanzas as they stand.

The title is the first line if the file is named by it, else the file's name, in which `Artist - Title` says both. A
text that stands on one line is put into lines by its punctuation, its capitals and the length of what would be a line.
"""

from __future__ import annotations

from pathlib import Path

from rhapsody_lib.corpus.found import Job, ParsedSong
from rhapsody_lib.corpus.midi_folder import read_text, without_title
from rhapsody_lib.corpus.poems_jsonl import without_numbers
from rhapsody_lib.corpus.verse_lines import without_long_lines
from rhapsody_lib.errors import UnreadableFileError


def parse_text_file(job: Job) -> ParsedSong:
    """A text file as a song without music.

    Raises:
        UnreadableFileError: `bad_text`, `too_large` or, for an empty file, `no_lyrics`.
    """
    text = read_text(Path(job.path), job.name)
    if not text.strip():
        raise UnreadableFileError(job.name, "no_lyrics", "is empty.")
    artist, dash, title = Path(job.name).stem.partition(" - ")
    if not dash:
        artist, title = "", artist
    return ParsedSong(
        title=title.strip().replace("_", " "),
        artist=artist.strip(),
        year=0,
        genres=(),
        licence="",
        language="",
        lyrics=without_long_lines(without_title(without_numbers(text), title)),
        track=None,
    )
