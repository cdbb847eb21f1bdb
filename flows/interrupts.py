"""Ctrl-C that is never lost.

Python raises KeyboardInterrupt wherever the main thread happens to be. In a destructor, or in a callback from compiled
code, it is printed at most and forgotten, and a training goes on for hours (one Ctrl-C in about twenty, within
TensorFlow). So it is noted too, and raised again where the work next tells how far it is.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

_noted = threading.Event()


def watch() -> None:
    """Note each Ctrl-C of this process from now on. Call it in the main thread."""
    _noted.clear()
    signal.signal(signal.SIGINT, _note)


def _note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (as Python calls it)
    _noted.set()
    raise KeyboardInterrupt


def check() -> None:
    """End the work if Ctrl-C was pressed; only the main thread is ever interrupted.

    Raises:
        KeyboardInterrupt: it was pressed.
    """
    if _noted.is_set() and threading.current_thread() is threading.main_thread():
        raise KeyboardInterrupt
