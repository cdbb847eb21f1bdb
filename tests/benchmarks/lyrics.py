"""The figures of the lyrics stage, ours and the peer's in the same run.

    python -m tests.benchmarks.lyrics [--quick] [--json] [--datasets FOLDER] [--profile NAME] [--only GROUP...]

Groups: perplexity (trains on every corpus: hours), speed, writing, memory, resume, gpu, and subword, which runs only
where it is asked for. `--corpora` takes some of the corpora for the perplexity; `--folder` keeps what was trained, so
that a run goes on where one was stopped; `--set` changes a setting of the profile. `--quick` takes few songs and two
epochs, to see that all works. Real songs are looked for in RHAPSODY_DATASETS or beside the repository; what needs an
absent corpus is left out and named.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from flows.console import progress
from rhapsody_lib.progress import reporter
from tests.benchmarks.lyrics_bench import ROOT, Bench
from tests.benchmarks.lyrics_models import perplexities
from tests.benchmarks.lyrics_subword import subword
from tests.benchmarks.lyrics_training import gpu, memory, resume, speed
from tests.benchmarks.lyrics_writing import writing
from tests.benchmarks.table import Row, show

GROUPS: dict[str, Callable[[Bench], list[Row]]] = {
    "writing": writing,
    "speed": speed,
    "resume": resume,
    "memory": memory,
    "gpu": gpu,
    "perplexity": perplexities,
    "subword": subword,
}
DATASETS = Path(os.environ.get("RHAPSODY_DATASETS", ROOT.parent / "shared" / "datasets"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--profile", default="full")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=[name for name in GROUPS if name != "subword"])
    parser.add_argument("--corpora", nargs="+", default=[], help="perplexity of these alone, by the table's names")
    parser.add_argument("--folder", type=Path, help="work here and keep what was trained; a scratch folder by default")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE", help="e.g. lyrics.max_epochs=16")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch, progress():
        bench = Bench(
            options.folder or Path(scratch),
            options.datasets,
            options.quick,
            options.profile,
            corpora=tuple(options.corpora),
            changes=tuple(options.set),
        )
        if unknown := set(bench.corpora) - set(bench.sources):
            parser.error(f"no such corpus: {', '.join(sorted(unknown))}; there are {', '.join(bench.sources)}")
        told = reporter("Lyrics benchmark")
        for number, name in enumerate(options.only):
            told(number, len(options.only), name)
            rows += GROUPS[name](bench)
        told(len(options.only), len(options.only), "done")
    show(rows, as_json=options.json)
    for reason in dict.fromkeys(bench.left_out):
        print(f"Left out: {reason}.", file=sys.stderr)


if __name__ == "__main__":
    main()
