"""What passes between the readers of a corpus: a job, what was parsed, a song found, a file rejected.

`ParsedSong` travels from the parsing process as JSON, never as a pickle: that process has read a stranger's file, and
what it says is data.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.corpus.table_part import TablePart
from rhapsody_lib.music.note_tables import PART, ScoreTables
from rhapsody_lib.music.score import PARTS, Score

#: What a job asks for; a `primer` is music that needs no words. A `table`, `jsonl` or `abc` file holds many songs.
FileKind = Literal["songbook", "leadsheet", "midi", "npz", "primer", "text", "table", "jsonl", "abc"]
MAX_DETAIL = 300


@dataclass(frozen=True)
class Track:
    """A song's music as a row of the `tracks` table: canonical MIDI and what it holds.

    `seconds` is its length, `tempo_bpm` quarter notes a minute at the start, `programs` the General MIDI programs of
    the parts that have notes (without drums), `notes` the number of notes in all parts.
    """

    midi: bytes
    seconds: float
    tempo_bpm: float
    key: str
    time_signature: str
    programs: tuple[int, ...]
    notes: int


@dataclass(frozen=True)
class Known:
    """What a catalogue beside a file says of its song; empty texts and 0 where it says nothing.

    `track_id` is the song's id in that catalogue, `language` what the words are claimed to be in. `tempo_path` is a
    MIDI file of the same music that holds its true tempi, `tempo_bpm` the tempo where it is known to be constant
    (quarter notes a minute), `time_signature` the metre that goes with it (`4/4`).
    """

    title: str = ""
    artist: str = ""
    year: int = 0
    genres: tuple[str, ...] = ()
    language: str = ""
    lyrics: str = ""
    licence: str = ""
    track_id: str = ""
    tempo_path: str = ""
    tempo_bpm: float = 0.0
    time_signature: str = ""


@dataclass(frozen=True)
class Job:
    """One file to parse. `name` is its path within the source.

    `lyrics_path` is a text file of the same stem, `artists_path` the table of artists that belongs to one of lyrics;
    '' where there is none. `known` is what a catalogue beside the file says of it. Music without words is refused as
    `no_lyrics` unless `words_needed` is False. `part` says which rows of a large table are meant; None: all.
    """

    kind: FileKind
    path: str
    name: str
    lyrics_path: str = ""
    artists_path: str = ""
    known: Known | None = None
    words_needed: bool = True
    part: TablePart | None = None

    @property
    def inputs(self) -> tuple[str, ...]:
        """Paths of all files that the song is made from, its own first."""
        tempo_path = self.known.tempo_path if self.known is not None else ""
        return tuple(path for path in (self.path, self.lyrics_path, self.artists_path, tempo_path) if path)

    def message(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_message(cls, values: dict[str, Any]) -> Job:
        """The inverse of `message`."""
        known, part = values.get("known"), values.get("part")
        known = known and Known(**{**known, "genres": tuple(known["genres"])})
        return cls(**{**values, "known": known, "part": part and TablePart.from_message(part)})


@dataclass(frozen=True)
class ParsedSong:
    """What one file says. `year` is 0 and texts are empty where the file says nothing.

    `language` is certain; `claimed_language` is what the file says, which is believed where the words say too little.
    """

    title: str
    artist: str
    year: int
    genres: tuple[str, ...]
    licence: str
    language: str
    lyrics: str
    track: Track | None
    claimed_language: str = ""

    def message(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = asdict(self)
        if self.track is not None:
            values["track"]["midi"] = base64.b64encode(self.track.midi).decode("ascii")
        return values

    @classmethod
    def from_message(cls, values: dict[str, Any]) -> ParsedSong:
        """The inverse of `message`."""
        track = values["track"]
        if track is not None:
            midi = base64.b64decode(track["midi"])
            track = Track(**{**track, "midi": midi, "programs": tuple(track["programs"])})
        return cls(**{**values, "genres": tuple(values["genres"]), "track": track})


def with_known(song: ParsedSong, known: Known) -> ParsedSong:
    """The song with what a catalogue knows better than its file; without any title it is called by its id."""
    return replace(
        song,
        title=known.title or song.title or known.track_id,
        artist=known.artist or song.artist,
        year=known.year or song.year,
        genres=known.genres or song.genres,
        licence=known.licence or song.licence,
        claimed_language=known.language or song.claimed_language,
    )


@dataclass(frozen=True)
class Found:
    """A song with where it comes from: `source` is the source's name, `path` the file within it."""

    source: str
    path: str
    song_id: str
    song: ParsedSong


@dataclass(frozen=True)
class Reject:
    """A file or song left out, and why."""

    source: str
    path: str
    code: RejectCode
    detail: str


def one_line(text: str) -> str:
    """A detail fit for a table: one line, no control characters, at most `MAX_DETAIL` characters."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= MAX_DETAIL else line[: MAX_DETAIL - 1] + "…"


def track_of(score: Score) -> Track:
    """The row of the `tracks` table that a score makes."""
    return track_of_tables(ScoreTables.of(score))


def track_of_tables(tables: ScoreTables) -> Track:
    """`track_of` a score whose notes are a table."""
    from rhapsody_lib.music.midi_writer import tables_to_midi

    frame, counts = tables.frame, np.bincount(tables.notes[PART], minlength=len(PARTS)).tolist()
    heard = [part for part, count in zip(PARTS, counts, strict=True) if count and part != "drums"]
    metre = frame.metres[0]
    return Track(
        midi=tables_to_midi(tables),
        seconds=round(frame.seconds_at(tables.end_ticks), 3),
        tempo_bpm=round(frame.tempo_bpm, 3),
        key=frame.key.name,
        time_signature=f"{metre.numerator}/{metre.denominator}",
        programs=tuple(sorted({frame.programs[part] for part in heard})),
        notes=sum(counts),
    )
