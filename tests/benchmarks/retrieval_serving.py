"""The figures of the served encoder: texts per second, how exact, and how soon a query's vector is there.

The peer is sentence-transformers with its own defaults, one text at a time, which is how the ancestor embedded; on one
thread and on all processors, and the better of the two counts. A loop takes the same for a text whatever stands beside
it, so it embeds each tenth of the texts, by their lengths; ours embeds all, in turn with it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.processors import available_processors
from rhapsody_lib.retrieval.engines import LEAST_COSINE
from rhapsody_lib.retrieval.serving import CARD_FILE, TOKENIZER_FILE, Encoder, Vectors
from rhapsody_lib.retrieval.stanzas import song_stanzas
from rhapsody_lib.words.document import parse_lyrics
from tests.benchmarks.retrieval_bench import ROOT, Bench
from tests.benchmarks.table import Row, at_most, run

#: Songs, stanzas (of about a thousand songs), and turns that they are cut into. A catalogue of 5,000 songs has five
#: times as many stanzas, and more of equal length to each.
_SONGS, _STANZAS, _TURNS = 480, 6000, 3
#: Of so many texts a loop embeds one.
_LOOPED = 10
_STARTS, _CHECKED = 3, 240
#: Rows and columns of the weights in a layer of all-MiniLM-L6-v2, how many of each, and layers.
_PRODUCTS, _LAYERS = ((384, 384, 4), (384, 1536, 1), (1536, 384, 1)), 6
_PRODUCT_ROWS, _PRODUCT_TIMES = 512, 40
_OURS, _FLOAT32, _LOOP, _LOOP_ALL = "ours", "ours in float32", "loop on one thread", "loop on all processors"
_START = """
import json, sys, time
from pathlib import Path
from rhapsody_lib.retrieval.serving import Encoder
Encoder.load(Path(sys.argv[1])).encode(["The river runs down to the sea"])
print(json.dumps([time.process_time(), "torch" in sys.modules]))
"""
_PEER_START = """
import json, sys, time
from sentence_transformers import SentenceTransformer
SentenceTransformer(sys.argv[1], device="cpu").encode("The river runs down to the sea")
print(json.dumps([time.process_time(), "torch" in sys.modules]))
"""

Encode = Callable[[Sequence[str]], Vectors]


@dataclass
class _Way:
    """A way to embed, and what it did."""

    encode: Encode
    stride: int
    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)

    def turn(self, texts: Sequence[str]) -> None:
        """Embed each `stride`-th text; seconds are those of one text."""
        mine = texts[self.stride // 2 :: self.stride]
        started, worked = time.perf_counter(), time.process_time()
        self.vectors.append(self.encode(mine))
        self.seconds.append((time.perf_counter() - started) / len(mine))
        self.processor_seconds.append((time.process_time() - worked) / len(mine))


def _loop(threads: int) -> Encode:
    import torch
    from sentence_transformers import SentenceTransformer

    from rhapsody_lib.retrieval.model_files import offline_folder

    model = SentenceTransformer(str(offline_folder()), device="cpu")

    def encode(texts: Sequence[str]) -> Vectors:
        torch.set_num_threads(threads)
        return np.stack([model.encode(text, show_progress_bar=False) for text in texts])

    return encode


def _texts(corpus: Path, encoder: Encoder) -> tuple[list[str], list[str]]:
    """Whole songs, and different stanzas of others, drawn at even distances."""
    column = pq.read_table(corpus / SONGS_FILE, columns=["lyrics"]).column("lyrics")
    parsed = [parse_lyrics(column[row].as_py()) for row in range(0, len(column), max(1, len(column) // (4 * _SONGS)))]
    songs = ["\n".join("\n".join(section.lines) for section in lyrics.sections) for lyrics in parsed[::4]]
    others = [lyrics for number, lyrics in enumerate(parsed) if number % 4]
    stanzas = dict.fromkeys(text for lyrics in others for _, text in song_stanzas(lyrics, encoder))
    return [text for text in songs if text][:_SONGS], list(stanzas)[:_STANZAS]


def _speed(what: str, ways: dict[str, _Way], bfloat16: bool) -> list[Row]:
    rows = []
    for unit, of in (("second", "seconds"), ("processor second", "processor_seconds")):
        per = {name: 1 / statistics.median(getattr(way, of)) for name, way in ways.items()}
        peer = max(per[_LOOP], per[_LOOP_ALL])
        for name, least in ((_OURS, 4.0 if bfloat16 else 1.1), (_FLOAT32, 1.1)):
            ratio = per[name] / peer
            target = (f">= {least:g} x", ratio >= least) if unit == "second" else ("", None)
            label = f"{what} a {unit}, {name}, beside a loop of encode"
            rows.append(Row(label, round(per[name], 1), round(peer, 1), round(ratio, 2), *target))
    return rows


def _product_rates() -> dict[str, float]:
    """Floating-point operations a second of the model's products alone, one thread, by precision."""
    import torch

    torch.set_num_threads(1)
    rates = {}
    for name, precision in ((_OURS, torch.bfloat16), (_FLOAT32, torch.float32)):
        work = seconds = 0.0
        for rows, columns, count in _PRODUCTS:
            layer, given = torch.nn.Linear(rows, columns, dtype=precision), torch.randn(_PRODUCT_ROWS, rows)
            given = given.to(precision)
            with torch.inference_mode():
                layer(given)
                started = time.process_time()
                for _ in range(_PRODUCT_TIMES):
                    layer(given)
            seconds += count * (time.process_time() - started)
            work += count * 2 * _PRODUCT_ROWS * rows * columns * _PRODUCT_TIMES
        rates[name] = work / seconds
    return rates


def _bound(what: str, rates: dict[str, float], ways: dict[str, _Way], tokens: float) -> Row:
    """What the processor's bfloat16 would give if all else cost nothing: no way of computing it is faster."""
    per_token = 2 * _LAYERS * sum(rows * columns * count for rows, columns, count in _PRODUCTS)
    peer = max(1 / statistics.median(ways[name].processor_seconds) for name in (_LOOP, _LOOP_ALL))
    most = rates[_OURS] / (per_token * tokens)
    label = f"{what} a processor second if its products in bfloat16 were all there is to compute, beside a loop"
    return Row(label, round(most, 1), round(peer, 1), round(most / peer, 2))


def _mean_tokens(folder: Path, texts: Sequence[str]) -> float:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.enable_truncation(json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))["max_tokens"])
    return statistics.mean(len(encoding.ids) for encoding in tokenizer.encode_batch(list(texts)))


def _cosine(what: str, way: _Way, reference: _Way) -> Row:
    step = reference.stride // way.stride
    pairs = zip((vectors[step // 2 :: step] for vectors in way.vectors), reference.vectors, strict=True)
    least = min(float(np.sum(one * other, axis=1).min()) for one, other in pairs)
    return Row(
        f"{what}: least cosine to sentence-transformers in float32",
        round(least, 6),
        None,
        None,
        ">= 0.9999",
        least >= LEAST_COSINE,
    )


def _same_nearest(queries: Vectors, ours: Vectors, exact: Vectors) -> list[Row]:
    """What a catalogue in ours' precision changes for queries in float32."""
    ranked = [np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :10] for vectors in (ours, exact)]
    shared = [len(set(one) & set(other)) / 10 for one, other in zip(*ranked, strict=True)]
    first = float(np.mean(ranked[0][:, 0] == ranked[1][:, 0]))
    return [
        Row("the nearest stanza of a float32 query is the same in both catalogues, share", round(first, 4)),
        Row("of the ten nearest the same, share", round(float(np.mean(shared)), 4)),
    ]


def _changed_bits(encoder: Encoder, folder: Path, texts: Sequence[str]) -> Row:
    """Texts whose vector has other bits where they stand alone, on one thread."""
    together, one = encoder.encode(texts), Encoder.load_bulk(folder, texts_at_once=1)
    alone = np.concatenate([one.encode([text]) for text in texts])
    changed = int(np.sum(np.any(together != alone, axis=1)))
    return at_most(f"texts of {len(texts)} whose vector depends on batch or threads", changed, 0)


def _starts(bench: Bench) -> list[Row]:
    from rhapsody_lib.retrieval.model_files import offline_folder

    peer = run([sys.executable, "-c", _PEER_START, str(offline_folder())], cwd=ROOT)
    ours = [run([sys.executable, "-c", _START, str(bench.base_encoder)], cwd=ROOT) for _ in range(_STARTS)]
    told = [json.loads(one.stdout) for one in ours]
    figures = (
        ("process start to first vector, s", [one.seconds for one in ours], peer.seconds, 0.7),
        ("the same in processor seconds", [worked for worked, _ in told], json.loads(peer.stdout)[0], None),
        ("peak memory, MB", [one.peak_mb for one in ours], peer.peak_mb, 300),
    )
    rows = []
    for what, measured, beside, limit in figures:
        value = statistics.median(measured)
        goal = (f"<= {limit:g}", value <= limit) if limit else ("", None)
        rows.append(Row(f"query: {what}", round(value, 3), round(beside, 3), round(value / beside, 3), *goal))
    return [*rows, at_most("query: torch is loaded", sum(torch for _, torch in told), 0)]


def serving(bench: Bench) -> list[Row]:
    """Texts per second, cosines, and the start of a query's encoder."""
    rows = _starts(bench)
    corpus = bench.corpus()
    if corpus is None:
        return rows
    folder = bench.base_encoder
    bulk, plain = Encoder.load_bulk(folder), Encoder.load(folder, threads=1)
    bench.notes.append(f"A catalogue is embedded with {bulk.runtime}, a query with {plain.runtime}.")
    kinds = dict(zip(("songs", "stanzas"), _texts(corpus, plain), strict=True))
    encoders = {_OURS: bulk.encode, _FLOAT32: Encoder.load_bulk(folder, only_float32=True).encode, _LOOP: _loop(1)}
    encoders[_LOOP_ALL] = _loop(available_processors())
    rates = _product_rates()
    gigaflops = {name: round(rate / 1e9) for name, rate in rates.items()}
    label = f"GFLOP/s of its products alone, {_PRODUCT_ROWS} tokens on one thread: bfloat16 beside float32"
    bound = [Row(label, gigaflops[_OURS], gigaflops[_FLOAT32], round(rates[_OURS] / rates[_FLOAT32], 2))]
    for what, texts in kinds.items():
        ways = {name: _Way(encode, 1 if name in (_OURS, _FLOAT32) else _LOOPED) for name, encode in encoders.items()}
        for name in ways:
            encoders[name](texts[:2])
        for turn in range(_TURNS):
            part = sorted(texts[turn::_TURNS][:20] if bench.quick else texts[turn::_TURNS], key=len)
            for way in ways.values():
                way.turn(part)
        rows += _speed(what, ways, "bfloat16" in bulk.runtime)
        bound.append(_bound(what, rates, ways, _mean_tokens(folder, texts)))
        rows += [_cosine(f"{what}, {name}", ways[name], ways[_LOOP]) for name in (_OURS, _FLOAT32)]
    queries = plain.encode(kinds["songs"][:_CHECKED])
    ours, exact = (np.concatenate(ways[name].vectors) for name in (_OURS, _FLOAT32))
    rows += _same_nearest(queries, ours, exact)
    if "bfloat16" in bulk.runtime:
        rows += bound
    return [*rows, _changed_bits(bulk, folder, kinds["stanzas"][: 40 if bench.quick else _CHECKED])]
