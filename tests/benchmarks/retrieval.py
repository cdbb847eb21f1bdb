"""The figures of the retrieval stage, ours and the peer's in the same run.

    python -m tests.benchmarks.retrieval [--quick] [--json] [--datasets FOLDER] [--keep FOLDER] [--encoder FOLDER]
                                         [--only GROUP...]

`--quick` takes few songs, to see that all works. `--keep` keeps corpora, encoders and vectors in a folder, for the next
run. `--encoder` measures finding with an encoder that was tuned before, beside the packaged one. Songs are looked for
in RHAPSODY_DATASETS or beside the repository; what needs an absent corpus is left out and named.
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
from tests.benchmarks.retrieval_bench import ROOT, Bench
from tests.benchmarks.table import Row, show

#: The module of each group, where a function has the group's name. They are imported when they are asked for, for some
#: need libraries that others do not.
GROUPS = {
    "finding": "retrieval_finding",
    "matching": "retrieval_matching",
    "tuning": "retrieval_tuning",
    "serving": "retrieval_serving",
    "index": "retrieval_index",
    "song": "retrieval_song",
}
DATASETS = Path(os.environ.get("RHAPSODY_DATASETS", ROOT.parent / "shared" / "datasets"))


def group(name: str) -> Callable[[Bench], list[Row]]:
    """The function that measures a group."""
    found: Callable[[Bench], list[Row]] = getattr(import_module(f"tests.benchmarks.{GROUPS[name]}"), name)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    options = parser.parse_args()
    rows: list[Row] = []
    scratch = nullcontext(str(options.keep)) if options.keep else tempfile.TemporaryDirectory()
    with scratch as folder, progress():
        bench = Bench(Path(folder), options.datasets, quick=options.quick, encoder=options.encoder)
        told = reporter("Retrieval benchmark")
        for number, name in enumerate(options.only):
            told(number, len(options.only), name)
            rows += group(name)(bench)
        told(len(options.only), len(options.only), "done")
    show(rows, as_json=options.json)
    for note in bench.notes:
        print(note, file=sys.stderr)
    for reason in dict.fromkeys(bench.left_out):
        print(f"Left out: {reason}.", file=sys.stderr)


if __name__ == "__main__":
    main()
