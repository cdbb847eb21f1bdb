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
from pathlib import Path

from tests.benchmarks.command import found_in, measure, name_left_out
from tests.benchmarks.retrieval_bench import ROOT, Bench

#: The module of each group, where a function has the group's name.
GROUPS = {
    "finding": "retrieval_finding",
    "matching": "retrieval_matching",
    "tuning": "retrieval_tuning",
    "serving": "retrieval_serving",
    "index": "retrieval_index",
    "song": "retrieval_song",
}
DATASETS = Path(os.environ.get("RHAPSODY_DATASETS", ROOT.parent / "shared" / "datasets"))

#: The function that measures a group.
group = found_in(GROUPS)


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

    def make_bench(folder: Path) -> Bench:
        return Bench(folder, options.datasets, quick=options.quick, encoder=options.encoder)

    bench = measure("Retrieval", options, make_bench, group, keep=options.keep)
    for note in bench.notes:
        print(note, file=sys.stderr)
    name_left_out(bench.left_out)


if __name__ == "__main__":
    main()
