"""What primes a song: the matched song, the user's own file, or nothing but a stock groove."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.music.chords import Key, parse_key
from rhapsody_lib.music.score import Score
from rhapsody_lib.release import Release
from rhapsody_lib.settings import NO_PRIMER, SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.backing.primer import PrimerFacts
    from rhapsody_lib.retrieval.search import Match

logger = logging.getLogger(__name__)

MAX_PRIMER_BYTES = 10_000_000
#: Time for reading a user's file.
PRIMER_TIMEOUT_S = 5.0
#: Address space of the process that reads it. Python and its libraries map two thirds of that and hold a quarter of
#: what they map, so that no file takes the process beyond 300 MB of memory.
PRIMER_MEMORY_MB = 500
PRIMER_ENDINGS = (".mid", ".midi", ".kar", ".rmi", ".mxl", ".musicxml", ".xml")
_GIVE = "Give the path of a MIDI or MusicXML file."
_GIVE_ANOTHER = "Give another MIDI or MusicXML file with --primer."


def _matched_track(store: Store, corpus: ArtifactRef, matches: Sequence[Match]) -> tuple[Score, str]:
    """The music of the best match that can prime a song, and its title.

    Raises:
        InputError: none of them can.
    """
    from rhapsody_lib.backing.primer import primer_facts
    from rhapsody_lib.corpus.schema import TRACKS_FILE
    from rhapsody_lib.music.midi import midi_to_score
    from rhapsody_lib.operations.tracks import Tracks

    tracks = Tracks(store.fetch(corpus) / TRACKS_FILE)
    for match in matches:
        score = midi_to_score(tracks.midi(match.track_id) or b"", f"track {match.track_id}")
        try:
            primer_facts(score)
        except InputError as error:
            logger.info("'%s' cannot prime the music: %s", match.title, error)
        else:
            return score, match.title
    raise InputError(
        "No similar song has a track that can prime the music. Train on a source with more music, or give a MIDI or "
        "MusicXML file with --primer."
    )


def check_primer(primer: str) -> None:
    """Refuse a wish for a primer that cannot be one, before any work is done.

    Raises:
        InputError: it is no readable file, too large, or of no known ending.
    """
    if not primer or primer == NO_PRIMER:
        return
    path = Path(primer)
    _check_file(path)
    if path.suffix.lower() not in PRIMER_ENDINGS:
        raise InputError(f"{path}: is no MIDI or MusicXML file by its name ({', '.join(PRIMER_ENDINGS)}). {_GIVE}")


def _check_file(path: Path) -> None:
    try:
        if path.stat().st_size > MAX_PRIMER_BYTES:
            raise InputError(f"{path}: is larger than {MAX_PRIMER_BYTES // 1_000_000} MB. Give a smaller file.")
        if not path.is_file():
            raise InputError(f"{path}: is not a file. {_GIVE}")
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). {_GIVE}") from error


def read_primer(path: Path) -> Score:
    """The music of a user's file. It may be a stranger's, so it is parsed in a process that can be killed.

    Raises:
        InputError: it cannot be read, in the time and memory that a primer may take.
    """
    from rhapsody_lib.corpus.found import Job
    from rhapsody_lib.corpus.sandbox import TOO_MUCH_MEMORY, Sandbox
    from rhapsody_lib.music.midi import midi_to_score

    _check_file(path)
    try:
        with Sandbox(timeout_s=PRIMER_TIMEOUT_S, memory_mb=PRIMER_MEMORY_MB) as sandbox:
            track = sandbox.parse(Job("primer", str(path.absolute()), str(path))).track
    except UnreadableFileError as error:
        # What the settings of a corpus allow is not the limit here.
        reason = "needs more memory than a primer may take." if error.detail == TOO_MUCH_MEMORY else error.detail
        raise InputError(f"{path}: {reason} {_GIVE_ANOTHER}") from error
    if track is None:
        raise InputError(f"{path}: holds no music. {_GIVE_ANOTHER}")
    return midi_to_score(track.midi, str(path))


def key_or_none(text: str) -> Key | None:
    """The key that is asked for, or none.

    Raises:
        InputError: it is not a key.
    """
    try:
        return parse_key(text) if text else None
    except ValueError as error:
        raise InputError(f"--key: {error}.") from error


@dataclass(frozen=True)
class Primed:
    """What primes a song: what it takes over, the music (none: a stock groove of the style), and what it is called."""

    facts: PrimerFacts
    score: Score | None
    name: str


def primed_by(
    store: Store, release: Release, request: SongSettings, matches: Sequence[Match], styles: Sequence[str]
) -> Primed:
    """What the matched song, the user's file or the seed says of the music.

    Raises:
        InputError: the primer cannot be used; the message says why.
    """
    from rhapsody_lib.backing.primer import primer_facts
    from rhapsody_lib.backing.stock import stock_facts

    if request.primer == NO_PRIMER:
        facts = stock_facts(styles, request.seed, key=key_or_none(request.key), tempo_bpm=request.tempo_bpm)
        return Primed(facts, None, f"no song, {facts.style} by the seed")
    if request.primer:
        path = Path(request.primer)
        own = replace(read_primer(path), title=path.name)  # so that a refusal names the file
        return Primed(primer_facts(own), own, path.name)
    score, name = _matched_track(store, release.refs["corpus"], matches)
    return Primed(primer_facts(score), score, name)
