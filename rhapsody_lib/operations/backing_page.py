"""The figures of a backing model as a folder: a page of tables, pictures of distances and of each figure, all songs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rhapsody_lib.backing.controls import CONTROLS
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.backing_figures import GENERATED, HALVES, HELDOUT, nearest_control
from rhapsody_lib.optional import require

if TYPE_CHECKING:
    from rhapsody_lib.operations.backing_figures import BackingFigures

FIGURES_FILE, PAGE_FILE, SONGS_FILE = "figures.json", "backing.md", "songs.md"
DISTANCES_NAME, SPREADS_NAME = "distances", "spreads"
_STYLE = {"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "rhapsody", "text.parse_math": False}
_COLOURS = ("#1F5FD1", "#8A8F9C", "#C2570C", "#C02B2B", "#7A3EA8")
_COLUMNS = 3
Rows = list[tuple[str, ...]]

LIKELIHOOD_HEAD = ("held-out songs", "nats per token", "by the 5-gram's", "nats per note")
PRIMING_HEAD = ("the 16 bars after", "nats per token", "own beginning is better in")
COPYING_HEAD = ("notes shared with training songs", "longest run, median", "of 95 in 100", "longest run of all")


def likelihood_rows(figures: BackingFigures) -> Rows:
    """Name, nats per token, that by the 5-gram's, nats per note."""
    told, yardstick = figures.heldout, figures.heldout["nats_per_token_5gram"]
    own = (f"{told['nats_per_token']:.3f}", f"{told['nats_per_token'] / yardstick:.3f}", f"{told['nats_per_note']:.3f}")
    return [("network", *own), ("modified Kneser-Ney 5-gram", f"{yardstick:.3f}", "1.000", "")]


def priming_rows(figures: BackingFigures) -> Rows:
    """After what, nats per token, share of songs in which the song's own beginning is better."""
    found = figures.priming
    if not found["songs"]:
        return []
    return [
        ("the song's own first 8 bars", f"{found['own']:.3f}", ""),
        *(
            (name, f"{found[key]:.3f}", f"{found[f'better_than_{key}']:.1%}")
            for key, name in (
                ("others", "another song's first 8 bars, style and tempo"),
                ("others_bars", "another song's first 8 bars, own style and tempo"),
                ("none", "no bars, own style and tempo"),
            )
        ),
    ]


def distance_head(figures: BackingFigures) -> tuple[str, ...]:
    """The columns of `distance_rows`."""
    return ("figure", "held-out songs", *figures.music)


def distance_rows(figures: BackingFigures) -> Rows:
    """Figure, its mean and spread over held-out songs, then mean, distance and overlap of each set; last, overall."""
    rows: Rows = []
    for name, reference in list(figures.music.values())[-1].items():
        found = [figures.music[of].get(name) for of in figures.music]
        cells = [f"{d.mean:.3g} ({d.wasserstein:.2f}; {d.overlap:.0%})" if d else "" for d in found]
        rows.append((name.replace("_", " "), f"{reference.reference:.3g} ± {reference.spread:.2g}", *cells))
    return [*rows, ("all: distance", "", *(f"{figures.overall[of]:.2f}" for of in figures.music))]


def copying_rows(figures: BackingFigures) -> Rows:
    """Whose melodies, their longest shared runs: median, of 95 in 100, longest."""
    return [
        (whose, *(f"{found[f'longest_run_{of}']:g}" for of in ("median", "p95", "max")))
        for whose, found in figures.copying.items()
        if "longest_run_median" in found
    ]


def footnotes(figures: BackingFigures) -> list[str]:
    """What is to be known beside the tables: the best control, and songs beyond the limit of copying."""
    notes = []
    control, ours = nearest_control(figures), figures.overall.get(GENERATED, math.nan)
    if control and figures.songs:
        far = figures.overall[control]
        notes.append(
            f"Best negative control: {control}, at {far:.2f}. What was written is at {ours / far:.2f} of that."
        )
    blunt = [name for name in CONTROLS if figures.overall[name] <= figures.overall.get(HALVES, 0.0)]
    if blunt:
        notes.append(f"No control on these songs, for other real songs are farther: {', '.join(blunt)}.")
    shared = figures.copying[GENERATED]
    if shared:
        notes.append(
            f"{shared['beyond_limit']:.0f} of {shared['songs']:.0f} written melodies share a run of more than "
            f"{shared['limit']:.0f} notes with a training song or their primer (the longest with a primer has "
            f"{shared['primer_run_max']:.0f})."
        )
    return notes


def json_text(content: Mapping[str, Any]) -> str:
    """Figures as JSON."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_page(figures: BackingFigures, folder: Path) -> list[Path]:
    """Write `backing.md`, `songs.md`, `figures.json` and two pictures as PNG and SVG; same figures, same bytes.

    Raises:
        InputError: the model's figures are no numbers.
        MissingExtraError: matplotlib is not installed.
    """
    if not math.isfinite(figures.heldout["nats_per_token"]):
        raise InputError(
            "The likelihood of this backing model is no finite number: its training diverged. Measure another release "
            "with --release, or train again with a lower backing.learning_rate."
        )
    pictures = {DISTANCES_NAME: _distances, SPREADS_NAME: _spreads}
    files = {
        FIGURES_FILE: json_text(figures.to_json()).encode(),
        **{f"{name}.{kind}": draw(figures, kind) for name, draw in pictures.items() for kind in ("png", "svg")},
        SONGS_FILE: "\n".join(_songs(figures)).encode(),
        PAGE_FILE: "\n".join(_page(figures)).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _page(figures: BackingFigures) -> Iterator[str]:
    corpus, told = figures.corpus, figures.heldout
    yield "# The backing model beside held-out music\n"
    yield (
        f"Trained on {corpus['train_songs']:,} songs; {corpus['heldout_songs']:,} others are held out "
        f"({told['tokens']:,} tokens, {told['notes']:,} notes). What the figures are is told in Rhapsody's "
        "`docs/backing.md`.\n"
    )
    yield from _markdown(LIKELIHOOD_HEAD, likelihood_rows(figures))
    yield f"\nBeginnings of {figures.priming['songs']:.0f} held-out songs:\n"
    yield from _markdown(PRIMING_HEAD, priming_rows(figures))
    yield (
        f"\n{len(figures.songs)} songs were written. Mean of each figure; in brackets its distance to held-out songs "
        "in units of their spread (0 is alike), and the overlap.\n"
    )
    yield from _markdown(distance_head(figures), distance_rows(figures))
    for note in footnotes(figures):
        yield f"\n{note}"
    yield f"\n![Distances]({DISTANCES_NAME}.svg)\n\n![Each figure]({SPREADS_NAME}.svg)\n"
    yield from _markdown(COPYING_HEAD, copying_rows(figures))
    yield ""


def _markdown(head: Sequence[str], rows: Rows) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _songs(figures: BackingFigures) -> Iterator[str]:
    yield "# Every piece that was measured\n"
    head = ("words of", "primer", "seed", "notes", "longest run shared", "with the primer")
    rows: Rows = [
        (s.title, s.primer, str(s.seed), str(s.copying.notes), str(s.copying.longest_run), str(s.copying.primer_run))
        for s in figures.songs
    ]
    yield from _markdown(head, rows)
    yield ""


def _saved(figure: Any, kind: str) -> bytes:
    import io

    figure.tight_layout()
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=100, metadata=metadata)
    return buffer.getvalue()


def _distances(figures: BackingFigures, kind: str) -> bytes:
    """Bars of the distances, a group for each figure, on a scale that shows the far controls too."""
    matplotlib = require("matplotlib")
    sets = list(figures.music)
    names = list(figures.music[sets[-1]])
    with matplotlib.rc_context(_STYLE):
        figure = require("matplotlib.figure").Figure(figsize=(9, 0.6 * len(names) + 1.4), facecolor="white")
        axes = figure.subplots()
        for index, (of, colour) in enumerate(zip(sets, _COLOURS, strict=False)):
            found = figures.music[of]
            values = [found[name].wasserstein if name in found else 0.0 for name in names]
            places = [place + (index - (len(sets) - 1) / 2) * 0.16 for place in range(len(names))]
            axes.barh(places, values, height=0.15, color=colour, label=of)
        axes.set_xscale("symlog", linthresh=1)
        ticks = [0, 0.5, 1, 2, 5, 10, 20, 50]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel("distance to held-out songs, in units of their spread (log scale beyond 1)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        return _saved(figure, kind)


def _spreads(figures: BackingFigures, kind: str) -> bytes:
    """Each figure over the songs of each set: median, quartiles (thick), and all but the farthest twentieth (thin)."""
    matplotlib = require("matplotlib")
    sets = [of for of in (GENERATED, HELDOUT, *CONTROLS) if figures.samples.get(of)]
    names = list(figures.samples[HELDOUT][0])
    rows = -(-len(names) // _COLUMNS)
    with matplotlib.rc_context(_STYLE):
        figure = require("matplotlib.figure").Figure(figsize=(11, 1.7 * rows), facecolor="white")
        grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axes, name in zip(grid, names, strict=False):
            values = [[of[name] for of in figures.samples[s] if not math.isnan(of[name])] for s in sets]
            for place, (found, colour) in enumerate(zip(values, _COLOURS, strict=False)):
                low, first, middle, third, high = np.quantile(found or [math.nan], (0.025, 0.25, 0.5, 0.75, 0.975))
                axes.hlines(place, low, high, color=colour, linewidth=1)
                axes.hlines(place, first, third, color=colour, linewidth=7)
                axes.plot(middle, place, "|", color="black", markersize=7)
            axes.set_yticks(range(len(sets)), sets, fontsize=7)
            axes.margins(y=0.2)
            axes.invert_yaxis()
            axes.set_title(name.replace("_", " "), fontsize=9)
            axes.tick_params(axis="x", labelsize=7)
            axes.spines[["top", "right"]].set_visible(False)
        for axes in grid[len(names) :]:
            axes.set_visible(False)
        return _saved(figure, kind)
