"""Pictures of the run pages: curves of a training, figures beside the live release's, a smaller piano roll.

Each is drawn on white, so that it reads on a light page and on a dark one, and holds no time, so that the same figures
are the same bytes.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rhapsody_lib.optional import require

if TYPE_CHECKING:
    from rhapsody_lib.gate import Row

SVG, PNG = "image/svg+xml", "image/png"
INK, FAINT, PAPER = "#2B2D33", "#D9DBE0", "#FFFFFF"
TRAIN, HELDOUT, YARDSTICK, WORSE = "#8A8F9C", "#1F5FD1", "#C2570C", "#C02B2B"
PANEL_INCHES = (5.6, 3.4)
#: A picture of a page is made no wider; 64 colours are more than a piano roll has.
PICTURE_WIDTH_PX, PICTURE_COLOURS = 1200, 64
_STYLE = {"font.family": "sans-serif", "svg.fonttype": "none", "svg.hashsalt": "rhapsody", "text.parse_math": False}
#: Figures that are the better the higher they are.
_RISING = {"mrr"}

History = Mapping[int, Mapping[str, float | None]]


def data_uri(image: bytes, mime: str) -> str:
    """The image as an address that holds it."""
    return f"data:{mime};base64,{base64.b64encode(image).decode()}"


def split_name(name: str) -> tuple[str, str]:
    """Whose figure it is and what is measured: `heldout_perplexity` is (`held-out`, `perplexity`)."""
    words = name.replace("_", " ").replace("-", " ").split()
    if words and words[0] == "heldout":
        return "held-out", " ".join(words[1:])
    if words and words[0] == "train":
        return "training", " ".join(words[1:])
    return "", " ".join(words)


def best_epoch(curve: Mapping[int, float], *, rising: bool = False) -> int:
    """The first epoch with the lowest value, or with the highest of what is to rise."""
    return (max if rising else min)(sorted(curve), key=lambda epoch: curve[epoch])


def loss_curves(history: History, yardsticks: Mapping[str, float] | None = None) -> bytes:
    """Curves over the epochs as SVG: a panel for each thing measured, training and held-out together; empty if none.

    Args:
        history: figures of each epoch by name, e.g. `{1: {"train perplexity": 296.0, "heldout perplexity": 477.1}}`;
            those that are no numbers are left out.
        yardsticks: what else reached on the held-out songs, by name, e.g. `{"5-gram": 105.5}`; a dashed line each, in
            the first panel.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    panels: dict[str, dict[str, dict[int, float]]] = {}
    for epoch in sorted(history):
        for name, value in history[epoch].items():
            if value is None or not math.isfinite(value):  # of a training that diverged
                continue
            whose, what = split_name(name)
            panels.setdefault(what, {}).setdefault(whose, {})[epoch] = value
    if not panels:
        return b""
    buffer = io.BytesIO()
    with _figure(PANEL_INCHES[0] * len(panels), PANEL_INCHES[1], buffer) as figure:
        every = figure.subplots(1, len(panels), squeeze=False)[0]
        for index, (axes, (what, curves)) in enumerate(zip(every, panels.items(), strict=True)):
            _draw_curves(axes, what, curves, yardsticks or {} if index == 0 else {})
    return buffer.getvalue()


@contextmanager
def _figure(width_inches: float, height_inches: float, into: io.BytesIO) -> Iterator[Any]:
    """An empty figure, drawn into `into` as SVG at the end. Of matplotlib's global state nothing stays changed."""
    matplotlib, figures = require("matplotlib"), require("matplotlib.figure")
    with matplotlib.rc_context(_STYLE):
        figure = figures.Figure(figsize=(width_inches, height_inches), facecolor=PAPER, layout="constrained")
        yield figure
        figure.savefig(into, format="svg", metadata={"Date": None, "Creator": None}, facecolor=PAPER)


def _draw_curves(axes: Any, what: str, curves: Mapping[str, Mapping[int, float]], lines: Mapping[str, float]) -> None:
    colours = {"training": TRAIN, "held-out": HELDOUT}
    for whose, curve in curves.items():
        axes.plot(
            list(curve), list(curve.values()), marker="o", markersize=3.5, color=colours.get(whose, HELDOUT),
            label=whose or what,
        )  # fmt: skip
    for name, value in lines.items():
        axes.axhline(value, color=YARDSTICK, linestyle="--", linewidth=1.2, label=f"{name} {value:.4g}")
    watched = curves.get("held-out") or next(iter(curves.values()))
    rising = bool(_RISING.intersection(what.split()))
    best, called = best_epoch(watched, rising=rising), "highest" if rising else "lowest"
    axes.plot(
        [best], [watched[best]], marker="o", markersize=9, markerfacecolor="none", color=INK, linestyle="",
        label=f"{called}: {watched[best]:.4g}, epoch {best}",
    )  # fmt: skip
    _leave_out_the_start(axes, curves, lines)
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel(what or "value", color=INK)
    axes.xaxis.set_major_locator(require("matplotlib.ticker").MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(min(watched) - 0.4, max(watched) + 0.4)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    _plain(axes)


def _leave_out_the_start(axes: Any, curves: Mapping[str, Mapping[int, float]], lines: Mapping[str, float]) -> None:
    """Cut the axis where the first epochs are so much worse that the rest would be one flat line."""
    values = [value for curve in curves.values() for value in curve.values()]
    later = [value for curve in curves.values() for value in list(curve.values())[1:]]
    if len(later) >= 2 and min(values) > 0 and max(values) > 4 * max(later):
        low, high = min([*later, *lines.values()]), max([*later, *lines.values()])
        room = 0.08 * (high - low or high)
        axes.set_ylim(low - room, high + room)


def _plain(axes: Any) -> None:
    axes.set_facecolor(PAPER)
    axes.set_axisbelow(True)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def changes(rows: Sequence[Row]) -> bytes:
    """How much better or worse each figure is than the live release's as SVG, with what is tolerated; empty if none.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    shown = [row for row in rows if row.change is not None]
    if not shown:
        return b""
    buffer = io.BytesIO()
    with _figure(7.5, 1.1 + 0.38 * len(shown), buffer) as figure:
        _draw_changes(figure.subplots(), shown)
    return buffer.getvalue()


def _draw_changes(axes: Any, rows: Sequence[Row]) -> None:
    places = list(range(len(rows)))[::-1]
    axes.axvline(0, color=INK, linewidth=1)
    for place, row in zip(places, rows, strict=True):
        # To the right is better, whichever way the figure itself counts.
        share = 100 * (row.change or 0) * (1 if row.better == "higher" else -1)
        colour = HELDOUT if row.met else WORSE
        axes.plot([-100 * row.tolerance] * 2, [place - 0.32, place + 0.32], color=YARDSTICK, linewidth=2)
        axes.plot([0, share], [place, place], color=colour, linewidth=2)
        axes.plot([share], [place], marker="o", color=colour)
    axes.set_yticks(places, [row.label for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.margins(x=0.12)
    axes.set_xlabel("% better than live (below 0: worse; orange: what is tolerated)", color=INK)
    _plain(axes)


def smaller_picture(png: bytes) -> bytes:
    """A PNG narrow and plain enough for the page of a run.

    Raises:
        MissingExtraError: Pillow is not installed.
    """
    images = require("PIL.Image")
    with images.open(io.BytesIO(png)) as image:
        height_px = max(1, round(image.height * min(1.0, PICTURE_WIDTH_PX / image.width)))
        small = image.convert("RGB").resize((min(image.width, PICTURE_WIDTH_PX), height_px))
    buffer = io.BytesIO()
    small.quantize(PICTURE_COLOURS).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
