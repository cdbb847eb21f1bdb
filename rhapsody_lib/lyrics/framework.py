"""Keras, loaded without the page of start-up chatter that TensorFlow's C++ writes to file descriptor 2."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from rhapsody_lib.optional import require


@contextmanager
def _held_back_stderr() -> Iterator[None]:
    """What is written to file descriptor 2 within the block is dropped, unless the block fails: then it is shown."""
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(real, held.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)


def load_keras() -> ModuleType:
    """The `keras` module with its backend.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    with _held_back_stderr():
        keras = require("keras")
        if keras.backend.backend() == "tensorflow":
            require("tensorflow")
    return keras
