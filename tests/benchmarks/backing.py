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
from pathlib import Path

from tests.benchmarks.backing_bench import ROOT, WRITTEN, Bench
from tests.benchmarks.command import found_in, measure, name_left_out

#: The module of each group, where a function has the group's name.
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

#: The function that measures a group.
group = found_in(GROUPS)


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

    def make_bench(folder: Path) -> Bench:
        return Bench(folder, options.datasets, quick=options.quick, profile=options.profile, written=options.songs)

    name_left_out(measure("Backing", options, make_bench, group, keep=options.keep).left_out)


if __name__ == "__main__":
    main()
