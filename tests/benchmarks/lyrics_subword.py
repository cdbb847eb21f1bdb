"""Words beside subwords: the same songs, network and training, once in words and once in pieces of words.

Byte-pair pieces (Sennrich et al. 2016) are learnt on the training songs by the `tokenizers` library and written as if
they were words, so that the ordinary training runs on them; a piece that goes on with a word ends in a mark. Both get
the same lines. Bits per word count everything that a song takes (pieces, line ends, sections) by its number of words; a
token that the model does not know is charged as one of `UNKNOWN_WORDS` equally likely ones, in both alike.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.lyrics.evaluate import UNKNOWN_WORDS
from rhapsody_lib.lyrics.lines import MAX_LINE_WORDS
from rhapsody_lib.lyrics.model import LyricsModel, softmax
from rhapsody_lib.lyrics.streams import read_lyrics
from rhapsody_lib.lyrics.training import train_lyrics
from rhapsody_lib.lyrics.vocabulary import END_ID, LINE_ID, MARKS, SONG_ID, UNKNOWN_ID
from rhapsody_lib.optional import require
from rhapsody_lib.seeding import generator
from rhapsody_lib.words.document import Lyrics, LyricSection
from rhapsody_lib.words.tokens import tokenize_line
from tests.benchmarks.lyrics_bench import Bench, factor
from tests.benchmarks.table import Row

CORPORA = ("songbook", "openewld")
PIECES = (1000, 2000)
#: Letters that no English word has: the apostrophe within pieces, and what a piece ends in that a word goes on with.
_APOSTROPHE, _GOES_ON = "ʃ", "ⱡ"
_PROMPTS = ("the sky is blue", "dancing in the kitchen", "my father's old guitar")
_SAMPLED_TOKENS, _TEMPERATURE = 60, 0.8

#: Writes a word as the tokens that a model reads.
Writing = Callable[[str], Sequence[str]]


def subword(bench: Bench) -> list[Row]:
    """Bits a word of both, and what each writes without any steering."""
    rows: list[Row] = []
    for name in CORPORA[:1] if bench.quick else CORPORA:
        if name not in bench.sources:
            continue
        songs = {split: list(read_lyrics(bench.corpus_folder(name), split)) for split in ("train", "heldout")}
        words, seconds = _measured(bench, f"{name}-words", songs, lambda word: [word])
        for size in PIECES[:1] if bench.quick else PIECES:
            pieces, longer = _measured(bench, f"{name}-{size}", songs, _pieces_of(songs["train"], size))
            rows.append(factor(f"{name}: bits a word, {size} pieces / words", pieces, words, shown=3))
            rows.append(factor(f"{name}: training, s, {size} pieces / words", longer, seconds))
    return rows


def _pieces_of(songs: Sequence[Lyrics], size: int) -> Writing:
    tokenizers: Any = require("tokenizers")
    words = [word.replace("'", _APOSTROPHE) for song in songs for line in song.lines for word in tokenize_line(line)]
    learnt = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, show_progress=False)
    learnt.train_from_iterator(words, trainer)

    def pieces(word: str) -> list[str]:
        encoded = learnt.encode(word.replace("'", _APOSTROPHE)).tokens
        if not word.replace("'", "").isalpha() or not encoded:
            return [word]
        return [f"{piece}{_GOES_ON}" for piece in encoded[:-1]] + encoded[-1:]

    return pieces


def _measured(bench: Bench, name: str, songs: dict[str, list[Lyrics]], write: Writing) -> tuple[float, float]:
    """Bits a word of the held-out songs, and the seconds that the training took."""
    corpus, out = bench.folder / f"corpus-{name}", bench.folder / f"model-{name}"
    written = {split: [_written(song, write) for song in part] for split, part in songs.items()}
    _save(written, corpus)
    # A piece that was seen once is known, as its letters are; a word that was seen once is not: each as it is used.
    changes = [] if name.endswith("-words") else ["lyrics.min_count=1"]
    started = time.monotonic()
    train_lyrics(corpus, out, Checkpoint.local(bench.folder / f"state-{name}"), bench.settings(*changes).lyrics, seed=0)
    seconds = time.monotonic() - started
    model = LyricsModel.load(out)
    words = sum(len(tokenize_line(line)) for song in songs["heldout"] for line in _sung_once(song))
    print(f"\n{name}, vocabulary {len(model.vocabulary)}:", file=sys.stderr)
    for seed, prompt in enumerate(_PROMPTS):
        print(f"  {prompt} -> {_sample(model, prompt, write, seed)}", file=sys.stderr)
    return _bits(model, written["heldout"]) / max(words, 1), seconds


def _written(song: Lyrics, write: Writing) -> Lyrics:
    """The song in tokens of a writing; lines so short that no writing breaks them in two."""
    sections = []
    for section in song.sections:
        lines = []
        for line in section.lines:
            tokens = tokenize_line(line)
            for first in range(0, len(tokens), MAX_LINE_WORDS // 2):
                pieces = [piece for word in tokens[first : first + MAX_LINE_WORDS // 2] for piece in write(word)]
                lines += [" ".join(pieces)]
        sections.append(LyricSection(section.name, tuple(lines)))
    return Lyrics(song.title, tuple(sections))


def _sung_once(song: Lyrics) -> list[str]:
    """Lines without those of sections that return: the stream has a mark for these."""
    return list(itertools.chain.from_iterable(dict.fromkeys(section.lines for section in song.sections)))


def _save(songs: dict[str, list[Lyrics]], folder: Path) -> None:
    folder.mkdir()
    rows = [
        {"song_id": f"{split}/{number}", "title": song.title, "lyrics": song.text(), "split": split}
        for split, part in songs.items()
        for number, song in enumerate(part)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / SONGS_FILE)


def _bits(model: LyricsModel, songs: Sequence[Lyrics]) -> float:
    nats = 0.0
    for song in songs:
        stream = model.vocabulary.encode_song(song)
        nats -= float(model.log_probabilities(stream).sum())
        nats += int(np.count_nonzero(stream == UNKNOWN_ID)) * math.log(UNKNOWN_WORDS)
    return nats / math.log(2)


def _sample(model: LyricsModel, prompt: str, write: Writing, seed: int) -> str:
    """What the network alone goes on with after a first line; lines in reading order, parted by strokes."""
    pieces = [piece for word in tokenize_line(prompt) for piece in write(word)]
    tokens = [SONG_ID, MARKS.index("<verse>"), *model.vocabulary.encode_line(pieces), LINE_ID]
    rng, state = generator(seed, "subword"), model.initial_state(1)
    for place in range(len(tokens) + _SAMPLED_TOKENS):
        state = model.step(np.array([tokens[place]], dtype=np.int32), state)
        if place >= len(tokens) - 1:
            chances = softmax(model.logits(state[0]) / np.float32(_TEMPERATURE))[0].astype(np.float64)
            chances[UNKNOWN_ID] = 0.0
            tokens.append(int(rng.choice(len(chances), p=chances / chances.sum())))
            if tokens[-1] == END_ID:
                break
    return _read(model, tokens)


def _read(model: LyricsModel, tokens: Sequence[int]) -> str:
    lines, line = [], list[str]()
    for token in tokens:
        if token >= len(MARKS):
            line.insert(0, model.vocabulary.tokens[token])
        elif line:
            lines.append(" ".join(line).replace(f"{_GOES_ON} ", "").replace(_APOSTROPHE, "'"))
            line = []
    return " / ".join(lines)
