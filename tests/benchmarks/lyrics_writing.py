"""Speed of writing lyrics: beside the notebooks' loop, and from the start of a process to its text."""

from __future__ import annotations

import statistics

from tests.benchmarks.lyrics_bench import Bench, factor
from tests.benchmarks.lyrics_models import lyrics_model, metrics_of
from tests.benchmarks.table import Row, at_most

PROMPT = "the sky is blue"
#: Words of a song: about what `lyrics.txt` holds, where nothing but the prompt is asked for.
WORDS = 180
#: Words of a line, so that the song has about so many.
WORDS_PER_LINE = 8
LOOP_WORDS = 30
ROUNDS = 3


def writing(bench: Bench) -> list[Row]:
    """One song and sixteen candidates, by the model of the songbook."""
    ref = lyrics_model(bench, "songbook")
    vocabulary = int(metrics_of(bench, ref)["vocabulary"])
    arguments = {"store": bench.store, "lyrics": [ref.kind, ref.key, ref.uri, ref.sha256], "prompt": PROMPT}
    one, sixteen = ({"candidates": count, "words_per_line": WORDS_PER_LINE} for count in (1, 16))
    loop = bench.child("notebooks_write", vocabulary=vocabulary, words=5 if bench.quick else LOOP_WORDS)
    timed = bench.child("write", **arguments, request=one, times=2 if bench.quick else 10)
    sung, new = (
        statistics.median(words / seconds for words, seconds in zip(timed[count], timed["seconds"], strict=True))
        for count in ("sung_each", "new_each")
    )
    rows = [
        factor(
            f"writing one song, words/s of lyrics.txt, vocabulary {vocabulary}, beside the notebooks' loop",
            sung,
            loop["words_per_s"],
            at_least=140,
        ),
        Row(f"of it: s for {WORDS} words", round(WORDS / sung, 3), round(WORDS / loop["words_per_s"], 1)),
        factor("the same, a chorus that returns not counted again", new, loop["words_per_s"]),
    ]
    for what, request, limit_s in (("one song", one, 0.8), ("16 candidates, ranked", sixteen, 1.5)):
        found = [bench.child("write", **arguments, request=request) for _ in range(ROUNDS)]
        seconds = statistics.median(one["process"].seconds for one in found)
        words = statistics.median(one["sung"] for one in found)
        rows.append(at_most(f"from process start to text, {what}, {words:.0f} words, s", seconds, limit_s))
    return rows
