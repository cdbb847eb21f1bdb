"""What primes a song: the matched song, the user's own file, or nothing but a stock groove."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.music.chords import Key, parse_key
from rhapsody_lib.music.score import Score
from rhapsody_lib.operations.matching import best_accepted
from rhapsody_lib.recipe import BUILD_AGAIN
from rhapsody_lib.release import Release
from rhapsody_lib.settings import NO_PRIMER, SongSettings

if TYPE_CHECKING:
    from rhapsody_lib.backing.primer import PrimerFacts
    from rhapsody_lib.retrieval.search import Match
    from rhapsody_lib.words.document import Lyrics

logger = logging.getLogger(__name__)

MAX_PRIMER_BYTES = 10_000_000
#: Time for reading a user's file.
PRIMER_TIMEOUT_S = 5.0
#: Address space of the process that reads it. Python and its libraries map two thirds of that and hold a quarter of
#: what they map, so that no file takes the process beyond 300 MB of memory.
PRIMER_MEMORY_MB = 500
PRIMER_ENDINGS = (".mid", ".midi", ".kar", ".rmi", ".mxl", ".musicxml", ".xml")
#: Tracks that are tried before a song is refused: a second of reading, and songs beyond are hardly alike.
_MOST_TRIED = 200
_GIVE = "Give the path of a MIDI or MusicXML file."
_GIVE_ANOTHER = "Give another MIDI or MusicXML file with --primer."


class _Primers:
    """Music of a corpus that can prime a song."""

    def __init__(self, store: Store, corpus: ArtifactRef) -> None:
        from rhapsody_lib.corpus.schema import TRACKS_FILE
        from rhapsody_lib.operations.tracks import Tracks

        self._tracks = Tracks(store.fetch(corpus) / TRACKS_FILE)
        self._asked: dict[str | None, Score | None] = {}
        self._lacking = 0

    def of(self, track_id: str | None) -> Score | None:
        """The music of a track; none where it cannot prime a song, or the corpus has no such track."""
        if track_id not in self._asked:
            self._asked[track_id] = self._read(track_id)
        return self._asked[track_id]

    def accepts(self, track_id: str | None) -> bool:
        """Whether to look no further: a track can prime a song, or so many could not that the search would not end."""
        return self.of(track_id) is not None or len(self._asked) >= _MOST_TRIED

    def refusal(self) -> InputError:
        """What is said where no track that was asked for can prime a song."""
        if self._asked and self._lacking == len(self._asked):
            return InputError(
                "None of the similar songs' tracks is in the corpus of this release: its catalogue was made of "
                f"another. {BUILD_AGAIN}"
            )
        return InputError(
            "No similar song has a track that can prime the music. Train on a source with more music, give a MIDI or "
            "MusicXML file with --primer, or let no song prime it with --primer none."
        )

    def _read(self, track_id: str | None) -> Score | None:
        from rhapsody_lib.backing.primer import primer_facts
        from rhapsody_lib.music.midi import midi_to_score

        midi = self._tracks.midi(track_id)
        if midi is None:
            self._lacking += 1
            logger.info("track %s is not in the corpus", track_id)
            return None
        score = midi_to_score(midi, f"track {track_id}")
        try:
            primer_facts(score)
        except InputError as error:
            logger.info("track %s cannot prime the music: %s", track_id, error)
            return None
        return score


def _matched_track(
    store: Store, release: Release, request: SongSettings, matches: Sequence[Match], lyrics: Lyrics | None
) -> tuple[Score, str]:
    """The music of the best match that can prime a song, and its title; where none of those shown can, of the next.

    Raises:
        InputError: none of them can.
    """
    primers = _Primers(store, release.refs["corpus"])
    for match in matches:
        if score := primers.of(match.track_id):
            return score, match.title
    found = best_accepted(store, release, lyrics, request, primers.accepts) if matches and lyrics else None
    score = primers.of(found.track_id) if found else None
    if not found or not score:
        raise primers.refusal()
    return score, found.title


def check_primer(primer: str) -> None:
    """Refuse a wish for a primer that cannot be one, before any work is done.

    Raises:
        InputError: it is no readable file, too large, of no known ending, or its music cannot prime a song.
        MissingExtraError: what reads it is not installed.
    """
    from rhapsody_lib.backing.primer import primer_facts

    if not primer or primer == NO_PRIMER:
        return
    path = Path(primer)
    _check_file(path)
    if path.suffix.lower() not in PRIMER_ENDINGS:
        raise InputError(f"{path}: is no MIDI or MusicXML file by its name ({', '.join(PRIMER_ENDINGS)}). {_GIVE}")
    primer_facts(replace(_own_primer(path), title=str(path)))


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


def _own_primer(path: Path) -> Score:
    """The music of a user's file; it is parsed once, when it is checked, as long as it stays as it is.

    Raises:
        InputError: it cannot be read, in the time and memory that a primer may take.
    """
    _check_file(path)
    found = path.stat()
    return _read_once(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))


@lru_cache(maxsize=1)
def _read_once(path: Path, state: tuple[int, ...]) -> Score:  # noqa: ARG001  (another state, another music)
    return replace(read_primer(path), title=path.name)  # so that a refusal names the file


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
    store: Store,
    release: Release,
    request: SongSettings,
    matches: Sequence[Match],
    styles: Sequence[str],
    lyrics: Lyrics | None = None,
) -> Primed:
    """What the matched song, the user's file or the seed says of the music.

    Args:
        store: where the artifacts of the release are.
        release: whose corpus and catalogue are read.
        request: what the songwriter asks for.
        matches: the most similar songs, best first.
        styles: those that the network was trained on.
        lyrics: the words, by which further songs are found where none of the matches can prime the music.

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
        own = _own_primer(path)
        return Primed(primer_facts(own), own, path.name)
    score, name = _matched_track(store, release, request, matches, lyrics)
    return Primed(primer_facts(score), score, name)
