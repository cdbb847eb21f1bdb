"""How long work tells how far it is: a bar on a terminal, log lines in a worker, nothing in a test.

Whoever runs an operation may install a reporter with `reporting`; the operation asks for it by `reporter`. So no step
takes a callback as an argument, and a step's arguments stay plain data that a task runner can store. In the same way a
training tells its figures of each epoch to a recorder, from which a listener draws loss curves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Called with what has been done of how much, and a short note such as `perplexity 151`."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Tell that `done` of `total` units are done."""


def silent(done: int, total: int, note: str = "") -> None:
    """A progress callback that shows nothing."""


ReporterFactory = Callable[[str], Progress]
_factory: ContextVar[ReporterFactory | None] = ContextVar("rhapsody_progress", default=None)


def reporter(what: str) -> Progress:
    """The progress callback for a piece of work named `what`; silent if nobody listens."""
    factory = _factory.get()
    return silent if factory is None else factory(what)


@contextmanager
def reporting(factory: ReporterFactory) -> Iterator[None]:
    """Within the block, `reporter(what)` gives `factory(what)`."""
    token = _factory.set(factory)
    try:
        yield
    finally:
        _factory.reset(token)


#: Called after each epoch with its number, counted from 1, and its figures such as `{"train perplexity": 151.2}`.
Recorder = Callable[[int, Mapping[str, float]], None]


def unrecorded(step: int, figures: Mapping[str, float]) -> None:
    """A recorder that keeps nothing."""


RecorderFactory = Callable[[str], Recorder]
_recorders: ContextVar[RecorderFactory | None] = ContextVar("rhapsody_recorder", default=None)


def recorder(what: str) -> Recorder:
    """The recorder for a training named `what`; silent if nobody listens."""
    factory = _recorders.get()
    return unrecorded if factory is None else factory(what)


@contextmanager
def recording(factory: RecorderFactory) -> Iterator[None]:
    """Within the block, `recorder(what)` gives `factory(what)`."""
    token = _recorders.set(factory)
    try:
        yield
    finally:
        _recorders.reset(token)
