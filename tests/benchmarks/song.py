"""The figures of a song on one machine: first song, further songs, memory, identical bytes, training on lead sheets.

    python -m tests.benchmarks.song [--quick] [--json] [--fresh-clone] [--lead-sheets FOLDER]

Without options: trains `fast` on the songbook into a temporary store and measures songs. `--fresh-clone` clones the
repository and runs `make song` there, all included. `--lead-sheets` also trains `full` on a folder of lead sheets.
`--quick` measures songs from the store there is (RHAPSODY_STORE or the user's), three runs instead of five.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.table import Row, at_most, beside, run, show

ROOT = Path(__file__).parent.parent.parent
COMMAND = str(Path(sys.executable).with_name("rhapsody"))
SAME_BYTES = ("lyrics.txt", "song.mid", "song.kar", "leadsheet.musicxml", "song.json")
PROMPT = "the sky is blue"


def fresh_clone(folder: Path) -> Row:
    """`make song` in a new clone with a new virtual environment and a new store."""
    run(["git", "clone", "--quiet", str(ROOT), str(folder / "clone")])
    environment = {"RHAPSODY_STORE": str(folder / "clone-store"), "VIRTUAL_ENV": ""}
    measured = run(["make", "song", f"PROMPT={PROMPT}"], cwd=folder / "clone", env=environment)
    return at_most("make song from a fresh clone, s", measured.seconds, 720)


def training(folder: Path) -> tuple[dict[str, str], Row]:
    """`rhapsody train` with the default profile on the songbook into a new store."""
    environment = {"RHAPSODY_STORE": str(folder / "store")}
    measured = run([COMMAND, "train"], env=environment)
    return environment, at_most("training, profile fast, s", measured.seconds, 300)


def songs(folder: Path, environment: dict[str, str], runs: int) -> list[Row]:
    """Further songs: time, memory, frameworks loaded, identical bytes."""

    def make(name: str, *options: str) -> tuple[float, float]:
        measured = run([COMMAND, "song", PROMPT, "--out", str(folder / name), *options], env=environment)
        return measured.seconds, measured.peak_mb

    with_audio = [make(f"audio-{i}") for i in range(runs)]
    silent = [make(f"silent-{i}", "--no-audio") for i in range(runs)]
    same = sum((folder / "audio-0" / n).read_bytes() == (folder / "audio-1" / n).read_bytes() for n in SAME_BYTES)
    return [
        at_most("a further song, s", statistics.median(s for s, _ in with_audio), 10),
        at_most("a further song without audio, s", statistics.median(s for s, _ in silent), 6),
        at_most("peak memory of a song, MB", max(mb for _, mb in with_audio), 1500),
        Row("identical files of two runs", same, target=f"{len(SAME_BYTES)}", met=same == len(SAME_BYTES)),
        tensorflow_loaded(folder, environment),
    ]


def tensorflow_loaded(folder: Path, environment: dict[str, str]) -> Row:
    """Whether making a song imports TensorFlow, told by the interpreter's own import log."""
    arguments = ["rhapsody", "song", PROMPT, "--no-audio", "--out", str(folder / "imports")]
    script = (
        f"import sys; sys.argv = {arguments!r}\n"
        "from flows.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print('LOADED', sum(name in sys.modules for name in ('tensorflow', 'keras', 'torch')))"
    )
    count = int(run([sys.executable, "-c", script], env=environment).stdout.rsplit("LOADED", 1)[1])
    return Row("TensorFlow, Keras, torch loaded by a song", count, target="0", met=count == 0)


def lead_sheets(folder: Path, source: str) -> list[Row]:
    """`rhapsody train --profile full` on a folder of lead sheets, and its held-out figures beside their yardsticks."""
    environment = {"RHAPSODY_STORE": str(folder / "lead-sheets")}
    measured = run([COMMAND, "train", source, "--profile", "full", "--json"], env=environment)
    figures = json.loads(measured.stdout)["figures"]
    return [
        at_most("training on lead sheets, profile full, min", measured.seconds / 60, 40),
        beside(
            "held-out perplexity beside Kneser-Ney 5-gram",
            figures["lyrics.heldout_perplexity"],
            figures["lyrics.heldout_perplexity_5gram"],
            better="lower",
        ),
        beside(
            "the same with continuous cache",
            figures["lyrics.heldout_perplexity_with_cache"],
            figures["lyrics.heldout_perplexity_5gram"],
            better="lower",
        ),
        beside(
            "Recall@1, second half to first half, beside TF-IDF",
            figures["catalogue.sum.recall_at_1"],
            figures["catalogue.tfidf.recall_at_1"],
            better="higher",
        ),
        beside(
            "held-out NLL per music event beside 5-gram",
            figures["backing.heldout_nll"],
            figures["backing.ngram_nll"],
            better="lower",
        ),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fresh-clone", action="store_true")
    parser.add_argument("--lead-sheets", metavar="FOLDER")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.fresh_clone:
            rows.append(fresh_clone(folder))
        if options.quick:
            environment = {name: os.environ[name] for name in ("RHAPSODY_STORE",) if name in os.environ}
        else:
            environment, row = training(folder)
            rows.append(row)
        rows += songs(folder, environment, 3 if options.quick else 5)
        if options.lead_sheets:
            rows += lead_sheets(folder, options.lead_sheets)
    show(rows, as_json=options.json)


if __name__ == "__main__":
    main()
