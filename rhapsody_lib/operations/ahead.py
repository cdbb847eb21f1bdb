"""The matched song, found by a process of its own: it loads the encoder and the catalogue while the words are written.

Python's modules and the encoder's weights take half a second to load, which two threads of one interpreter would take
turns in. The process is told the words when they are written, and answers twice: with the matches, of which the music
is primed, and with the same and their closest lines, which take longer and are asked for when the song is written to
its files. It is only a short cut: whatever goes wrong with it, the step is done again where it always was, and says
what is wrong.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
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
#: What the next steps load: done while the answer is awaited, it costs nothing.
_MUSIC_MODULES = (
    "pyarrow.parquet",
    "rhapsody_lib.backing.decoder",
    "rhapsody_lib.backing.model",
    "rhapsody_lib.backing.primer",
    "rhapsody_lib.music.midi",
    "rhapsody_lib.song.contents",
    "rhapsody_lib.song.fit",
    "pretty_midi",
    "tinysoundfont",
    "lameenc",
    "verovio",
    "PIL.ImageFont",
)


def matches_from(rows: Sequence[Mapping[str, Any]]) -> list[Match]:
    """Matches from their plain values, as song.json holds them."""
    from rhapsody_lib.retrieval.search import Closest, Match

    return [Match(**{**row, "closest": Closest(**row["closest"]) if row["closest"] else None}) for row in rows]


class _Ahead:
    """The process, as the one who asks it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._reader = ThreadPoolExecutor(1)

    def ask(self, lyrics: Lyrics, request: SongSettings | None) -> list[Match] | None:
        """The matches of these words, without their closest lines; None where the process failed."""
        told = {
            "title": lyrics.title,
            "sections": [[section.name, section.lines] for section in lyrics.sections],
            "request": request.model_dump(mode="json") if request else None,
        }
        try:
            with self._process.stdin as pipe:  # type: ignore[union-attr]
                pipe.write(json.dumps(told).encode())
        except (OSError, ValueError) as error:
            self._give_up(error)
            return None
        return self.answer(_MUSIC_MODULES)

    def answer(self, meanwhile: Sequence[str] = ()) -> list[Match] | None:
        """The next answer of the process; None where it failed, or found nothing, so that the step says why.

        Args:
            meanwhile: modules that are loaded as long as there is nothing to read.
        """
        try:
            line = self._reader.submit(self._process.stdout.readline)  # type: ignore[union-attr]
            for module in meanwhile:
                if line.done():
                    break
                with suppress(ImportError):  # the step that needs it will tell
                    importlib.import_module(module)
            found = matches_from(json.loads(line.result(_TIMEOUT_S)))
        except (OSError, ValueError, TypeError, KeyError, FutureTimeoutError) as error:
            self._give_up(error)
            return None
        return found or None

    def _give_up(self, error: Exception) -> None:
        self._process.kill()  # what it still does would only take time from the step that is now done here
        logger.debug("the match was not found ahead, and is looked for here: %s", error)

    def end(self) -> None:
        """Let nothing of it go on."""
        self._process.kill()
        self._reader.shutdown()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError, AttributeError):  # what was not told yet cannot be told any more
                pipe.close()  # type: ignore[union-attr]
        self._process.wait()


@contextmanager
def steps_ahead(store: str, release: Release) -> Iterator[Any]:
    """The steps of a song, of which `find_match` is made ready in another process; for one song, in this block.

    What it finds gets its closest lines in `write_song`.
    """
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
    ahead = _Ahead(process)
    ranked: list[Match] = []

    def find_match(
        store: str, release: Release, draft: LyricsResult, request: SongSettings | None = None
    ) -> list[Match]:
        ranked[:] = ahead.ask(draft.best.lyrics, request) or ()
        return list(ranked) or generation.find_match(store, release, draft, request)

    def write_song(
        release: Release,
        request: SongSettings,
        draft: LyricsResult,
        matches: Sequence[Match],
        composition: generation.Composition,
        out: Path,
    ) -> generation.SongResult:
        if ranked and list(matches) == ranked:
            matches = ahead.answer() or generation.find_match(store, release, draft, request)
        return generation.write_song(release, request, draft, matches, composition, out)

    steps.find_match, steps.write_song = find_match, write_song
    try:
        yield steps
    finally:
        ahead.end()


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


def _say(matches: Sequence[Match]) -> None:
    sys.stdout.write(json.dumps([asdict(each) for each in matches]) + "\n")
    sys.stdout.flush()


def _main() -> None:
    """Load, read words from standard input as JSON, write their matches to standard output, a line each time."""
    store, number = sys.argv[1:]
    # A second thread would take turns with the music, and is no faster on texts as short as these.
    match = generation.open_matcher(store, read_release(Store(store), int(number)), on_ranked=_say, threads=1)
    told = json.loads(sys.stdin.buffer.read() or b"null")
    if told is not None:  # else the one who asked is gone
        sections = tuple(LyricSection(name, tuple(lines)) for name, lines in told["sections"])
        request = SongSettings.model_validate(told["request"]) if told["request"] else None
        _say(match(Lyrics(told["title"], sections), request))


if __name__ == "__main__":
    _main()
