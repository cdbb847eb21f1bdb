"""What the backing model writes and knows, judged: beside held-out music, spoilt music, and other songs' beginnings."""

from __future__ import annotations

from rhapsody_lib.backing.controls import CONTROLS
from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyIndex
from rhapsody_lib.backing.evaluate import measure_priming
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.operations.backing_figures import (
    GENERATED,
    HALVES,
    BackingFigures,
    measure_model,
    nearest_control,
    read_scores,
)
from tests.benchmarks.backing_bench import CORPORA, MINI_LPD, Bench, factor
from tests.benchmarks.table import Row, at_most

#: Pieces written for `statistics` in `--quick`, at most.
QUICK_WRITTEN = 6
#: Corpora whose pieces are judged: the small one holds out too few songs to tell a distance by.
JUDGED = tuple(name for name in CORPORA if name != MINI_LPD)
MOST_PRIMED = 100
_MOST_OF_CONTROL = 0.5


def _figures(bench: Bench, name: str) -> BackingFigures:
    written = min(QUICK_WRITTEN, bench.written) if bench.quick else bench.written
    return measure_model(bench.backing_model(name), bench.corpus_folder(name), written)


def statistics(bench: Bench) -> list[Row]:
    """Distance of written pieces to held-out music, beside that of each control and of held-out music itself."""
    rows = []
    for name in JUDGED:
        if name not in bench.corpora:
            continue
        figures = _figures(bench, name)
        rows += distances(f"{name}: distance of {len(figures.songs)} pieces to held-out music, by", figures)
        shared = figures.copying[GENERATED]
        limit = f"a shared run of more than {shared['limit']:.0f} notes"
        rows.append(at_most(f"{name}: written melodies with {limit}", shared["beyond_limit"], 0))
        rows.append(Row(f"{name}: notes of the longest run that a written melody shares", shared["longest_run_max"]))
    return rows


def distances(what: str, figures: BackingFigures) -> list[Row]:
    """Our distance beside that of held-out music itself and of each control; the target is on the best control.

    The best control is the nearest of those that are farther than held-out music is from itself. Without one there is
    nothing to measure the target by, and it is not met. Beside the nearest of all the quotient is shown in any case.
    """
    ours, best = figures.overall[GENERATED], nearest_control(figures)
    nearest = min(CONTROLS, key=lambda control: figures.overall[control])
    rows = []
    for control in (HALVES, *CONTROLS):
        target = {"at_most": _MOST_OF_CONTROL} if control == best else {}
        note = ", the nearest of all controls" if control == nearest else ""
        rows.append(factor(f"{what} that of {control}{note}", ours, figures.overall[control], shown=3, **target))
    if not best:
        lacking = f"{what} that of the best control: none is farther than held-out music from itself"
        rows.append(Row(lacking, round(ours, 3), target=f"<= {_MOST_OF_CONTROL:g} x", met=False))
    return rows


def priming(bench: Bench) -> list[Row]:
    """Share of held-out songs that go on likelier after their own beginning than after others'."""
    rows = []
    for name in bench.corpora:
        model, corpus = BackingModel.load(bench.backing_model(name)), bench.corpus_folder(name)
        heldout = {row["song_id"] for row in read_songs(corpus, "heldout")}
        found = measure_priming(model, [score for _, score in read_scores(corpus, heldout, MOST_PRIMED)]).figures()
        if not found["songs"]:
            bench.left_out.append(f"{name}: no held-out song is long enough to be primed")
            continue
        what = f"{name}, {found['songs']:.0f} songs: own beginning better than"
        for key, whose in (("others", "another's"), ("others_bars", "another's bars in own style and tempo")):
            share = found[f"better_than_{key}"]
            rows.append(Row(f"{what} {whose}, share", round(share, 3), target=">= 0.9", met=share >= 0.9))
        rows.append(factor(f"{name}: nats per token after own beginning, by another's", found["own"], found["others"]))
    return rows


def copying(bench: Bench) -> list[Row]:
    """What held-out melodies share with training songs, and the limit that follows."""
    rows = []
    for name in bench.corpora:
        found = MelodyIndex.load(bench.backing_model(name) / MELODIES_FILE).figures()
        what = f"{name}: notes that {found['songs']:.0f} held-out melodies share with a training song"
        rows += [
            Row(f"{what}, {of}", found[key])
            for of, key in (
                ("median", "longest_run_median"),
                ("95 in 100", "longest_run_p95"),
                ("most", "longest_run_max"),
            )
        ]
        rows.append(Row(f"{name}: the limit", found["limit"]))
    return rows
