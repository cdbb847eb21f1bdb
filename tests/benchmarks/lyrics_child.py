"""Pieces of work of the lyrics benchmark, each in a process of its own: `python -m ... WHAT JSON` prints JSON.

Nothing is imported before it is needed: from the start of a process to its text is one of the figures.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Size of the products whose speed is the machine's peak, on a GPU and else, and how often it is measured.
_GPU_PEAK_SIZE, _PEAK_SIZE, _PEAK_ROUNDS = 8192, 2048, 12
#: The notebooks' own batch (Keras's default), and the length that they pad every prefix to.
NOTEBOOK_BATCH, NOTEBOOK_LENGTH = 32, 856


def train(corpus: str, out: str, settings: dict[str, Any], seed: int = 0, store: str = "") -> dict[str, Any]:
    """Train on a prepared corpus; from where a killed run of `tests.killed` stopped where its store is given."""
    from rhapsody_lib.checkpoints import Checkpoint
    from rhapsody_lib.lyrics.training import train_lyrics
    from rhapsody_lib.settings import LyricsSettings
    from tests.killed import checkpoint_of

    scratch = Path(out).with_name(Path(out).name + "-scratch")
    checkpoint = checkpoint_of("lyrics", store, scratch) if store else Checkpoint.local(scratch)
    ends: list[float] = []
    metrics = train_lyrics(
        Path(corpus),
        Path(out),
        checkpoint,
        LyricsSettings.model_validate(settings),
        seed=seed,
        record=lambda *_: ends.append(time.monotonic()),
    )
    return {"metrics": metrics, "epoch_ends_s": ends, "peak_mb": _peak_mb(), "device": _device()}


def _device() -> str:
    from rhapsody_lib.lyrics.framework import device_name, load_keras

    return device_name(load_keras())


def _peak_mb() -> float:
    import resource

    # Kilobytes on Linux, bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def peak() -> dict[str, Any]:
    """FLOP a second of large float32 products, the best of NumPy and of the framework that trains, with its threads."""
    import numpy as np

    from rhapsody_lib.lyrics.framework import load_keras

    keras = load_keras()
    rng = np.random.default_rng(0)
    on_cpu = _device() == "cpu"
    size = _PEAK_SIZE if on_cpu else _GPU_PEAK_SIZE
    left, right = (rng.normal(size=(size, size)).astype(np.float32) for _ in range(2))
    tensors = [keras.ops.convert_to_tensor(array) for array in (left, right)]
    ways: list[Callable[[], Any]] = [lambda: left @ right] if on_cpu else []
    # Brought back to the host, or a GPU would be timed before it is done; one number of it, to measure no transfer.
    ways.append(lambda: float(keras.ops.matmul(*tensors)[0, 0]))
    best = float("inf")
    for way in ways:
        for _ in range(_PEAK_ROUNDS):
            started = time.perf_counter()
            way()
            best = min(best, time.perf_counter() - started)
    return {"flop_per_s": 2 * size**3 / best, "device": _device()}


def notebooks_train(tokens: str, vocabulary: int, seconds: float) -> dict[str, Any]:
    """The notebooks' network, fed as they feed it: every prefix padded in front to the longest song, one-hot targets.

    Args:
        tokens: an `.npy` of one song after another, each of the id 1 on.
        vocabulary: number of ids.
        seconds: for how long, after the first batch.
    """
    import numpy as np

    from rhapsody_lib.lyrics.framework import load_keras

    keras = load_keras()
    network = _notebook_network(keras, vocabulary)
    stream = np.load(tokens)
    begins = np.maximum.accumulate(np.where(stream == 1, np.arange(len(stream)), 0))

    def batch(first: int) -> tuple[Any, Any]:
        places = first + 1 + np.arange(NOTEBOOK_BATCH)
        before = places[:, None] - np.arange(NOTEBOOK_LENGTH, 0, -1)
        prefixes = np.where(before >= begins[places][:, None], stream[np.maximum(before, 0)], 0)
        return prefixes, keras.utils.to_categorical(stream[places], num_classes=vocabulary)

    network.train_on_batch(*batch(0))
    started, batches = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        network.train_on_batch(*batch((batches * NOTEBOOK_BATCH) % (len(stream) - NOTEBOOK_BATCH - 1)))
        batches += 1
    return {"words_per_s": batches * NOTEBOOK_BATCH / (time.perf_counter() - started), "batches": batches}


def _notebook_network(keras: Any, vocabulary: int) -> Any:
    from rhapsody_lib.lyrics.seed_network import DROPOUT, EMBEDDING_SIZE, HIDDEN_SIZE

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((NOTEBOOK_LENGTH,), dtype="int32"),
            layers.Embedding(vocabulary, EMBEDDING_SIZE),
            layers.Bidirectional(layers.LSTM(HIDDEN_SIZE)),
            layers.Dropout(DROPOUT),
            layers.Dense(vocabulary, activation="softmax"),
        ]
    )
    network.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return network


def notebooks_write(vocabulary: int, words: int) -> dict[str, Any]:
    """The notebooks' loop: the whole text so far is padded and predicted for each word. What it writes is not read."""
    import numpy as np

    from rhapsody_lib.lyrics.framework import load_keras

    network = _notebook_network(load_keras(), vocabulary)
    index = {f"word{number}": number for number in range(vocabulary)}
    text = ["word5"]

    def add_word() -> None:
        ids = [index[word] for word in text][-NOTEBOOK_LENGTH:]
        padded = np.zeros((1, NOTEBOOK_LENGTH), dtype=np.int32)
        padded[0, NOTEBOOK_LENGTH - len(ids) :] = ids
        chosen = int(np.argmax(network.predict(padded, verbose=0), axis=1)[0])
        text.append(next(word for word, number in index.items() if number == chosen))

    add_word()  # the first one builds the function
    started = time.perf_counter()
    for _ in range(words):
        add_word()
    return {"words_per_s": words / (time.perf_counter() - started)}


def write(store: str, lyrics: list[str], prompt: str, request: dict[str, Any], times: int = 0) -> dict[str, Any]:
    """Write a song with the ordinary step; `times` more, timed, with the model in memory."""
    from rhapsody_lib.artifacts import ArtifactRef
    from rhapsody_lib.operations.generation import write_lyrics
    from rhapsody_lib.release import Release
    from rhapsody_lib.settings import SongSettings

    kind, key, uri, sha256 = lyrics
    release = Release(1, {"lyrics": ArtifactRef(kind=kind, key=key, uri=uri, sha256=sha256)}, {}, None, "", "")
    best = write_lyrics(store, release, SongSettings(prompt=prompt, **request)).best
    print(best.lyrics.text())
    seconds, songs = _timed(store, release, prompt, request, times) if times else ([], [])
    return {
        "sung": _sung(best.lyrics),
        "seconds": seconds,
        "sung_each": [_sung(song) for song in songs],
        "new_each": [_new(song) for song in songs],
    }


def _timed(store: str, release: Any, prompt: str, request: dict[str, Any], times: int) -> tuple[list[float], list[Any]]:
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.lyrics import decoder
    from rhapsody_lib.lyrics.model import LyricsModel

    model = LyricsModel.load(Store(store).fetch(release.refs["lyrics"]))
    seconds, songs = [], []
    for seed in range(times + 1):
        started = time.perf_counter()
        result = decoder.write_lyrics(model, prompt, **{**request, "seed": seed})
        seconds.append(time.perf_counter() - started)
        songs.append(result.best.lyrics)
    return seconds[1:], songs[1:]  # the first one also computes what is kept


def _sung(lyrics: Any) -> int:
    """Words of a song but the prompt's, which are the user's."""
    return sum(len(line.split()) for line in lyrics.lines) - len(lyrics.lines[0].split())


def _new(lyrics: Any) -> int:
    """Of them those that were written: a section that returns is not written again."""
    written = dict.fromkeys(section.lines for section in lyrics.sections)
    return sum(len(line.split()) for lines in written for line in lines) - len(lyrics.lines[0].split())


if __name__ == "__main__":
    works = {work.__name__: work for work in (train, peak, notebooks_train, notebooks_write, write)}
    result = works[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps(result))
