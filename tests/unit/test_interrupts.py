"""A Ctrl-C that something swallowed still ends the work."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows import console, interrupts
from rhapsody_lib.progress import reporter


@pytest.fixture(autouse=True)
def watched():
    before = signal.getsignal(signal.SIGINT)
    interrupts.watch()
    yield
    interrupts.watch()
    signal.signal(signal.SIGINT, before)


def swallow_ctrl_c() -> None:
    """What a destructor or a callback from compiled code does with an exception."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_work_ends_where_it_next_tells_how_far_it_is() -> None:
    with console.progress():
        tell = reporter("Training")
        tell(1, 400)
        swallow_ctrl_c()
        with pytest.raises(KeyboardInterrupt):
            tell(2, 400)


def test_helping_threads_are_left_to_the_main_one() -> None:
    swallow_ctrl_c()
    with console.progress(), ThreadPoolExecutor(1) as pool:
        pool.submit(reporter("Reading"), 1, 2).result()
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()
