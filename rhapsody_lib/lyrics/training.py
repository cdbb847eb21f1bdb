"""Training of the lyrics model on a corpus of any size: from the table of songs to the model's files and figures."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.base import MOST_KNOWN, BaseModel, open_base
from rhapsody_lib.lyrics.checkpoint import Arrays, Progressed
from rhapsody_lib.lyrics.copying import BASE_COPIES_FILE, CopyIndex
from rhapsody_lib.lyrics.evaluate import (
    YARDSTICK_ORDER,
    YARDSTICK_TOKENS,
    measure_heldout,
    measured_counts,
    measured_streams,
)
from rhapsody_lib.lyrics.fitting import Fitted, Task, fit
from rhapsody_lib.lyrics.model import (
    COPIES_FILE,
    PHRASES_FILE,
    SEED_WEIGHTS_FILE,
    STEERING_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    LyricsModel,
)
from rhapsody_lib.lyrics.network import WEIGHT_NAMES
from rhapsody_lib.lyrics.overlap import copying_reference
from rhapsody_lib.lyrics.phrases import MAX_TOKENS, Phrases
from rhapsody_lib.lyrics.seed_network import SEED_WEIGHT_NAMES, perplexity
from rhapsody_lib.lyrics.sizing import sized
from rhapsody_lib.lyrics.song_tokens import SongTokens
from rhapsody_lib.lyrics.steering import SteeringTables
from rhapsody_lib.lyrics.streams import joined, read_lyrics
from rhapsody_lib.lyrics.vocabulary import UNKNOWN_ID, Vocabulary
from rhapsody_lib.ngram import KneserNey
from rhapsody_lib.ngram import perplexity as ngram_perplexity
from rhapsody_lib.progress import Progress, Recorder, silent, unrecorded
from rhapsody_lib.settings import LyricsSettings
from rhapsody_lib.words.document import Lyrics

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.json"
#: Tokens of training songs that the steering tables are made from, and held-out tokens that are measured, at most:
#: memory and time are bounded by them.
_STEERING_TOKENS, _MEASURED_TOKENS = 3_000_000, 200_000
#: Held-out songs whose shared runs with the training songs are told.
_COMPARED_SONGS = 200
_WORK_FOLDER = "tokens"


def train_lyrics(
    corpus: Path,
    out: Path,
    checkpoint: Checkpoint,
    settings: LyricsSettings,
    *,
    seed: int,
    progress: Progress = silent,
    record: Recorder = unrecorded,
) -> dict[str, Any]:
    """Train on a prepared corpus and write the model's files and `metrics.json` into `out`.

    A run that was killed and is called again with the same arguments goes on after its last whole epoch, and ends with
    the same weights. The table is read in pieces, once for each thing that is made of it; memory does not grow with it.

    Args:
        corpus: folder with the `songs` table.
        out: folder to write to; made where missing.
        checkpoint: keeps the state of each epoch.
        settings: size, dropout, learning rate, when to stop.
        seed: seed of weights, order of songs and dropout.
        progress: told the epochs done and the held-out perplexity.
        record: told the figures of each epoch, those before a kill too.

    Returns:
        What `metrics.json` holds, and `words_per_s`, the speed of this process.

    Raises:
        SourceError: the corpus has no training song with lyrics.
        StoreError: the saved states cannot be read, for the store does not answer.
        InputError: there is no such base model.
        MissingExtraError: Keras or its backend is not installed.
    """
    base = open_base(settings.base) if settings.architecture == "lstm" else None
    vocabulary = Vocabulary.build(read_lyrics(corpus, "train"), settings.min_count, settings.max_vocabulary)
    initial: Arrays | None = None
    if base is not None:
        vocabulary, weights = base.extended(vocabulary, seed)
        initial = [weights[name] for name in WEIGHT_NAMES]
    unread = _Unread(corpus, base)
    with _work_folder(out) as folder:
        train, heldout = (
            SongTokens.write(map(vocabulary.encode_song, songs), folder / split)
            for split, songs in (("train", read_lyrics(corpus, "train")), ("heldout", unread))
        )
        if not len(train):
            raise SourceError(f"{corpus}: holds no training song with lyrics. Prepare a corpus with at least one.")
        if unread.known and not heldout:
            _warn_of_no_measure(unread.known, settings.base)
        task = Task(train, heldout, len(vocabulary), sized(settings, train.tokens, base), seed, initial)
        fitted = fit(task, checkpoint, _recipe(task, vocabulary, base), progress, record)
        _write(out, corpus, vocabulary, task, fitted, base)
        metrics = {**_measured(out, task, fitted), **_counted(task, fitted.progressed)}
        metrics["heldout_copying"] = copying_reference(
            list(islice(read_lyrics(corpus, "heldout"), _COMPARED_SONGS)), read_lyrics(corpus, "train")
        )
    if base is not None:
        metrics["heldout_known_to_base"] = unread.known
    (out / METRICS_FILE).write_text(json.dumps(metrics, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return {**metrics, "words_per_s": fitted.words_per_s}


def _warn_of_no_measure(known: int, base: str) -> None:
    logger.warning(
        "All %d held-out songs were read by the base model '%s': none is left to stop by and to measure on, so both "
        "are done on training songs, and the figures named heldout are flattered. Train with lyrics.base=none for "
        "figures of new songs.",
        known,
        base,
    )


@dataclass
class _Unread:
    """Held-out songs that the base model has not been trained on either; `known` counts the others as they pass."""

    corpus: Path
    base: BaseModel | None
    known: int = 0

    def __iter__(self) -> Iterator[Lyrics]:
        self.known = 0
        for song in read_lyrics(self.corpus, "heldout"):
            if self.base is not None and self.base.share_known(song) > MOST_KNOWN:
                self.known += 1
            else:
                yield song


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """A folder within `out` for the block; where that fails, `out` is left as it was."""
    made = not out.exists()
    folder = out / _WORK_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except BaseException:
        if made:
            shutil.rmtree(out, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _recipe(task: Task, vocabulary: Vocabulary, base: BaseModel | None) -> str:
    """Digest of everything that the training depends on."""
    parts = (task.settings.model_dump_json(), task.seed, vocabulary.words, base.digest if base else "")
    return hashlib.sha256(f"{parts}{task.train.digest}{task.heldout.digest}".encode()).hexdigest()


def _write(out: Path, corpus: Path, vocabulary: Vocabulary, task: Task, fitted: Fitted, base: BaseModel | None) -> None:
    """All files of the model but the figures."""
    seed_network = task.settings.architecture != "lstm"
    names, file = (SEED_WEIGHT_NAMES, SEED_WEIGHTS_FILE) if seed_network else (WEIGHT_NAMES, WEIGHTS_FILE)
    save_file(dict(zip(names, fitted.best, strict=True)), out / file)
    vocabulary.save(out / VOCABULARY_FILE)
    if seed_network:
        return
    steering = SteeringTables.build(vocabulary, task.train.within(_STEERING_TOKENS))
    if base is not None:
        steering = dataclasses.replace(steering, drawable=base.drawable(vocabulary, steering.uses))
        base.copies.save(out / BASE_COPIES_FILE)
    steering.save(out / STEERING_FILE)
    CopyIndex.build(read_lyrics(corpus, "train")).save(out / COPIES_FILE)
    sample = joined(list(task.train.within(MAX_TOKENS)))
    Phrases(sample, len(vocabulary)).save(out / PHRASES_FILE)


def _measured(out: Path, task: Task, fitted: Fitted) -> dict[str, Any]:
    """Perplexities on held-out songs; where none are left, on training songs: `measured_on` says which."""
    yardstick = KneserNey(YARDSTICK_ORDER)
    counted = list(task.train.within(YARDSTICK_TOKENS))
    yardstick.fit([song.tolist() for song in counted], task.vocabulary_size)
    songs = measured_streams((task.heldout or task.train).within(_MEASURED_TOKENS))
    known = {
        "5gram_tokens": sum(map(len, counted)),
        "heldout_unknown_share": float(np.mean(joined(songs) == UNKNOWN_ID)),
    }
    if task.settings.architecture == "lstm":
        return {**measure_heldout(LyricsModel.load(out), songs, yardstick), **known}
    found = [yardstick.log_probabilities(song.tolist())[1:] for song in songs]
    return {
        "heldout_perplexity": perplexity(fitted.network, joined(songs), task.settings),
        "heldout_perplexity_5gram": float(ngram_perplexity(np.concatenate(found))),
        **measured_counts(songs),
        **known,
    }


def _counted(task: Task, done: Progressed) -> dict[str, Any]:
    return {
        "architecture": task.settings.architecture,
        "base": task.settings.base,
        "embedding_size": task.settings.embedding_size,
        "hidden_size": task.settings.hidden_size,
        "precision": done.precision,
        "measured_on": "held-out songs" if task.heldout else "training songs",
        "heldout_songs": len(task.heldout),
        "heldout_tokens": task.heldout.tokens,
        "train_songs": len(task.train),
        "train_tokens": task.train.tokens,
        "vocabulary": task.vocabulary_size,
        "epochs": done.epoch,
        "history": done.history,
    }
