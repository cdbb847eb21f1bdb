"""Speed of writing lyrics: beside the notebooks' loop, and from the start of a process to its text."""

from __future__ import annotations

import statistics

from tests.benchmarks.lyrics_bench import Bench, factor
from tests.benchmarks.lyrics_models import lyrics_model, metrics_of
from tests.benchmarks.table import Row, at_most

PROMPT = "the sky is blue"
WORDS = 180
#: As many as it takes for 180 words to be written, besides the prompt and sections that return.
MAX_LINES = 48
LOOP_WORDS = 30
ROUNDS = 3


def writing(bench: Bench) -> list[Row]:
    """One song and sixteen candidates, by the model of the songbook."""
    ref = lyrics_model(bench, "songbook")
    vocabulary = int(metrics_of(bench, ref)["vocabulary"])
    arguments = {"store": bench.store, "lyrics": [ref.kind, ref.key, ref.uri, ref.sha256], "prompt": PROMPT}
    one, sixteen = ({"candidates": count, "max_lines": MAX_LINES} for count in (1, 16))
    loop = bench.child("notebooks_write", vocabulary=vocabulary, words=5 if bench.quick else LOOP_WORDS)
    timed = bench.child("write", **arguments, request=one, times=2 if bench.quick else 5)
    words_per_s = statistics.median(
        words / seconds for words, seconds in zip(timed["words_each"], timed["seconds"], strict=True)
    )
    rows = [
        factor(
            f"writing one song, words/s, vocabulary {vocabulary}, beside the notebooks' loop",
            words_per_s,
            loop["words_per_s"],
            at_least=140,
        ),
        Row(f"of it: s for {WORDS} words", round(WORDS / words_per_s, 3), round(WORDS / loop["words_per_s"], 1)),
    ]
    for what, request, limit_s in (("one song", one, 0.8), ("16 candidates, ranked", sixteen, 1.5)):
        found = [bench.child("write", **arguments, request=request) for _ in range(ROUNDS)]
        seconds = statistics.median(one["process"].seconds for one in found)
        words = statistics.median(one["words"] for one in found)
        rows.append(at_most(f"from process start to text, {what}, {words:.0f} words written, s", seconds, limit_s))
    return rows
