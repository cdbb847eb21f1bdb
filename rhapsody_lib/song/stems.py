"""Each part of a song alone, as a file: encoded by other threads while the next part is played."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

from rhapsody_lib.song.mp3 import encode_stem

VOCAL_FILE = "guide_vocal.mp3"
#: Parts that wait to be encoded at once; one of ten minutes is 26 MB.
_WAITING = 2


def stem_file(part: str) -> str:
    """The name of a part's file in the song's folder."""
    return VOCAL_FILE if part == "vocal" else f"stems/{part}.mp3"


class Stems:
    """Takes parts as they are made (`add`) and gives their files (`files`)."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=_WAITING)
        self._encoded: dict[str, Future[bytes]] = {}

    def __enter__(self) -> Stems:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, part: str, samples: np.ndarray) -> None:
        """Take a part, int16 [frames] at `STEM_RATE_HZ`."""
        waiting = [future for future in self._encoded.values() if not future.done()]
        if len(waiting) >= _WAITING:
            waiting[0].result()
        self._encoded[part] = self._pool.submit(encode_stem, samples)

    def beside(self, encode: Callable[[np.ndarray], bytes], samples: np.ndarray) -> Future[bytes]:
        """Encode something else meanwhile."""
        return self._pool.submit(encode, samples)

    def files(self) -> dict[str, bytes]:
        """The files by name, when all are encoded."""
        return {stem_file(part): future.result() for part, future in self._encoded.items()}
