"""A picture of the song: pitch over time, coloured by part, with sections and lyric lines. Same song, same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from rhapsody_lib.music.score import Note, Score
from rhapsody_lib.optional import require
from rhapsody_lib.song.palette import PART_COLOURS

WIDTH_PX, HEIGHT_PX, DPI = 1600, 900, 100
#: More lines than this are ticked without their words.
MAX_LABELLED_LINES = 64
MAX_LABEL_CHARACTERS = 26
#: Shorter notes are drawn this share of the song wide, or they could not be seen.
MIN_BOX_SHARE = 1 / 700
INK, FAINT, PAPER = "#2B2D33", "#D9DBE0", "#FFFFFF"
OCTAVES = range(24, 109, 12)


def _line_starts(score: Score) -> list[tuple[float, str]]:
    """(second, words) of each sung line."""
    lines: dict[int, tuple[float, str]] = {}
    for syllable in score.syllables:
        start, text = lines.get(syllable.line, (score.seconds_at(syllable.start_ticks), ""))
        lines[syllable.line] = (start, text + syllable.text + (" " if syllable.ends_word else ""))
    return [(start, text.strip()) for start, text in lines.values()]


def _boxes(score: Score, notes: Sequence[Note], height: float) -> np.ndarray:
    """Corners [note, 4, 2] of a box a note, seconds by pitch."""
    edges = [(score.seconds_at(n.start_ticks), score.seconds_at(n.end_ticks), n.pitch) for n in notes]
    start, end, pitch = np.array(edges, dtype=float).reshape(-1, 3).T
    end = np.maximum(end, start + score.duration_s * MIN_BOX_SHARE)
    low, high = pitch - height / 2, pitch + height / 2
    return np.stack(
        [np.stack(corner, axis=-1) for corner in ((start, low), (end, low), (end, high), (start, high))], axis=1
    )


def _printable(text: str, font: Any) -> str:
    """The text with a box for each character that the font lacks."""
    return "".join(char if char.isspace() or font.get_char_index(ord(char)) else "□" for char in text)


def _draw_notes(axes: Any, score: Score, parts: Sequence[str], height: float) -> None:
    polygons = require("matplotlib.collections").PolyCollection
    for part in parts:
        if score.parts[part]:
            boxes = _boxes(score, score.parts[part], height)
            alpha = 1.0 if part in {"melody", "drums", "bass"} else 0.62
            axes.add_collection(
                polygons(boxes, facecolors=PART_COLOURS[part], alpha=alpha, linewidths=0, label=part.capitalize())
            )


def _draw_sections(axes: Any, score: Score, font: Any) -> None:
    span = max(score.duration_s, 1e-6)
    for index, section in enumerate(score.sections):
        start, end = score.seconds_at(section.start_ticks), score.seconds_at(section.end_ticks)
        axes.axvspan(start, end, color="#EEF0F4" if index % 2 else "#E2E5EB", linewidth=0)
        room = int((end - start) / span * 200)
        name = _printable(section.name, font)
        if room >= 3:
            label = name if len(name) <= room else name[: max(1, room - 1)] + "."
            axes.text((start + end) / 2, 0.5, label, ha="center", va="center", color=INK, fontsize=9, clip_on=True)
    axes.set_ylim(0, 1)
    axes.set_axis_off()


def _draw_words(axes: Any, score: Score, font: Any) -> None:
    lines = _line_starts(score)
    for start, text in lines:
        axes.plot([start, start], [0, 0.08], color=INK, linewidth=0.8, solid_capstyle="butt")
        if len(lines) <= MAX_LABELLED_LINES:
            short = text if len(text) <= MAX_LABEL_CHARACTERS else text[: MAX_LABEL_CHARACTERS - 1].rstrip() + "…"
            axes.text(
                start, 0.12, _printable(short, font), rotation=52, rotation_mode="anchor", ha="left", va="center",
                fontsize=7.5, color=INK, parse_math=False, clip_on=False,
            )  # fmt: skip
    axes.set_ylim(0, 1)
    axes.set_axis_off()


def _bar_ticks(score: Score) -> tuple[list[float], list[str]]:
    """Positions in seconds of the bars to label, at most about 40, and their labels: number and time."""
    bars = [start for start, _ in score.bars()]
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 4096) if len(bars) / step <= 40)
    seconds = [score.seconds_at(start) for start in bars[::step]]
    return seconds, [f"{i * step + 1}\n{int(s) // 60}:{int(s) % 60:02d}" for i, s in enumerate(seconds)]


def _style_rolls(roll: Any, drums: Any, score: Score) -> None:
    notes = [note.pitch for part, notes in score.parts.items() if part != "drums" for note in notes]
    low, high = min(notes, default=48) - 2, max(notes, default=72) + 3
    roll.set_ylim(low, high)
    shown = [pitch for pitch in OCTAVES if low <= pitch <= high]
    roll.set_yticks(shown, [f"C{pitch // 12 - 1}" for pitch in shown])
    drums.set_ylim(34, 60)
    drums.set_yticks([])
    drums.set_ylabel("Drums", rotation=0, ha="right", va="center", fontsize=9, color=INK)
    positions, names = _bar_ticks(score)
    drums.set_xticks(positions, names)
    drums.set_xlabel("bar and time", fontsize=9, color=INK, labelpad=2)
    for axes in (roll, drums):
        axes.set_facecolor(PAPER)
        axes.set_axisbelow(True)
        axes.grid(color=FAINT, linewidth=0.6)
        axes.tick_params(colors=INK, labelsize=8, length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    for section in score.sections:
        for axes in (roll, drums):
            axes.axvline(score.seconds_at(section.start_ticks), color="#B4B8C1", linewidth=1)


def draw_pianoroll(score: Score) -> bytes:
    """The picture as PNG, `WIDTH_PX` by `HEIGHT_PX`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    matplotlib = require("matplotlib")
    figure_module, agg = require("matplotlib.figure"), require("matplotlib.backends.backend_agg")
    fonts = require("matplotlib.font_manager")
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "text.usetex": False, "path.simplify": False}):
        font = fonts.get_font(fonts.findfont("DejaVu Sans"))
        figure = figure_module.Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, facecolor=PAPER)
        canvas = agg.FigureCanvasAgg(figure)
        sections, words, roll, drums = figure.subplots(
            4, 1, sharex=True, gridspec_kw={"height_ratios": [0.35, 1.5, 6.2, 1.15], "hspace": 0.045}
        )
        figure.subplots_adjust(left=0.055, right=0.985, top=0.9, bottom=0.085)
        _draw_sections(sections, score, font)
        _draw_words(words, score, font)
        _draw_notes(roll, score, ("strings", "guitar", "piano", "bass", "melody"), 0.84)
        _draw_notes(drums, score, ("drums",), 0.9)
        _style_rolls(roll, drums, score)
        roll.set_xlim(0, max(score.duration_s, 1.0))
        figure.text(
            0.055, 0.945, _printable(score.title[:90], font), fontsize=17, color=INK, va="center", parse_math=False
        )
        handles, labels = roll.get_legend_handles_labels()
        if handles:
            figure.legend(
                handles[::-1], labels[::-1], loc="center right", bbox_to_anchor=(0.985, 0.945), ncols=5, frameon=False,
                fontsize=9, labelcolor=INK, handlelength=1.2, columnspacing=1.4,
            )  # fmt: skip
        buffer = io.BytesIO()
        canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
