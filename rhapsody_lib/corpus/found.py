"""What passes between the readers of a corpus: a job, what was parsed, a song found, a file rejected.

`ParsedSong` travels from the parsing process as JSON, never as a pickle: that process has read a stranger's file, and
what it says is data.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rhapsody_lib.corpus.schema import RejectCode
from rhapsody_lib.music.score import Score

#: What a job asks for; a `primer` is music that needs no words. A `table`, `jsonl` or `abc` file holds many songs.
FileKind = Literal["songbook", "leadsheet", "midi", "primer", "text", "table", "jsonl", "abc"]
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
class Job:
    """One file to parse. `name` is its path within the source.

    `lyrics_path` is a text file of the same stem, `artists_path` the table of artists that belongs to one of lyrics;
    '' where there is none.
    """

    kind: FileKind
    path: str
    name: str
    lyrics_path: str = ""
    artists_path: str = ""


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
    from rhapsody_lib.music.midi import score_to_midi

    programs = sorted({score.programs[part] for part, notes in score.parts.items() if notes and part != "drums"})
    metre = score.metres[0]
    return Track(
        midi=score_to_midi(score, writer="symusic"),
        seconds=round(score.duration_s, 3),
        tempo_bpm=round(score.tempo_bpm, 3),
        key=score.key.name,
        time_signature=f"{metre.numerator}/{metre.denominator}",
        programs=tuple(programs),
        notes=sum(len(notes) for notes in score.parts.values()),
    )
