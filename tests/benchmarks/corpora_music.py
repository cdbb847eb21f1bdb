"""Lakh trees of any size to Parquet, and MIDI files a second beside pretty_midi."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.midi_reader import midi_to_score, midi_to_tables
from tests.benchmarks.corpora_bench import Bench
from tests.benchmarks.corpora_lyrics import growth, sized
from tests.benchmarks.standins_lakh import CLEANSED_SONGS, MSD_TRACKS
from tests.benchmarks.table import Row

MOST_S, LEAST_TIMES = 25 * 60.0, 10.0
#: Music without words is kept, in any language: what the backing is trained on.
CHANGES = ("corpus.instrumentals=true", "corpus.language=any")


def lakh(bench: Bench) -> list[Row]:
    """LPD-5 with MIDI, metadata, genres and lyrics joined: N, 2 N and 4 N songs, or the published number."""
    tracks = bench.size(5_000, 100_000, MSD_TRACKS)
    least = bench.size(20, 250, CLEANSED_SONGS // 4)
    counts = (least, 2 * least, CLEANSED_SONGS if bench.full else 4 * least)
    runs = sized("lakh", bench, {count: bench.lakh(count, tracks) for count in counts}, *CHANGES)
    rows = growth("lakh", runs, whole=CLEANSED_SONGS, most_s=MOST_S)
    rejects = runs[-1][2]["summary"]["rejects"]
    told = ", ".join(f"{code} {count}" for code, count in rejects.items())
    rows.append(Row(f"lakh: songs of {counts[-1]:,} left out ({told})", sum(rejects.values())))
    return rows


def _rate(work: Callable[[Path], object], files: list[Path]) -> float:
    """Files a second, broken ones included."""
    started = time.perf_counter()
    for file in files:
        with suppress(Exception):  # whatever either parser says of a broken file
            work(file)
    return len(files) / (time.perf_counter() - started)


def _job(path: Path) -> object:
    try:
        return parse_job(Job("primer", str(path), path.name))
    except UnreadableFileError:
        return None


def midi(bench: Bench) -> list[Row]:
    """MIDI files a second on one thread: parsed, and made rows of the tracks table, beside pretty_midi alone."""
    import pretty_midi

    count = bench.size(20, 100, 300)
    files = sorted((bench.lakh(bench.size(20, 250, 1000), 5_000) / "lmd_matched").rglob("*.mid"))[:count]
    files += sorted((bench.datasets / "good_midi").glob("*.mid"))
    works: dict[str, Callable[[Path], object]] = {
        "parsed": lambda path: midi_to_tables(path.read_bytes(), path.name),  # what a preparation runs
        "parsed and written as a track": _job,
        "parsed to a score of notes": lambda path: midi_to_score(path.read_bytes(), path.name),
    }
    turns = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(1 if bench.quick else 3):
            own = [_rate(work, files) for work in works.values()]
            turns.append((*own, _rate(lambda path: pretty_midi.PrettyMIDI(str(path)), files)))
    rows = []
    for place, what in enumerate(works):
        ours, peer = (statistics.median(turn[which] for turn in turns) for which in (place, -1))
        times = statistics.median(turn[place] / turn[-1] for turn in turns)
        target, met = (f">= {LEAST_TIMES:g} times", times >= LEAST_TIMES) if place == 0 else ("", None)
        rows.append(
            Row(
                f"MIDI, files/s {what} (peer: pretty_midi)",
                round(ours, 1),
                round(peer, 1),
                round(times, 2),
                target,
                met,
            )
        )
    return rows
