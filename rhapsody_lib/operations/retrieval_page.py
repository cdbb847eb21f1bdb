"""The figures of retrieval as a folder: a page of tables, and pictures of the intervals and of the confidences."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rhapsody_lib.optional import require
from rhapsody_lib.retrieval.calibration import FEWEST_QUERIES
from rhapsody_lib.retrieval.yardsticks import OURS

if TYPE_CHECKING:
    from rhapsody_lib.operations.retrieval_figures import RetrievalFigures

FIGURES_FILE, PAGE_FILE, FINDING_NAME, CONFIDENCE_NAME = "figures.json", "retrieval.md", "finding", "confidence"
FINDING_HEAD = ("the second half finds its first half by", "MRR", "95 in 100", "Recall@1", "Recall@10", "nDCG@10")
AGREEMENT_HEAD = ("the matched track and the words' own", "matched", "shuffled", "95 in 100 shuffled", "pairs", "tells")
CONFIDENCE_HEAD = ("confidence told", "share of right matches", "matches")
_STYLE = {"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "rhapsody", "text.parse_math": False}
_COLOURS = ("#1F5FD1", "#8A8F9C")
Rows = list[tuple[str, ...]]


def finding_rows(table: Mapping[str, Mapping[str, Any]]) -> Rows:
    """A row for each method."""
    return [
        (
            name,
            f"{told['mrr']:.3f}",
            f"{told['interval'][0]:.3f} to {told['interval'][1]:.3f}",
            *(f"{told[figure]:.3f}" for figure in ("recall_at_1", "recall_at_10", "ndcg_at_10")),
        )
        for name, told in table.items()
    ]


def agreement_rows(figures: RetrievalFigures) -> Rows:
    """A row for each comparison; the last column says whether it is more than chance."""
    return [
        (
            name,
            f"{told.matched:.3f}",
            f"{told.shuffled:.3f}",
            f"{told.interval[0]:.3f} to {told.interval[1]:.3f}",
            f"{told.pairs:,}",
            "yes" if told.told_apart else "no",
        )
        for name, told in figures.agreement.items()
    ]


def confidence_rows(figures: RetrievalFigures) -> Rows:
    """A row for each bin of confidences; none where too few songs are looked for to tell."""
    if not figures.tells:
        return []
    return [(f"{told:.2f}", f"{seen:.2f}", f"{count:,}") for told, seen, count in figures.reliability.bins]


def footnotes(figures: RetrievalFigures) -> list[str]:
    """What is to be known of the figures."""
    corpus, (ratio, (low, high)) = figures.corpus, figures.ratio
    told = figures.reliability
    read = (
        "the encoder has read nothing by their artists, and learnt from others of this corpus"
        if corpus["tuned"]
        else "the encoder has not read this corpus"
    )
    sure = (
        f"Confidences of the five best: off by {told.error:.3f} on average; Brier score {told.brier:.4f}, and "
        f"{told.brier_base:.4f} if all were told the mean share."
    )
    few = (
        f"These songs are too few for the figures to mean anything, and to tell confidences: at least {FEWEST_QUERIES} "
        "are needed. Train on more songs."
    )
    return [
        f"{corpus['queries']:,} songs are looked for among {corpus['songs']:,}; {read}.",
        f"Ours by the better of TF-IDF and BM25: {ratio:.2f} x ({low:.2f} to {high:.2f}).",
        sure if figures.tells else few,
        *figures.notes,
    ]


def json_text(content: Mapping[str, Any]) -> str:
    """Figures as JSON."""
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_page(figures: RetrievalFigures, folder: Path) -> list[Path]:
    """Write `retrieval.md`, `figures.json` and two pictures as PNG and SVG; the same figures give the same bytes.

    Where too few songs are looked for to tell confidences there is no picture of these.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    pictures = {FINDING_NAME: _finding, **({CONFIDENCE_NAME: _confidence} if figures.tells else {})}
    files = {
        FIGURES_FILE: json_text(figures.to_json()).encode(),
        **{f"{name}.{kind}": draw(figures, kind) for name, draw in pictures.items() for kind in ("png", "svg")},
        PAGE_FILE: "\n".join(_page(figures)).encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def _page(figures: RetrievalFigures) -> Iterator[str]:
    yield "# How well songs are found\n"
    yield "What the figures are is told in Rhapsody's `docs/retrieval.md`.\n"
    yield from _markdown(FINDING_HEAD, finding_rows(figures.finding))
    for note in footnotes(figures):
        yield f"\n{note}"
    yield f"\n![MRR of each method]({FINDING_NAME}.svg)\n"
    yield "With lines that return left in both halves:\n"
    yield from _markdown(FINDING_HEAD, finding_rows(figures.shared))
    yield "\n"
    if figures.tells:
        yield from _markdown(CONFIDENCE_HEAD, confidence_rows(figures))
        yield f"\n![Confidences]({CONFIDENCE_NAME}.svg)\n"
    if figures.agreement:
        yield from _markdown(AGREEMENT_HEAD, agreement_rows(figures))
    else:
        yield "No music is compared: too few songs have a track of which something is known."
    yield ""


def _markdown(head: Sequence[str], rows: Rows) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _saved(figure: Any, kind: str) -> bytes:
    figure.tight_layout()
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    figure.savefig(buffer, format=kind, dpi=100, metadata=metadata)
    return buffer.getvalue()


def _finding(figures: RetrievalFigures, kind: str) -> bytes:
    """MRR of each method with its interval, lines shared or not."""
    matplotlib = require("matplotlib")
    names = list(figures.finding)
    with matplotlib.rc_context(_STYLE):
        figure = require("matplotlib.figure").Figure(figsize=(8, 0.45 * len(names) + 1.2), facecolor="white")
        axes = figure.subplots()
        tables = (("no line shared", figures.finding), ("lines that return shared", figures.shared))
        for shift, colour, (label, table) in zip((-0.15, 0.15), _COLOURS, tables, strict=True):
            places = [place + shift for place in range(len(names))]
            values = [table[name]["mrr"] for name in names]
            lows, highs = zip(*(table[name]["interval"] for name in names), strict=True)
            errors = [
                [max(0.0, value - low) for value, low in zip(values, lows, strict=True)],
                [max(0.0, high - value) for value, high in zip(values, highs, strict=True)],
            ]
            axes.errorbar(values, places, xerr=errors, fmt="o", color=colour, markersize=5, label=label)
        axes.set_yticks(range(len(names)), names)
        axes.get_yticklabels()[names.index(OURS)].set_fontweight("bold")
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xlabel("mean reciprocal rank")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        return _saved(figure, kind)


def _confidence(figures: RetrievalFigures, kind: str) -> bytes:
    """Share of right matches at each confidence; on the line, a confidence is what it says."""
    matplotlib = require("matplotlib")
    with matplotlib.rc_context(_STYLE):
        figure = require("matplotlib.figure").Figure(figsize=(4.5, 4.5), facecolor="white")
        axes = figure.subplots()
        told, seen, counts = zip(*figures.reliability.bins, strict=True)
        most = max(counts)
        axes.plot([0, 1], [0, 1], color=_COLOURS[1], linewidth=1)
        axes.scatter(told, seen, s=[20 + 160 * count / most for count in counts], color=_COLOURS[0])
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("confidence told")
        axes.set_ylabel("share of right matches")
        axes.spines[["top", "right"]].set_visible(False)
        return _saved(figure, kind)
