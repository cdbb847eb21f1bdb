"""Is a lyrics model better for starting from the base model? The same trainings with and without it, side by side.

    python -m tests.benchmarks.base_model [--base FOLDER] [--corpora songbook openewld] [--songs 50] [--read 0] [--json]

Without `--base` one is made as `rhapsody base lyrics songbook pd_poems.jsonl.gz` makes it: half an hour on
two cores.

Measured on songs that are held out and that the base model has not read either, the same ones for both. Perplexity is
per word, so that a larger vocabulary does not look worse. `--read 10` prints ten songs of each, unselected.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flows.console import progress
from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.base_files import NO_BASE
from rhapsody_lib.lyrics.base import MOST_KNOWN, BaseModel, open_base
from rhapsody_lib.lyrics.evaluate import evaluate_lyrics
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.streams import read_lyrics
from rhapsody_lib.operations.base_model import BASE_PROFILE, make_base
from rhapsody_lib.operations.lyrics_figures import GENERATED, LyricsFigures, measure_lyrics
from rhapsody_lib.progress import reporter
from rhapsody_lib.settings import load_settings
from rhapsody_lib.words.document import Lyrics
from tests.benchmarks.lyrics import DATASETS
from tests.benchmarks.lyrics_bench import Bench
from tests.benchmarks.table import Row, beside, show

#: Not `kaggle_shape`: its songs are the base model's own poems.
CORPORA = ("songbook", "openewld", "open_hymnal", "openscore_lieder_en")

#: What a base model is made from beside the songbook, among the datasets; and the command that does so.
POEMS = Path("lyrics") / "pd_poems" / "pd_poems.jsonl.gz"
COMMAND = f"rhapsody base lyrics songbook {POEMS.name} --out base"

#: Epochs from a base; from nothing it is those of the profile.
ADAPTING_EPOCHS = 4


@dataclass(frozen=True)
class Measured:
    """One training's model and its figures."""

    seconds: float
    told: dict[str, float]
    text: LyricsFigures

    def mean(self, name: str) -> float:
        """A figure of the songs that it wrote."""
        return self.text.text[GENERATED][name].mean


def trained(bench: Bench, corpus: ArtifactRef, heldout: list[Lyrics], base: str, songs: int) -> Measured:
    """Train on a corpus from a base, or from nothing, and measure."""
    store = Store(bench.store)
    fewer = [] if base == NO_BASE else [f"lyrics.max_epochs={ADAPTING_EPOCHS}"]
    ref = operations.train_lyrics(bench.store, bench.settings(f"lyrics.base={base}", *fewer), corpus)
    provenance = store.provenance(ref)
    told = evaluate_lyrics(LyricsModel.load(store.fetch(ref)), heldout)
    text = measure_lyrics(bench.store, {"corpus": corpus, "lyrics": ref}, songs)
    return Measured(provenance.seconds if provenance else 0.0, told, text)


def compared(name: str, from_base: Measured, fresh: Measured) -> list[Row]:
    """Rows of one corpus: with the base, and without it as the peer."""
    rows = [
        beside(f"{name}: {what}", from_base.told[key], fresh.told[key], better="lower")
        for key, what in (
            ("word_perplexity", "perplexity per word, LSTM alone"),
            ("word_perplexity_with_cache", "perplexity per word, with cache"),
            ("unknown_share", "share of unknown words"),
        )
    ]
    rows.append(
        beside(
            f"{name}: distance of written songs to held-out ones",
            from_base.text.overall[GENERATED],
            fresh.text.overall[GENERATED],
            better="lower",
        )
    )
    rows += [
        Row(f"{name}: {what} of written songs", round(from_base.mean(key), 4), round(fresh.mean(key), 4))
        for key, what in (
            ("archaic_words", "archaic words"),
            ("distinct_1", "distinct-1"),
            ("distinct_2", "distinct-2"),
            ("rhyme_density", "rhyme density"),
        )
    ]
    rows += [
        Row(f"{name}: {key} shared with training songs", round(from_base.text.copying[GENERATED][key], 3),
            round(fresh.text.copying[GENERATED][key], 3))
        for key in sorted(from_base.text.copying[GENERATED])
    ]  # fmt: skip
    return [*rows, Row(f"{name}: training, seconds", round(from_base.seconds, 1), round(fresh.seconds, 1))]


def measure(bench: Bench, name: str, base: BaseModel, address: str, options: argparse.Namespace) -> list[Row]:
    """One corpus."""
    corpus = bench.prepared(name)
    songs = list(read_lyrics(Store(bench.store).fetch(corpus), "heldout"))
    new = [song for song in songs if base.share_known(song) <= MOST_KNOWN]
    rows = [Row(f"{name}: held-out songs that the base has read, left out", len(songs) - len(new), len(songs))]
    if not new:
        return rows
    from_base, fresh = (trained(bench, corpus, new, start, options.songs) for start in (address, NO_BASE))
    for how, found in (("from the base", from_base), ("from nothing", fresh)):
        for song in found.text.songs[: options.read]:
            print(f"### {name}, {how}: '{song.prompt}', seed {song.seed}\n\n{song.text}")
    return rows + compared(name, from_base, fresh)


def made(bench: Bench, profile: str) -> str:
    """Folder of a base model, made from the songbook and public-domain verse; kept in the store."""
    poems = bench.datasets / POEMS
    if not poems.is_file():
        sys.exit(f"{poems}: is absent, so no base model can be made. Name the folder of one with --base.")
    out = bench.folder / "base"
    make_base(bench.store, load_settings(profile), ["songbook", str(poems)], out, COMMAND)
    return str(out)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--base",
        default="",
        help="Folder of a base model; without it one is made from the songbook and public-domain verse.",
    )
    parser.add_argument("--base-profile", default=str(BASE_PROFILE), help="Settings of the one that is made.")
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=CORPORA)
    parser.add_argument("--songs", type=int, default=50)
    parser.add_argument("--read", type=int, default=0)
    parser.add_argument("--profile", default="fast")
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--store", type=Path, help="Keeps the models, so that a second run need not train them again.")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.base == NO_BASE:
        sys.exit("--base none: there is nothing to compare.")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, progress():
        bench = Bench(options.store or Path(folder), options.datasets, quick=False, profile=options.profile)
        address = options.base or made(bench, options.base_profile)
        base = open_base(address)
        assert isinstance(base, BaseModel)  # a name other than `none`
        told = reporter("Base model")
        for number, name in enumerate(options.corpora):
            told(number, len(options.corpora), name)
            if name in bench.sources:
                rows += measure(bench, name, base, address, options)
    show(rows, as_json=options.json)
    for reason in dict.fromkeys(bench.left_out):
        print(f"Left out: {reason}.", file=sys.stderr)


if __name__ == "__main__":
    main()
