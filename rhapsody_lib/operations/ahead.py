"""The matched song, found by a process of its own: it loads the encoder and the catalogue while the words are written.

Python's modules and the encoder's weights take half a second to load, which two threads of one interpreter would take
turns in. The process is told the words when they are written, and answers with the matches. It is only a short cut:
whatever goes wrong with it, the step is done again where it always was, and says what is wrong.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from rhapsody_lib.artifacts import Store
from rhapsody_lib.operations import generation
from rhapsody_lib.processors import available_processors
from rhapsody_lib.release import Release, read_release
from rhapsody_lib.settings import SongSettings
from rhapsody_lib.words.document import Lyrics, LyricSection

if TYPE_CHECKING:
    from rhapsody_lib.lyrics.decoder import LyricsResult
    from rhapsody_lib.retrieval.search import Match

logger = logging.getLogger(__name__)

#: A match takes a tenth of this on a busy machine, once the words are there; a longer wait saves nothing.
_TIMEOUT_S = 20


def matches_from(rows: Sequence[Mapping[str, Any]]) -> list[Match]:
    """Matches from their plain values, as song.json holds them."""
    from rhapsody_lib.retrieval.search import Closest, Match

    return [Match(**{**row, "closest": Closest(**row["closest"]) if row["closest"] else None}) for row in rows]


@contextmanager
def steps_ahead(store: str, release: Release) -> Iterator[Any]:
    """The steps of a song, of which `find_match` is made ready in another process; for one song, in this block."""
    steps = SimpleNamespace(
        write_lyrics=generation.write_lyrics,
        find_match=generation.find_match,
        compose_backing=generation.compose_backing,
        write_song=generation.write_song,
    )
    process = _start(store, release) if available_processors() > 1 else None
    if process is None:
        yield steps
        return

    def find_match(
        store: str, release: Release, draft: LyricsResult, request: SongSettings | None = None
    ) -> list[Match]:
        found = _ask(process, draft.best.lyrics, request)
        return generation.find_match(store, release, draft, request) if found is None else found

    steps.find_match = find_match
    try:
        yield steps
    finally:
        process.kill()
        process.communicate()


def _start(store: str, release: Release) -> subprocess.Popen[bytes] | None:
    place = store if "://" in store else str(Path(store).expanduser().resolve())
    command = [sys.executable, "-m", "rhapsody_lib.operations.ahead", place]
    # Python looks for modules where it is started, and a folder of songs may hold anything.
    package = Path(__file__).resolve().parents[2]
    env = dict(os.environ)
    if cache := env.get("RHAPSODY_CACHE"):
        env["RHAPSODY_CACHE"] = str(Path(cache).resolve())
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.Popen([*command, str(release.number)], cwd=package, env=env, **pipes)  # type: ignore[call-overload, no-any-return]  # noqa: S603
    except OSError as error:
        logger.debug("no process could be started to find the match ahead: %s", error)
        return None


def _ask(process: subprocess.Popen[bytes], lyrics: Lyrics, request: SongSettings | None) -> list[Match] | None:
    """The matches of these words, or None where the process failed."""
    told = {
        "title": lyrics.title,
        "sections": [[section.name, section.lines] for section in lyrics.sections],
        "request": request.model_dump(mode="json") if request else None,
    }
    try:
        answer, _ = process.communicate(json.dumps(told).encode(), timeout=_TIMEOUT_S)
        if process.returncode:
            raise ValueError(f"it ended with {process.returncode}")
        return matches_from(json.loads(answer))
    except (OSError, ValueError, TypeError, KeyError, subprocess.SubprocessError) as error:
        process.kill()  # what it still does would only take time from the step that is now done here
        logger.debug("the match was not found ahead, and is looked for here: %s", error)
        return None


def _main() -> None:
    """Load, read words from standard input as JSON, write their matches to standard output."""
    store, number = sys.argv[1:]
    match = generation.open_matcher(store, read_release(Store(store), int(number)))
    told = json.loads(sys.stdin.buffer.read() or b"null")
    if told is not None:  # else the one who asked is gone
        sections = tuple(LyricSection(name, tuple(lines)) for name, lines in told["sections"])
        request = SongSettings.model_validate(told["request"]) if told["request"] else None
        found = match(Lyrics(told["title"], sections), request)
        sys.stdout.write(json.dumps([asdict(each) for each in found]))


if __name__ == "__main__":
    _main()
