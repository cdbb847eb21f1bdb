"""Tables of lyrics of any size: time, memory, how both grow, what songs added to a corpus cost."""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.corpora_bench import Bench
from tests.benchmarks.standins_kaggle import NEWER_ROWS, write_kaggle
from tests.benchmarks.table import Measured, Row, at_most, run

MOST_S, MOST_MB, MOST_GROWTH, ADDING_S = 360.0, 1500.0, 1.2, 30.0
LINEAR_WITHIN = 0.1
ADDED = 100
#: The plain way: the whole table in memory, and the songs by artist and title, before anything is done with them.
_PLAIN = """
import csv, sys
csv.field_size_limit(1 << 24)
with open(sys.argv[1], encoding="utf-8", errors="replace", newline="") as stream:
    rows = list(csv.DictReader(line.replace("\\0", "") for line in stream))
print(len(rows))
"""


def linear(what: str, runs: list[tuple[int, Measured, Any]]) -> list[Row]:
    """Rows on how time grows: that of a song at each size, and its ratio at the largest size over the smallest.

    Processor time is judged, which other work on the machine changes little; what a run costs at least is in it.
    """
    rows, costs = [], []
    for count, _, told in runs:
        costs.append(told["processor_s"] / count)
        for kind in ("seconds", "processor_s"):
            name = "wall" if kind == "seconds" else "processor"
            rows.append(Row(f"{what}: {name} time of a song at {count:,}, ms", round(1000 * told[kind] / count, 3)))
    ratio = costs[-1] / costs[0]
    text = f"{what}: processor time of a song at {runs[-1][0]:,} over {runs[0][0]:,}"
    return [*rows, Row(text, round(ratio, 3), target="1 +- 0.1", met=abs(ratio - 1) <= LINEAR_WITHIN)]


def sized(what: str, bench: Bench, sources: dict[int, Path], *changes: str) -> list[tuple[int, Measured, Any]]:
    """Each source prepared in a process and a store of its own, with the number of its songs."""
    done = []
    for count, source in sources.items():
        store = bench.store(what)
        measured, told = bench.prepare(store, [source], *changes)
        shutil.rmtree(store)
        # At full size the next one takes half an hour.
        line = f"{what}: {count:,} songs in {told['seconds']:.1f} s, {measured.peak_mb:.0f} MB"
        print(f"{line}, {told['processor_s']:.0f} s of processor time", file=sys.stderr, flush=True)
        done.append((count, measured, told))
    return done


def growth(what: str, runs: list[tuple[int, Measured, Any]], *, whole: int, most_s: float) -> list[Row]:
    """Rows on a preparation at several sizes: its time at the whole size, its memory, and how both grow."""
    (least, first, _), (most, last, _) = runs[0], runs[-1]
    count, measured, told = next((run for run in runs if run[0] == whole), runs[-1])
    seconds = told["seconds"] * whole / count
    part = "" if count == whole else f", from {count:,}"
    rows = [
        at_most(f"{what}: {whole:,} songs to Parquet, s{part} ({_kept(told)} of {count:,} kept)", seconds, most_s),
        at_most(f"{what}: peak memory of all processes at {count:,}, MB", measured.peak_mb, MOST_MB),
        at_most(f"{what}: peak memory at {most:,} over {least:,}", last.peak_mb / first.peak_mb, MOST_GROWTH),
    ]
    rows.append(
        Row(f"{what}: processor time for {whole:,} songs, s{part}", round(told["processor_s"] * whole / count, 1))
    )
    return [*rows, *linear(what, runs)]


def _kept(told: dict[str, Any]) -> str:
    return f"{told['summary']['songs']:,}"


def lyrics(bench: Bench) -> list[Row]:
    """Kaggle tables of N, 2 N and 4 N rows; in `--full` N is the published number."""
    least = bench.size(1_000, 10_000, NEWER_ROWS)
    tables = {count: bench.kaggle(count) for count in (least, 2 * least, 4 * least)}
    runs = sized("lyrics", bench, tables)
    rows = growth("lyrics", runs, whole=NEWER_ROWS, most_s=MOST_S)
    plain = run([sys.executable, "-c", _PLAIN, str(tables[4 * least])])
    megabytes, ours = plain.peak_mb, runs[-1][1].peak_mb
    text = f"lyrics: peak memory at {4 * least:,} rows, MB (peer: csv module, the whole table held)"
    rows.append(Row(text, round(ours, 1), round(megabytes, 1), round(ours / megabytes, 3)))
    return rows


def growing(bench: Bench) -> list[Row]:
    """What 100 songs cost that are added to a prepared table, and to a prepared folder of text files."""
    rows = bench.size(1_000, 20_000, 100_000)
    more = bench.folder / f"more-{ADDED}"
    added = write_kaggle(more, bench.datasets, ADDED, seed=99)
    found = []
    for what, grown in (("table", _grown_table(bench, rows)), ("folder of texts", _grown_folder(bench, rows))):
        store = bench.store("growing")
        _, before = bench.prepare(store, [grown])
        _add(grown, added)
        measured, after = bench.prepare(store, [grown])
        shutil.rmtree(store)
        more_songs = after["summary"]["songs"] - before["summary"]["songs"]
        text = f"{ADDED} songs added to a {what} of {rows:,}, s ({more_songs} kept; all anew {before['seconds']:.1f} s)"
        found.append(at_most(text, after["seconds"], ADDING_S))
        found.append(at_most(f"the same, peak memory of all processes, MB ({what})", measured.peak_mb, MOST_MB))
    return found


def _grown_table(bench: Bench, rows: int) -> Path:
    folder = bench.folder / "growing-table"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bench.kaggle(rows).parent, folder)
    return folder / "lyrics-data.csv"


def _grown_folder(bench: Bench, rows: int) -> Path:
    folder = bench.folder / "growing-texts"
    shutil.rmtree(folder, ignore_errors=True)
    write_texts(bench.kaggle(rows), folder, rows)
    return folder


def write_texts(table: Path, folder: Path, count: int, prefix: str = "") -> None:
    """The first songs of a table, each a text file."""
    folder.mkdir(exist_ok=True)
    with table.open(encoding="utf-8", errors="replace", newline="") as stream:
        for number, row in zip(range(count), csv.DictReader(stream), strict=False):
            (folder / f"{prefix}{number:06d}.txt").write_text(row["Lyric"] or "", encoding="utf-8")


def _add(grown: Path, added: Path) -> None:
    if grown.is_dir():
        write_texts(added, grown, ADDED, prefix="050000-")
        return
    rows = added.read_bytes().partition(b"\n")[2]
    with grown.open("ab") as stream:
        stream.write(rows)
