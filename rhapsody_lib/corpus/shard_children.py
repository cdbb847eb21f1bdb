"""Shards of large tables, read side by side by children of this process, one for each processor.

The words of a table are cleaned in Python, so threads would only take turns. A process that was itself started to make
shards (of a pool, of a Dask worker) needs no child: it is one of several.
"""

from __future__ import annotations

import atexit
import multiprocessing
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rhapsody_lib import errors
from rhapsody_lib.corpus.child_process import ChildProcess
from rhapsody_lib.corpus.shards import SongShard, write_shard
from rhapsody_lib.errors import RhapsodyError, StageFailedError
from rhapsody_lib.processors import available_processors
from rhapsody_lib.settings import CorpusSettings

#: A child that died is replaced so often for one shard.
_TRIES = 3
_CHILD_COMMAND = (sys.executable, "-m", "rhapsody_lib.corpus.shard_child")


class _Child(ChildProcess):
    """One running interpreter."""

    def __init__(self) -> None:
        # An interrupt from the keyboard is for us: children end when their input does.
        super().__init__(_CHILD_COMMAND, one_thread=("ARROW_NUM_THREADS",), new_session=True)

    def write(self, request: dict[str, object]) -> dict[str, object] | None:
        """The answer to a request; None if the child died."""
        self.send(request)
        return self.receive()


class ShardChildren:
    """Children that threads of this process share; started when they are needed, `available_processors()` at most."""

    def __init__(self) -> None:
        self._idle: list[_Child] = []
        self._lock, self._room = threading.Lock(), threading.Semaphore(available_processors())

    def write_shard(self, shard: SongShard, out: Path, settings: CorpusSettings, digests: Sequence[str]) -> None:
        """As `shards.write_shard`, in a child.

        Raises:
            StageFailedError: the child died again and again.
            RhapsodyError: what `shards.write_shard` raises.
        """
        values = settings.model_dump(mode="json")
        request: dict[str, object] = {
            "shard": shard.message(),
            "out": str(out),
            "settings": values,
            "digests": list(digests),
        }
        with self._room:
            for _ in range(_TRIES):
                with self._lock:
                    child = self._idle.pop() if self._idle else _Child()
                try:
                    answer = child.write(request)
                except BaseException:
                    child.close()
                    raise
                if answer is not None:
                    with self._lock:
                        self._idle.append(child)
                    return _raise_for(answer)
                child.close()
        raise StageFailedError(
            f"A part of {shard.source}: the process that read it died {_TRIES} times. Most often memory ran out: "
            "close other programs and prepare again; what was read is kept."
        )

    def close(self) -> None:
        """End the children that wait for work."""
        with self._lock:
            children, self._idle = self._idle, []
        for child in children:
            child.close()


def _raise_for(answer: dict[str, object]) -> None:
    """Raise here what was raised in the child."""
    if "kind" not in answer:
        return
    kind, message = str(answer["kind"]), str(answer["message"])
    if kind == "OSError":
        raise OSError(answer.get("errno"), message)
    known = getattr(errors, kind, RhapsodyError)
    raise (known if known.__init__ is RhapsodyError.__init__ else RhapsodyError)(message)


_children = ShardChildren()
atexit.register(_children.close)


def write_shard_apart(shard: SongShard, out: Path, settings: CorpusSettings, digests: Sequence[str]) -> None:
    """Read a part of a table into `out`: in a child of this process, unless it is itself one of several."""
    if multiprocessing.parent_process() is None:
        _children.write_shard(shard, out, settings, digests)
    else:
        write_shard(shard, out, settings, digests=digests, workers=1)


def close_children() -> None:
    """End the children of this process that have no work: they hold models of languages."""
    _children.close()
