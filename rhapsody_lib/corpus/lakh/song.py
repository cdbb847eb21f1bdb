"""A piano roll with what a catalogue knows of it, as a song. Runs in the sandbox: the files are strangers'."""

from __future__ import annotations

from pathlib import Path

from rhapsody_lib.corpus.found import Job, Known, ParsedSong, track_of_tables
from rhapsody_lib.corpus.midi_folder import with_readable_lines, words_beside, words_of_score
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.foreign import Conductor
from rhapsody_lib.music.midi_reader import midi_to_tables, read_conductor
from rhapsody_lib.music.note_tables import ScoreTables
from rhapsody_lib.music.pianoroll import constant_conductor, pianoroll_to_tables


def conductor_of_roll(known: Known, name: str) -> Conductor | None:
    """The true tempi of a piano roll: those of its MIDI file, else the one tempo that a catalogue names.

    None where neither is known, or the MIDI file cannot be read: then the roll's own are put in order.
    """
    if known.tempo_path:
        try:
            return read_conductor(Path(known.tempo_path).read_bytes(), name)
        except (UnreadableFileError, OSError):
            pass
    return constant_conductor(known.tempo_bpm, known.time_signature)


def _words_of_its_midi(known: Known, name: str) -> str:
    """The words that the MIDI file of a roll sings; '' if it sings none or cannot be read."""
    if not known.tempo_path:
        return ""
    try:
        tables = midi_to_tables(Path(known.tempo_path).read_bytes(), name)
    except (UnreadableFileError, OSError):
        return ""
    return words_of_score(with_readable_lines(tables).frame)


def roll_tables(job: Job) -> ScoreTables:
    """The music of a piano roll.

    Raises:
        UnreadableFileError: `bad_npz`, `no_notes` or `too_large`.
    """
    known = job.known or Known()
    data = Path(job.path).read_bytes()
    return pianoroll_to_tables(data, job.name, title=known.title, conductor=conductor_of_roll(known, job.name))


def parse_npz_file(job: Job) -> ParsedSong:
    """A piano roll and its words: those that the catalogue knows, of a text file beside it, or of its MIDI file.

    Raises:
        UnreadableFileError: `bad_npz`, `no_notes`, `no_lyrics`, `bad_text` or `too_large`.
    """
    known = job.known or Known()
    tables = roll_tables(job)
    text, tags = words_beside(job)
    words = text if text.strip() else _words_of_its_midi(known, job.name)
    if not words.strip() and job.words_needed:
        raise UnreadableFileError(
            job.name, "no_lyrics", "has no words: no catalogue, text or MIDI file beside it knows any.", "Add them."
        )
    return ParsedSong(
        title=tags.get("ti", ""),
        artist=tags.get("ar", ""),
        year=0,
        genres=(),
        licence="",
        language="",
        lyrics=words,
        track=track_of_tables(tables),
    )
