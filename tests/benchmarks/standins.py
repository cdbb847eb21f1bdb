"""Stand-ins for the real corpora at any size: the published formats with their defects, made of small real files.

    python -m tests.benchmarks.standins kaggle --rows 379931 --out FOLDER [--older] [--seed N] [--datasets FOLDER]
    python -m tests.benchmarks.standins lakh --songs 21425 --out FOLDER [--tracks 1000000] [--seed N]

`kaggle` writes lyrics-data.csv and artists-data.csv; `lakh` a tree of LPD-5 cleansed, Lakh MIDI, the Million Song
Dataset's table, genres and lyrics. The same seed gives the same bytes. The songs differ from one another as songs do,
so that duplicates are about as rare as in life.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from tests.benchmarks.standins_kaggle import NEWER_ROWS, write_kaggle
from tests.benchmarks.standins_lakh import CLEANSED_SONGS, MSD_TRACKS, write_lakh

ROOT = Path(__file__).resolve().parents[2]
DATASETS = Path(os.environ.get("RHAPSODY_DATASETS", ROOT.parent / "shared" / "datasets"))


def main() -> None:
    """Write one stand-in and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="corpus", required=True)
    kaggle, lakh = commands.add_parser("kaggle"), commands.add_parser("lakh")
    kaggle.add_argument("--rows", type=int, default=NEWER_ROWS)
    kaggle.add_argument("--older", action="store_true")
    lakh.add_argument("--songs", type=int, default=CLEANSED_SONGS)
    lakh.add_argument("--tracks", type=int, default=MSD_TRACKS)
    for command in (kaggle, lakh):
        command.add_argument("--out", type=Path, required=True)
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--datasets", type=Path, default=DATASETS)
    options = parser.parse_args()
    started = time.monotonic()
    if options.corpus == "kaggle":
        write_kaggle(options.out, options.datasets, options.rows, seed=options.seed, older=options.older)
    else:
        write_lakh(options.out, options.datasets, options.songs, tracks=options.tracks, seed=options.seed)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{options.out}: {size / 1e6:,.1f} MB in {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    main()
