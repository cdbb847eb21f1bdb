"""The figures of the backing stage, ours and the peer's in the same run.

    python -m tests.benchmarks.backing [--quick] [--json] [--datasets FOLDER] [--profile NAME] [--keep FOLDER]
                                       [--only GROUP...] [--songs N]

`--songs` is how many pieces `statistics` writes. `--quick` takes few songs and one epoch, to see that all works.
`--keep` keeps corpora and models in a folder, for the next run. Real music is looked for in RHAPSODY_DATASETS or beside
the repository; what needs an absent corpus is left out and named.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

from flows.console import progress
from rhapsody_lib.progress import reporter
from tests.benchmarks.backing_bench import ROOT, WRITTEN, Bench
from tests.benchmarks.table import Row, show

#: The module of each group, where a function has the group's name. They are imported when they are asked for, for some
#: need libraries that others do not.
GROUPS = {
    "reading": "backing_reading",
    "refusing": "backing_reading",
    "training": "backing_training",
    "likelihood": "backing_training",
    "writing": "backing_writing",
    "opens": "backing_opens",
    "statistics": "backing_judged",
    "priming": "backing_judged",
    "copying": "backing_judged",
    "words": "backing_words",
}
DATASETS = Path(os.environ.get("RHAPSODY_DATASETS", ROOT.parent / "shared" / "datasets"))


def group(name: str) -> Callable[[Bench], list[Row]]:
    """The function that measures a group."""
    found: Callable[[Bench], list[Row]] = getattr(import_module(f"tests.benchmarks.{GROUPS[name]}"), name)
    return found


def _count(text: str) -> int:
    """A number of songs, for argparse: at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--profile", default="full")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--songs", type=_count, default=WRITTEN)
    options = parser.parse_args()
    rows: list[Row] = []
    scratch = nullcontext(str(options.keep)) if options.keep else tempfile.TemporaryDirectory()
    with scratch as folder, progress():
        bench = Bench(
            Path(folder), options.datasets, quick=options.quick, profile=options.profile, written=options.songs
        )
        told = reporter("Backing benchmark")
        for number, name in enumerate(options.only):
            told(number, len(options.only), name)
            rows += group(name)(bench)
        told(len(options.only), len(options.only), "done")
    show(rows, as_json=options.json)
    for reason in dict.fromkeys(bench.left_out):
        print(f"Left out: {reason}.", file=sys.stderr)


if __name__ == "__main__":
    main()
