"""Histograms of the data card as SVG, alone or beside those of another corpus. The same figures give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rhapsody_lib.optional import require

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_STYLE = {"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "rhapsody", "text.parse_math": False}
INK, FAINT, COLOUR, BEFORE = "#2B2D33", "#D9DBE0", "#1F5FD1", "#8A8F9C"
_SIZE_INCHES = (4.6, 2.3)
#: Of the axes in the picture: left, bottom, width, height as shares of it.
_PLACE = (0.11, 0.22, 0.86, 0.73)
#: Bars of a picture, about.
_BARS = 36
#: What each figure is, and whether its axis is logarithmic.
NUMBERS: Mapping[str, tuple[str, bool]] = {
    "words": ("words of a song", True),
    "lines": ("lines of a song", True),
    "seconds": ("seconds of music", False),
    "tempo_bpm": ("quarter notes a minute", False),
    "notes": ("notes of a song", True),
    "year": ("year", False),
}


def histogram(figure: str, told: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> bytes:
    """The picture of a figure's histogram, as `corpus.histograms` tells it; that of another corpus as a grey outline.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from rhapsody_lib.corpus.histograms import bin_edges, full_counts

    matplotlib, figures = require("matplotlib"), require("matplotlib.figure")
    edges, counts = _drawn(bin_edges(figure), [full_counts(figure, of) for of in (told, before) if of is not None])
    label, logarithmic = NUMBERS[figure]
    with matplotlib.rc_context(_STYLE):
        drawing = figures.Figure(figsize=_SIZE_INCHES, facecolor="white")
        axes = drawing.add_axes(_PLACE)  # a layout engine would draw everything twice
        shares = [of / max(1, of.sum()) * 100 for of in counts]
        axes.stairs(shares[0], edges, fill=True, color=COLOUR, alpha=0.85)
        if before is not None:
            axes.stairs(shares[1], edges, color=BEFORE, linewidth=1.6)
        if logarithmic:
            axes.set_xscale("log")
        _plain(axes, label, logarithmic)
        buffer = io.BytesIO()
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _drawn(
    edges: tuple[float, ...], counts: list[npt.NDArray[np.int64]]
) -> tuple[npt.NDArray[np.float64], list[npt.NDArray[np.int64]]]:
    """Bins wide enough to be seen, from the first to the last that holds any."""
    import numpy as np

    held = np.flatnonzero(sum(counts))
    first, stop = (int(held[0]), int(held[-1]) + 1) if len(held) else (0, 1)
    width = max(1, -(-(stop - first) // _BARS))
    starts = np.arange(first, stop, width)
    drawn = np.array([*(edges[start] for start in starts), edges[min(starts[-1] + width, len(edges) - 1)]])
    return drawn, [np.add.reduceat(of[: min(starts[-1] + width, len(of))], starts) for of in counts]


def _plain(axes: Any, label: str, logarithmic: bool) -> None:
    tickers = require("matplotlib.ticker")
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.set_xlabel(label, color=INK, fontsize=9)
    axes.yaxis.set_major_locator(tickers.MaxNLocator(4))
    axes.yaxis.set_major_formatter(tickers.FuncFormatter(lambda value, _: f"{value:g} %"))
    if logarithmic:
        axes.xaxis.set_major_locator(tickers.LogLocator(base=10, subs=(1, 2, 5), numticks=12))
        axes.xaxis.set_major_formatter(tickers.FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_locator(tickers.NullLocator())
    else:
        axes.xaxis.set_major_locator(tickers.MaxNLocator(6, integer=True))
    for side in axes.spines.values():
        side.set_visible(False)
