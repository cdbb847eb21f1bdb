"""Several sandboxes at once: files are parsed side by side, and their results come in the order of the files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from rhapsody_lib.corpus.found import Job, ParsedSong
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.processors import available_processors

MAX_WORKERS = 8
#: Results that may wait for an earlier one, per worker: bounds memory where one file takes long.
_WAITING = 4

Item = TypeVar("Item")
Result = TypeVar("Result")
Parse = Callable[[Job], ParsedSong]


def default_workers() -> int:
    """Processors that this process may use, `MAX_WORKERS` at most."""
    return min(available_processors(), MAX_WORKERS)


def in_order(
    items: Iterable[Item], work: Callable[[Item, Parse], Result], sandboxes: list[Sandbox]
) -> Generator[Result, None, None]:
    """`work(item, parse)` for each item, on as many threads as there are sandboxes; `parse` is that of a free one.

    The sandboxes are closed when the results end, an item fails or the iterator is given up.
    """
    free: SimpleQueue[Sandbox] = SimpleQueue()
    for sandbox in sandboxes:
        free.put(sandbox)

    def call(item: Item) -> Result:
        sandbox = free.get()
        try:
            return work(item, sandbox.parse)
        finally:
            free.put(sandbox)

    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(len(sandboxes), thread_name_prefix="sandbox")
    try:
        for item in items:
            waiting.append(pool.submit(call, item))
            if len(waiting) >= _WAITING * len(sandboxes):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        if waiting:
            for sandbox in sandboxes:
                sandbox.interrupt()
        pool.shutdown()
        for sandbox in sandboxes:
            sandbox.close()
