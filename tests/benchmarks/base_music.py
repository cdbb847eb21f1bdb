"""Is a backing model better for starting from a base model? The same trainings with and without it, side by side.

    python -m tests.benchmarks.base_music --base FOLDER [--corpora NAME...] [--songs 50] [--keep FOLDER] [--json]

The base is one that `rhapsody base backing songbook POP909-FOLDER --out FOLDER` wrote. Measured on songs that are held
out and that the base model has not read either, the same ones for both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from flows.console import progress
from rhapsody_lib.base_files import NO_BASE
from rhapsody_lib.operations.backing_figures import GENERATED, HALVES, BackingFigures, measure_model
from tests.benchmarks.backing import DATASETS
from tests.benchmarks.backing_bench import CORPORA, Bench
from tests.benchmarks.table import Row, beside, show

#: Figures of the written music that are shown one by one, as distances to held-out music.
SHOWN = ("likeness_to_any_bar_before", "pitch_class_entropy", "chord_tone_share", "groove_consistency")


def compared(name: str, from_base: BackingFigures, fresh: BackingFigures) -> list[Row]:
    """Rows of one corpus: with the base, and without it as the peer."""
    rows = [
        beside(
            f"{name}: nats per token as served, {from_base.corpus['heldout_songs']} held-out songs",
            from_base.heldout["nats_per_token_served"],
            fresh.heldout["nats_per_token_served"],
            better="lower",
        ),
        beside(
            f"{name}: distance of {len(from_base.songs)} pieces to held-out music",
            from_base.overall[GENERATED],
            fresh.overall[GENERATED],
            better="lower",
        ),
        Row(f"{name}: distance of half of held-out music to the other half", round(from_base.overall[HALVES], 3)),
    ]
    for figure in SHOWN:
        ours, peer = (found.music[GENERATED][figure].wasserstein for found in (from_base, fresh))
        rows.append(Row(f"{name}: distance by {figure.replace('_', ' ')}", round(ours, 3), round(peer, 3)))
    for key in ("longest_run_max", "beyond_limit"):
        ours, peer = (found.copying[GENERATED][key] for found in (from_base, fresh))
        rows.append(Row(f"{name}: {key} of written melodies", round(ours, 3), round(peer, 3)))
    return rows


def measure(bench: Bench, name: str, base: str, songs: int) -> list[Row]:
    """One corpus: trained from the base and from nothing, both written with."""
    corpus = bench.corpus_folder(name)
    from_base, fresh = (
        measure_model(bench.backing_model(name, f"backing.base={start}"), corpus, songs) for start in (base, NO_BASE)
    )
    return compared(name, from_base, fresh)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True, help="Folder of a base model of music.")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=["openewld", "songbook"])
    parser.add_argument("--songs", type=int, default=50)
    parser.add_argument("--profile", default="fast")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--keep", type=Path, help="Keeps corpora and models for the next run.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.base == NO_BASE:
        sys.exit("--base none: there is nothing to compare.")
    rows: list[Row] = []
    scratch = nullcontext(str(options.keep)) if options.keep else tempfile.TemporaryDirectory()
    with scratch as folder, progress():
        bench = Bench(Path(folder), options.datasets, quick=False, profile=options.profile)
        for name in options.corpora:
            if name in bench.corpora:
                rows += measure(bench, name, options.base, options.songs)
    show(rows, as_json=options.json)
    for reason in dict.fromkeys(bench.left_out):
        print(f"Left out: {reason}.", file=sys.stderr)


if __name__ == "__main__":
    main()
