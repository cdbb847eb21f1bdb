"""Some parts of a song, played and encoded by a process of its own while this one plays the others.

The synthesizer lets no other thread of its process run. What it plays is the same whoever plays it, so this is only a
short cut: a part that does not come from there is played here.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from rhapsody_lib.music.score import Score
from rhapsody_lib.processors import available_processors
from rhapsody_lib.song.mp3 import SAMPLE_RATE_HZ, encode_stem
from rhapsody_lib.song.render import MIX, frames_of, open_synth, part_alone, place_of
from rhapsody_lib.song.takes import BLOCK_FRAMES, PartNotes, Take, play_blocks

logger = logging.getLogger(__name__)

#: The parts that take longest to play, in the order in which they are mixed: the others are played in the same time.
PARTS_ELSEWHERE = ("strings", "piano")
#: A shorter song is played before another process has started; of a longer one two would hold too much at once.
SHORTEST_FRAMES, LONGEST_FRAMES = 30 * SAMPLE_RATE_HZ, 300 * SAMPLE_RATE_HZ
#: A part is waited for so long, many times what it takes to play it: then it is played here.
_TIMEOUT_S = 60


class SecondPlayer:
    """Plays parts of a score in another process (`take`), and gives their files (`files`).

    Args:
        score: the song.
        vocal: whether a voice sings in it.
    """

    def __init__(self, score: Score, *, vocal: bool) -> None:
        #: MP3 files of the parts that were taken, as `encode_stem` writes them.
        self.files: dict[str, bytes] = {}
        self._frames = frames_of(score)
        self._parts = [part for part in PARTS_ELSEWHERE if score.parts.get(part)]
        self._process: subprocess.Popen[bytes] | None = None
        # It tells the process what to play and then reads: a pipe holds little, and a process may hang.
        self._talker = ThreadPoolExecutor(1)
        if self._parts and SHORTEST_FRAMES <= self._frames <= LONGEST_FRAMES and available_processors() > 1:
            self._start(
                {
                    "frames": self._frames,
                    "vocal": vocal,
                    "parts": [asdict(PartNotes.of(score, part)) for part in self._parts],
                }
            )

    def __enter__(self) -> SecondPlayer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self, told: dict[str, Any]) -> None:
        # Python looks for modules where it is started, and a folder of songs may hold anything.
        package = Path(__file__).resolve().parents[2]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        try:
            self._process = subprocess.Popen([sys.executable, "-m", __name__], cwd=package, **pipes)  # type: ignore[call-overload]  # noqa: S603
        except OSError as error:
            logger.debug("no process could be started to play parts: %s", error)
        else:
            self._talker.submit(_tell, self._process.stdin, told)  # type: ignore[arg-type]

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._talker.shutdown()  # what it writes or reads fails now
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError, AttributeError):  # what was not told yet cannot be told any more
                    pipe.close()  # type: ignore[union-attr]
            self._process.wait()
            self._process = None

    def take(self, part: str) -> Take | None:
        """A part as it was played there; none if it is played here. Asked in the order of `PARTS_ELSEWHERE`."""
        if self._process is None or self._process.stdout is None or part not in self._parts:
            return None
        try:
            read = self._talker.submit(_read, self._process.stdout, part, self._frames)
            take, file = read.result(_TIMEOUT_S)
        except (OSError, ValueError, FutureTimeoutError) as error:
            logger.debug("%s is played here: %s", part, str(error) or "it took too long")
            self._end()
            return None
        self.files[part] = file
        return take


def _tell(to: IO[bytes], told: dict[str, Any]) -> None:
    with suppress(OSError), to:  # a process that does not read has nothing to say either
        to.write(json.dumps(told).encode())


def _write(to: IO[bytes], part: str, take: Take, file: bytes) -> None:
    sizes = [part, len(take.powers), len(file)]
    to.write(json.dumps(sizes).encode() + b"\n")
    for array in (take.samples, take.steps, take.powers):
        to.write(array.data.cast("B"))
    to.write(file)
    to.flush()


def _read(source: IO[bytes], part: str, frames: int) -> tuple[Take, bytes]:
    """What `_write` wrote.

    Raises:
        ValueError: it is something else.
    """
    name, powers, size = json.loads(source.readline())
    count = -(-frames // BLOCK_FRAMES)
    if name != part or not 0 <= powers <= frames:
        raise ValueError(f"{name} instead of {part}")
    take = Take(np.empty((count, BLOCK_FRAMES, 2), np.int16), np.empty(count, np.float32), np.empty(powers, np.float64))
    for array in (take.samples, take.steps, take.powers):
        view = array.data.cast("B")
        if source.readinto(view) != len(view):  # type: ignore[attr-defined]
            raise ValueError("it ended early")
    file = source.read(size)
    if len(file) != size:
        raise ValueError("it ended early")
    return take, file


def _main() -> None:
    """Read the parts as JSON, play and encode them, write each as it is done."""
    told = json.load(sys.stdin.buffer)
    frames, synth = told["frames"], open_synth()
    for row in told["parts"]:
        notes = PartNotes(**row)
        take = Take.of(play_blocks(synth, notes, MIX[notes.part].pan, frames), frames)
        alone = part_alone(take, place_of(notes.part, vocal=told["vocal"]))[: (frames + 1) // 2]
        _write(sys.stdout.buffer, notes.part, take, encode_stem(alone))


if __name__ == "__main__":
    _main()
