"""Keras, loaded without the start-up chatter that TensorFlow's C++ writes to file descriptor 2, and reproducible."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from rhapsody_lib.optional import require

logger = logging.getLogger(__name__)

#: TensorFlow cuts a product into as many pieces as it has threads, and the cuts decide in which order it adds: with a
#: fixed number, a machine with more processors computes the same weights.
_THREADS = 4


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
    """The `keras` module with its backend, set to compute the same from the same.

    Raises:
        MissingExtraError: Keras or its backend is not installed.
    """
    with _held_back_stderr():
        keras = require("keras")
        if keras.backend.backend() == "tensorflow":
            _make_reproducible(require("tensorflow"))
    return keras


def _make_reproducible(tensorflow: Any) -> None:
    tensorflow.config.experimental.enable_op_determinism()
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(_THREADS)
    except RuntimeError:
        logger.warning("TensorFlow was started before with other threads: weights may differ in the last digits.")
    tensorflow.config.list_physical_devices("GPU")  # looks for a driver, and says on stderr that there is none


def device_name(keras: Any) -> str:
    """What the backend computes on: the name of the first GPU, or `cpu`."""
    if keras.backend.backend() != "tensorflow":
        return str(keras.backend.backend())
    tensorflow = require("tensorflow")
    gpus = tensorflow.config.list_physical_devices("GPU")
    details = tensorflow.config.experimental.get_device_details(gpus[0]) if gpus else {}
    return str(details.get("device_name", "gpu")) if gpus else "cpu"
