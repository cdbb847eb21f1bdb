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
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.command import measure, name_left_out
from tests.benchmarks.lyrics_bench import ROOT, Bench
from tests.benchmarks.lyrics_models import perplexities
from tests.benchmarks.lyrics_subword import subword
from tests.benchmarks.lyrics_training import gpu, memory, resume, speed
from tests.benchmarks.lyrics_writing import writing
from tests.benchmarks.table import Row

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

    def make_bench(folder: Path) -> Bench:
        bench = Bench(
            folder,
            options.datasets,
            options.quick,
            options.profile,
            corpora=tuple(options.corpora),
            changes=tuple(options.set),
        )
        if unknown := set(bench.corpora) - set(bench.sources):
            parser.error(f"no such corpus: {', '.join(sorted(unknown))}; there are {', '.join(bench.sources)}")
        return bench

    name_left_out(measure("Lyrics", options, make_bench, GROUPS.__getitem__, keep=options.folder).left_out)


if __name__ == "__main__":
    main()
