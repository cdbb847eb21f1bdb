"""Speed of the lyrics training beside the notebooks' way and the machine's peak; its memory; a run that was killed."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.lyrics.model import WEIGHTS_FILE
from rhapsody_lib.lyrics.streams import joined
from rhapsody_lib.lyrics.vocabulary import Vocabulary
from rhapsody_lib.settings import LyricsSettings
from rhapsody_lib.words.document import parse_lyrics
from tests.benchmarks.lyrics_bench import Bench, factor
from tests.benchmarks.table import Row, at_most
from tests.killed import train_until_killed

#: Few songs are held out of the corpus that speed is measured on: what is measured is training.
SPEED_HELDOUT = 4
#: The first epoch also builds the functions; the others are timed.
SPEED_EPOCHS = 4
COPIES = 20
MEMORY_LIMIT_MB = 2500
#: Words a second of the notebooks on their GPU, a Tesla T4.
NOTEBOOKS_GPU_WORDS_PER_S = 457
_TRAINING_PASSES = 3  # forward, and backward to the inputs and to the weights


def speed(bench: Bench) -> list[Row]:
    """Words a second of training, as is and in float32, beside the notebooks' way and the measured peak."""
    corpus = _speed_corpus(bench)
    settings = _speed_settings(bench)
    ours = _trained(bench, corpus, settings, "speed")
    fp32_settings = settings.model_copy(update={"precision": "float32", "softmax": "full"})
    fp32 = _trained(bench, corpus, fp32_settings, "speed-fp32")
    peak = bench.child("peak")
    seconds = 5.0 if bench.quick else 20.0
    tokens, vocabulary = _tokens(corpus, settings, bench.folder / "tokens.npy"), int(ours["metrics"]["vocabulary"])
    peer = bench.child("notebooks_train", tokens=tokens, vocabulary=vocabulary, seconds=seconds)
    device = ours["device"]
    reached = fp32["words_per_s"] * fp32["flop_per_word"]
    return [
        factor(
            f"training, words/s, {device}, vocabulary {vocabulary}, beside bilstm-seed fed by the notebooks",
            ours["words_per_s"],
            peer["words_per_s"],
            at_least=300,
        ),
        factor(
            f"training in fp32, GFLOP/s at {fp32['flop_per_word'] / 1e6:.1f} MFLOP a word, beside the matmul peak",
            reached / 1e9,
            peak["flop_per_s"] / 1e9,
            at_least=0.5,
        ),
        Row("training in fp32, words/s", round(fp32["words_per_s"])),
    ]


def gpu(bench: Bench) -> list[Row]:
    """The same on a GPU, where there is one: an epoch of the whole corpus."""
    peak = bench.child("peak")
    if peak["device"] == "cpu":
        bench.left_out.append("gpu: this machine has none that the framework sees")
        return []
    corpus = bench.corpus_folder(bench.largest())
    settings = bench.settings("lyrics.max_epochs=3", "lyrics.epoch_tokens=1000000000").lyrics
    ours = _trained(bench, corpus, settings, "gpu")
    # All words' scores in float32, as the peak is: a share of it is else a share of something that was not computed.
    exact = settings.model_copy(update={"precision": "float32", "softmax": "full"})
    fp32 = _trained(bench, corpus, exact, "gpu-fp32")
    share = fp32["words_per_s"] * fp32["flop_per_word"] / peak["flop_per_s"]
    return [
        factor(f"training, words/s, {peak['device']}", ours["words_per_s"], NOTEBOOKS_GPU_WORDS_PER_S),
        Row(f"in fp32: share of the matmul peak of {peak['flop_per_s'] / 1e12:.1f} TFLOP/s", round(share, 3)),
        Row("an epoch, s", round(ours["epoch_s"], 1)),
    ]


def memory(bench: Bench) -> list[Row]:
    """Peak of a process that trains on the largest corpus, and on twenty times as many words."""
    corpus = bench.corpus_folder(bench.largest())
    settings = bench.settings("lyrics.max_epochs=1", "lyrics.epoch_tokens=50000").lyrics
    many = bench.folder / "many"
    words, all_words = _repeat(corpus, many, COPIES)
    one = bench.child("train", corpus=corpus, out=bench.folder / "one", settings=settings.model_dump())
    twenty = bench.child("train", corpus=many, out=bench.folder / "twenty", settings=settings.model_dump())
    shutil.rmtree(many)
    return [
        at_most(f"peak memory of training on {words:,} words, MB", one["peak_mb"], MEMORY_LIMIT_MB),
        at_most(f"the same on {all_words:,} words, MB", twenty["peak_mb"], MEMORY_LIMIT_MB),
        factor("the one beside the other", twenty["peak_mb"], one["peak_mb"]),
    ]


def resume(bench: Bench) -> list[Row]:
    """A run that was killed after its first epoch and gone on with by another process, beside one left alone."""
    corpus = bench.corpus_folder("songbook")
    settings = bench.settings("lyrics.max_epochs=3", "lyrics.patience=3").lyrics
    store, arguments = str(bench.folder / "killed-store"), {"corpus": corpus, "settings": settings.model_dump()}
    bench.child("train", **arguments, out=bench.folder / "whole")
    train_until_killed("lyrics", corpus, store, bench.folder / "killed", settings, seed=0)
    resumed = bench.child("train", **arguments, out=bench.folder / "resumed", store=store)
    whole, gone_on = (load_file(bench.folder / name / WEIGHTS_FILE) for name in ("whole", "resumed"))
    difference = max(float(np.abs(whole[name] - gone_on[name]).max()) for name in whole)
    what = "largest difference of a weight, killed and resumed, beside uninterrupted"
    # The first epoch's figures are told again: one more end than epochs that were trained.
    trained = len(resumed["epoch_ends_s"]) - 1
    return [
        Row(what, difference, target="0", met=difference == 0),
        Row("epochs that the resumed process trained", trained, target="2", met=trained == 2),
    ]


def _speed_settings(bench: Bench) -> LyricsSettings:
    tokens = 20_000 if bench.quick else 150_000
    changes = (f"lyrics.max_epochs={SPEED_EPOCHS}", f"lyrics.patience={SPEED_EPOCHS}", f"lyrics.epoch_tokens={tokens}")
    return bench.settings(*changes).lyrics


def _speed_corpus(bench: Bench) -> Path:
    """The largest corpus with few of its held-out songs."""
    folder = bench.folder / "speed-corpus"
    if not folder.is_dir():
        songs = pq.read_table(bench.corpus_folder(bench.largest()) / SONGS_FILE)
        train = songs.filter(pc.equal(songs["split"], "train"))
        heldout = songs.filter(pc.equal(songs["split"], "heldout")).slice(0, SPEED_HELDOUT)
        folder.mkdir()
        pq.write_table(pa.concat_tables([train, heldout]), folder / SONGS_FILE)
    return folder


def _trained(bench: Bench, corpus: Path, settings: LyricsSettings, name: str) -> dict[str, Any]:
    """Words a second of the epochs after the first, with what they cost: ids read, and saving the state."""
    out = bench.folder / name
    found = bench.child("train", corpus=corpus, out=out, settings=settings.model_dump())
    ends = found["epoch_ends_s"]
    epoch_s = float(np.median(np.diff(ends)))
    tokens = int(found["metrics"]["train_tokens"])
    parts = -(-tokens // settings.epoch_tokens)
    return {
        **found,
        "epoch_s": epoch_s,
        "words_per_s": tokens / parts / epoch_s,
        "flop_per_word": flop_per_word(out / WEIGHTS_FILE),
    }


def flop_per_word(weights: Path) -> float:
    """Floating-point operations that training on one word takes: two for each weight of a product, in each pass.

    Products only: embedding to gates, state to gates, state to projection, projection to the scores of all words.
    """
    shapes = {name: array.shape for name, array in load_file(weights).items()}
    products = [shapes[name] for name in ("kernel", "recurrent", "projection", "embedding")]
    return float(_TRAINING_PASSES * 2 * sum(rows * columns for rows, columns in products))


def _tokens(corpus: Path, settings: LyricsSettings, path: Path) -> Path:
    """Some songs as one stream, for the notebooks' network."""
    songs = [parse_lyrics(row["lyrics"] or "") for row, _ in zip(read_songs(corpus, "train"), range(500), strict=False)]
    vocabulary = Vocabulary.build(songs, settings.min_count, settings.max_vocabulary)
    np.save(path, joined([vocabulary.encode_song(song) for song in songs]))
    return path


def _repeat(corpus: Path, out: Path, copies: int) -> tuple[int, int]:
    """The songs of a corpus `copies` times over, a quarter of the words renamed each time; words of one and of all.

    So the vocabulary grows about as that of real songs does (by Heaps' law six times, on twenty times the words).
    """
    out.mkdir()
    words = [0] * copies
    with pq.ParquetFile(corpus / SONGS_FILE) as table, pq.ParquetWriter(out / SONGS_FILE, table.schema_arrow) as writer:
        for copy in range(copies):
            for batch in table.iter_batches(batch_size=500):
                rows = list(_renamed(batch.to_pylist(), copy))
                # As many are held out as of the corpus itself.
                kept = [row for row in rows if copy == 0 or row["split"] == "train"]
                words[copy] += sum(len((row["lyrics"] or "").split()) for row in kept)
                if kept:
                    writer.write_table(pa.Table.from_pylist(kept, schema=table.schema_arrow))
    return words[0], sum(words)


def _renamed(rows: list[dict[str, Any]], copy: int) -> Iterator[dict[str, Any]]:
    ending = chr(ord("a") + copy)
    for row in rows:
        lines = [
            " ".join(f"{word}{ending}" if copy and _is_renamed(word, copy) else word for word in line.split(" "))
            for line in (row["lyrics"] or "").split("\n")
        ]
        yield {**row, "song_id": f"{row['song_id']}~{copy}", "lyrics": "\n".join(lines)}


def _is_renamed(word: str, copy: int) -> bool:
    return word.isalpha() and zlib.crc32(word.lower().encode()) % 4 == copy % 4
