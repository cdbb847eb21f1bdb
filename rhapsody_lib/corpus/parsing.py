"""One file in, one parsed song out: picks the parser of a kind of file. Runs in the sandbox for strangers' files."""

from __future__ import annotations

from pathlib import Path

from rhapsody_lib.corpus.found import Job, ParsedSong, track_of, track_of_tables
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.music.note_tables import ScoreTables


def parse_job(job: Job) -> ParsedSong:
    """Parse the file of a job.

    Raises:
        UnreadableFileError: the file cannot be used; its `code` is the reject's reason.
        MissingExtraError: a package that the kind of file needs is not installed.
    """
    if job.kind == "songbook":
        return parse_songbook_file(job)
    if job.kind == "primer":
        return parse_primer_file(job)
    if job.kind == "leadsheet":
        from rhapsody_lib.corpus.leadsheets import parse_leadsheet_file

        return parse_leadsheet_file(job)
    if job.kind == "text":
        from rhapsody_lib.corpus.plain_text import parse_text_file

        return parse_text_file(job)
    if job.kind == "npz":
        from rhapsody_lib.corpus.lakh.song import parse_npz_file

        return parse_npz_file(job)
    from rhapsody_lib.corpus.midi_folder import parse_midi_file

    return parse_midi_file(job)


def parse_songbook_file(job: Job) -> ParsedSong:
    """A songbook text file: words as performed, music composed and arranged from its chords."""
    from rhapsody_lib.corpus.songbook import read_song
    from rhapsody_lib.corpus.songbook_reader import read_songbook_track, song_lyrics

    song = read_song(Path(job.path))
    try:
        score = read_songbook_track(song)
    except InputError as error:
        raise UnreadableFileError(
            job.name, "bad_songbook", str(error), "Give the line more bars or fewer words."
        ) from error
    return ParsedSong(
        title=song.title,
        artist="",
        year=0,
        genres=(song.style,),
        licence="",
        language="",
        lyrics=song_lyrics(song).text(),
        track=track_of(score),
    )


def parse_primer_file(job: Job) -> ParsedSong:
    """A MIDI file, a piano roll or a lead sheet as music alone: its track holds all of it, its lyrics stay empty."""
    suffix = Path(job.path).suffix.lower()
    if suffix in {".mxl", ".musicxml", ".xml"}:
        from rhapsody_lib.corpus.leadsheets import sheet_music

        tables = ScoreTables.of(sheet_music(job))
    elif suffix == ".npz":
        from rhapsody_lib.corpus.lakh.song import roll_tables

        tables = roll_tables(job)
    else:
        from rhapsody_lib.music.midi_reader import midi_to_tables

        tables = midi_to_tables(Path(job.path).read_bytes(), job.name)
    return ParsedSong(
        title=tables.frame.title,
        artist="",
        year=0,
        genres=(),
        licence="",
        language="",
        lyrics="",
        track=track_of_tables(tables),
    )
