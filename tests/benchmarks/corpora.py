"""The figures of preparing the real corpora, measured on stand-ins of them, ours and the plain way in the same run.

    python -m tests.benchmarks.corpora [--quick | --full] [--json] [--datasets FOLDER] [--keep FOLDER] [--only GROUP...]

`--quick` takes few songs, to see that all works; `--full` the published sizes (379,931 rows, 21,425 songs). Without
either a part of them is measured, which shows how times grow. `--keep` keeps stand-ins in a folder, for the next run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.benchmarks.command import found_in, measure, name_left_out
from tests.benchmarks.corpora_bench import Bench
from tests.benchmarks.standins import DATASETS

#: The module of each group, where a function has the group's name.
GROUPS = {
    "lyrics": "corpora_lyrics",
    "growing": "corpora_lyrics",
    "language": "corpora_language",
    "lakh": "corpora_music",
    "midi": "corpora_music",
    "dask": "corpora_dask",
    "s3": "corpora_s3",
    "rejects": "corpora_rejects",
    "bad": "corpora_rejects",
}

#: The function that measures a group.
group = found_in(GROUPS)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true")
    size.add_argument("--full", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    options = parser.parse_args()
    if not options.datasets.is_dir():
        sys.exit(f"{options.datasets}: there are no datasets. Name their folder with --datasets or RHAPSODY_DATASETS.")

    def make_bench(folder: Path) -> Bench:
        folder.mkdir(parents=True, exist_ok=True)
        return Bench(folder.resolve(), options.datasets.resolve(), quick=options.quick, full=options.full)

    name_left_out(measure("Corpora", options, make_bench, group, keep=options.keep).left_out)


if __name__ == "__main__":
    main()
