"""Keras, loaded without the start-up chatter that TensorFlow's C++ writes to file descriptor 2, and reproducible."""

from __future__ import annotations

import logging
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from rhapsody_lib.checkpoints import processor
from rhapsody_lib.optional import require

logger = logging.getLogger(__name__)

#: TensorFlow cuts a product into as many pieces as it has threads, and the cuts decide in which order it adds: with a
#: fixed number, a machine with more processors computes the same weights.
_THREADS = 4
#: Compute capability of NVIDIA's GPUs from which they multiply bfloat16.
_BFLOAT16_CAPABILITY = 8


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


@contextmanager
def seeded(keras: Any, seed: int) -> Iterator[None]:
    """Everything random that is built within the block follows from the seed, whatever other threads draw meanwhile.

    Initialisers take their seeds from Python's global generator, which the threads of Prefect's client use too; so for
    the block Keras has a generator of its own. It starts as the global one would.
    """
    from keras.src.random import seed_generator  # the public interface has no place for it

    keras.utils.set_random_seed(seed)
    shared, seed_generator.python_random = seed_generator.python_random, random.Random(seed)
    try:
        yield
    finally:
        seed_generator.python_random = shared


def _make_reproducible(tensorflow: Any) -> None:
    tensorflow.config.experimental.enable_op_determinism()
    try:
        tensorflow.config.threading.set_intra_op_parallelism_threads(_THREADS)
    except RuntimeError:
        logger.warning("TensorFlow was started before with other threads: weights may differ in the last digits.")
    tensorflow.config.list_physical_devices("GPU")  # looks for a driver, and says on stderr that there is none


def gpu_names(keras: Any) -> list[str]:
    """Names of the GPUs that the backend computes on; empty for a processor, or where the backend does not say."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        config = require("tensorflow").config
        gpus = config.list_physical_devices("GPU")
        return [str(config.experimental.get_device_details(gpu).get("device_name", "gpu")) for gpu in gpus]
    if backend == "torch":
        cuda = require("torch").cuda
        return [str(cuda.get_device_name(index)) for index in range(cuda.device_count())]
    if backend == "jax":
        return [str(device.device_kind) for device in require("jax").devices() if device.platform != "cpu"]
    return []


def device_name(keras: Any) -> str:
    """What the backend computes on: the name of the first GPU, or `cpu`."""
    return next(iter(gpu_names(keras)), "cpu")


def bfloat16_gpu(keras: Any) -> bool | None:
    """Whether the GPU multiplies bfloat16 in hardware (compute capability 8); none where there is no GPU."""
    if not gpu_names(keras):
        return None
    backend = keras.backend.backend()
    if backend == "tensorflow":
        config = require("tensorflow").config
        details = config.experimental.get_device_details(config.list_physical_devices("GPU")[0])
        return bool(details.get("compute_capability", (0, 0))[0] >= _BFLOAT16_CAPABILITY)
    if backend == "torch":
        return bool(require("torch").cuda.get_device_capability()[0] >= _BFLOAT16_CAPABILITY)
    return True


def precision_of(keras: Any, wanted: str) -> str:
    """`float32` or `bfloat16`. `auto` is bfloat16 where its products are in the hardware: GPUs, AMX, AVX-512 BF16."""
    if wanted != "auto":
        return wanted
    able = bfloat16_gpu(keras)
    if able is None:
        able = any(name in processor() for name in ("avx512_bf16", "amx_bf16"))
    return "bfloat16" if able else "float32"
