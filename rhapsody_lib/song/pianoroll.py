"""A picture of the song: pitch over time, coloured by part, with sections and lyric lines. Same song, same bytes.

Notes are boxes that stand upright, so they are painted into an array, each edge by the share of the pixel that it
covers; Pillow sets the text. That takes a tenth of the time that a plotting library needs to start.
"""

from __future__ import annotations

import importlib.util
import io
import math
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.errors import MissingExtraError
from rhapsody_lib.music.score import Note, Score
from rhapsody_lib.optional import require
from rhapsody_lib.song.palette import PART_COLOURS

WIDTH_PX, HEIGHT_PX = 1600, 900
#: Rows from top to bottom, in pixels from the top: sections, words, notes, drums. All are as wide as the music.
LEFT_PX, RIGHT_PX = 88, 1576
SECTIONS_PX, WORDS_PX, ROLL_PX, DRUMS_PX = (90, 117), (125, 241), (249, 727), (735, 823)
TITLE_PX, LEGEND_STEP_PX = 50, 84
#: More lines than this are ticked without their words.
MAX_LABELLED_LINES = 64
MAX_LABEL_CHARACTERS, LABEL_DEGREES = 26, 52
#: Shorter notes are drawn this share of the song wide, or they could not be seen.
MIN_BOX_SHARE = 1 / 700
INK, FAINT, FIRM, PAPER = "#2B2D33", "#D9DBE0", "#B4B8C1", "#FFFFFF"
BANDS = ("#E2E5EB", "#EEF0F4")
OCTAVES = range(24, 109, 12)
DRUM_PITCHES = (34, 60)
#: Parts from the back to the front, and how much of what lies behind them they hide.
ROLL_PARTS = {"strings": 0.62, "guitar": 0.62, "piano": 0.62, "bass": 1.0, "melody": 1.0}
FONT_NAME = "DejaVuSans.ttf"
Pixels = NDArray[np.float32]


@cache
def _rgb(colour: str) -> Pixels:
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(np.float32)


def _font_path() -> Path:
    """DejaVu Sans of the installed matplotlib, found without importing it: it has most of the world's alphabets.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    spec = importlib.util.find_spec("matplotlib")
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / FONT_NAME if spec and spec.origin else None
    if path is None or not path.is_file():
        raise MissingExtraError(
            f"No font ({FONT_NAME} of matplotlib) is installed, so the notes cannot be drawn. Install the extra that "
            "brings it: pip install 'rhapsody[song]'"
        )
    return path


class _Sheet:
    """The paper: boxes first, then text."""

    def __init__(self) -> None:
        self._pixels: Pixels = np.full((HEIGHT_PX, WIDTH_PX, 3), 255.0, dtype=np.float32)
        self._fonts: dict[int, Any] = {}

    def box(self, left: float, top: float, right: float, bottom: float, colour: str, alpha: float = 1.0) -> None:
        """A filled box; an edge between two pixels colours each by the share that it covers."""
        columns, across = _covered(left, right, WIDTH_PX)
        rows, down = _covered(top, bottom, HEIGHT_PX)
        share = (alpha * down)[:, None, None] * across[None, :, None]
        under = self._pixels[rows, columns]
        under += share * (_rgb(colour) - under)

    @cached_property
    def _image(self) -> Any:
        return require("PIL.Image").fromarray(np.rint(self._pixels).astype(np.uint8))

    @cached_property
    def _pen(self) -> Any:
        return require("PIL.ImageDraw").Draw(self._image)

    def _font(self, size_px: int) -> Any:
        fonts = require("PIL.ImageFont")
        if size_px not in self._fonts:
            # The plain layout: the other is there on some machines only, and the same song is the same picture.
            self._fonts[size_px] = fonts.truetype(str(_font_path()), size_px, layout_engine=fonts.Layout.BASIC)
        return self._fonts[size_px]

    def text(self, place: tuple[float, float], text: str, size_px: int, anchor: str = "lm") -> None:
        """A line of text; `anchor` as Pillow has it: l, m, r across, then a, m, s, d down."""
        self._pen.text(place, text, font=self._font(size_px), fill=INK, anchor=anchor)

    def slanted(self, place: tuple[float, float], text: str, size_px: int) -> None:
        """A line of text that rises to the right from the middle of its left end."""
        font, images = self._font(size_px), require("PIL.Image")
        width, height = math.ceil(font.getlength(text)) + 2, 2 * size_px
        ink = images.new("L", (width, height))
        require("PIL.ImageDraw").Draw(ink).text((0, height / 2), text, font=font, fill=255, anchor="lm")
        turned = ink.rotate(LABEL_DEGREES, resample=images.Resampling.BICUBIC, expand=True)
        # It turns around its middle, which lies half its length up the slope from the end that stays in its place.
        slope = math.radians(LABEL_DEGREES)
        middle = place[0] + width / 2 * math.cos(slope), place[1] - width / 2 * math.sin(slope)
        corner = round(middle[0] - turned.width / 2), round(middle[1] - turned.height / 2)
        self._image.paste(INK, corner, turned)

    def png(self) -> bytes:
        """The picture as PNG."""
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG", compress_level=6)
        return buffer.getvalue()


def _covered(start: float, end: float, limit: int) -> tuple[slice, Pixels]:
    """The pixels from `start` to `end`, and how much of each is covered."""
    first, last = max(0, math.floor(start)), min(limit, math.ceil(end))
    edges = np.arange(first, max(first, last) + 1, dtype=np.float32).clip(start, end)
    return slice(first, max(first, last)), np.diff(edges)


def _line_starts(score: Score) -> list[tuple[float, str]]:
    """(second, words) of each sung line."""
    lines: dict[int, tuple[float, str]] = {}
    for syllable in score.syllables:
        start, text = lines.get(syllable.line, (score.seconds_at(syllable.start_ticks), ""))
        lines[syllable.line] = (start, text + syllable.text + (" " if syllable.ends_word else ""))
    return [(start, text.strip()) for start, text in lines.values()]


def _bar_ticks(score: Score) -> list[tuple[float, str, str]]:
    """(second, number, time) of the bars to label, at most about 40."""
    bars = [start for start, _ in score.bars()]
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, 4096) if len(bars) / step <= 40)
    seconds = [score.seconds_at(start) for start in bars[::step]]
    return [(s, str(i * step + 1), f"{int(s) // 60}:{int(s) % 60:02d}") for i, s in enumerate(seconds)]


def _height_of(pitch: float, limits: tuple[float, float], row: tuple[int, int]) -> float:
    """Pixels from the top at which a pitch is drawn in a row that shows the pitches between the limits."""
    low, high = limits
    return row[1] - (pitch - low) / (high - low) * (row[1] - row[0])


def _draw_notes(
    sheet: _Sheet, score: Score, notes: Sequence[Note], colour: str, alpha: float, x: Callable[[float], float],
    limits: tuple[float, float], row: tuple[int, int],
) -> None:  # fmt: skip
    shortest = score.duration_s * MIN_BOX_SHARE
    for note in notes:
        start, end = score.seconds_at(note.start_ticks), score.seconds_at(note.end_ticks)
        top, bottom = (min(max(_height_of(note.pitch + d, limits, row), row[0]), row[1]) for d in (0.43, -0.43))
        sheet.box(x(start), top, x(max(end, start + shortest)), bottom, colour, alpha)


def _draw_grid(sheet: _Sheet, score: Score, x: Callable[[float], float], limits: tuple[float, float]) -> None:
    for octave in OCTAVES:
        if limits[0] <= octave <= limits[1]:
            y = _height_of(octave, limits, ROLL_PX)
            sheet.box(LEFT_PX, y - 0.4, RIGHT_PX, y + 0.4, FAINT)
    for row in (ROLL_PX, DRUMS_PX):
        for second, *_ in _bar_ticks(score):
            sheet.box(x(second) - 0.4, row[0], x(second) + 0.4, row[1], FAINT)
        for section in score.sections:
            start = x(score.seconds_at(section.start_ticks))
            sheet.box(start - 0.7, row[0], start + 0.7, row[1], FIRM)


def _draw_boxes(sheet: _Sheet, score: Score, x: Callable[[float], float], limits: tuple[float, float]) -> None:
    """All that is no text."""
    for index, section in enumerate(score.sections):
        start, end = x(score.seconds_at(section.start_ticks)), x(score.seconds_at(section.end_ticks))
        sheet.box(start, SECTIONS_PX[0], end, SECTIONS_PX[1], BANDS[index % 2])
    for second, _ in _line_starts(score):
        sheet.box(x(second) - 0.5, WORDS_PX[1] - 9, x(second) + 0.5, WORDS_PX[1], INK)
    _draw_grid(sheet, score, x, limits)
    for part, alpha in ROLL_PARTS.items():
        _draw_notes(sheet, score, score.parts[part], PART_COLOURS[part], alpha, x, limits, ROLL_PX)
    _draw_notes(sheet, score, score.parts["drums"], PART_COLOURS["drums"], 1.0, x, DRUM_PITCHES, DRUMS_PX)
    for place, part in enumerate(_in_legend(score)):
        left = _legend_left(score, place)
        sheet.box(left, TITLE_PX - 4, left + 15, TITLE_PX + 4, PART_COLOURS[part], ROLL_PARTS[part])


def _in_legend(score: Score) -> list[str]:
    return [part for part in reversed(ROLL_PARTS) if score.parts[part]]


def _legend_left(score: Score, place: int) -> int:
    return RIGHT_PX - LEGEND_STEP_PX * (len(_in_legend(score)) - place)


def _draw_labels(sheet: _Sheet, score: Score, x: Callable[[float], float], limits: tuple[float, float]) -> None:
    for octave in OCTAVES:
        if limits[0] <= octave <= limits[1]:
            sheet.text((LEFT_PX - 6, _height_of(octave, limits, ROLL_PX)), f"C{octave // 12 - 1}", 11, "rm")
    sheet.text((LEFT_PX - 6, sum(DRUMS_PX) / 2), "Drums", 13, "rm")
    for second, number, time in _bar_ticks(score):
        sheet.text((x(second), DRUMS_PX[1] + 11), number, 11, "mm")
        sheet.text((x(second), DRUMS_PX[1] + 25), time, 11, "mm")
    sheet.text(((LEFT_PX + RIGHT_PX) / 2, DRUMS_PX[1] + 42), "bar and time", 13, "mm")
    for place, part in enumerate(_in_legend(score)):
        sheet.text((_legend_left(score, place) + 22, TITLE_PX), part.capitalize(), 13)


def _draw_words(sheet: _Sheet, score: Score, x: Callable[[float], float]) -> None:
    for section in score.sections:
        start, end = x(score.seconds_at(section.start_ticks)), x(score.seconds_at(section.end_ticks))
        room = int((end - start) / (RIGHT_PX - LEFT_PX) * 200)
        name = section.name if len(section.name) <= room else section.name[: max(1, room - 1)] + "."
        if room >= 3:
            sheet.text(((start + end) / 2, sum(SECTIONS_PX) / 2), name, 13, "mm")
    lines = _line_starts(score)
    for second, text in lines if len(lines) <= MAX_LABELLED_LINES else ():
        short = text if len(text) <= MAX_LABEL_CHARACTERS else text[: MAX_LABEL_CHARACTERS - 1].rstrip() + "…"
        sheet.slanted((x(second), WORDS_PX[1] - 14), short, 10)


def draw_pianoroll(score: Score) -> bytes:
    """The picture as PNG, `WIDTH_PX` by `HEIGHT_PX`.

    Raises:
        MissingExtraError: Pillow or matplotlib's font is not installed.
    """
    pitches = [note.pitch for part in ROLL_PARTS for note in score.parts[part]]
    limits = (min(pitches, default=48) - 2.0, max(pitches, default=72) + 3.0)
    scale = (RIGHT_PX - LEFT_PX) / max(score.duration_s, 1.0)

    def x(second: float) -> float:
        return LEFT_PX + second * scale

    sheet = _Sheet()
    _draw_boxes(sheet, score, x, limits)
    _draw_labels(sheet, score, x, limits)
    _draw_words(sheet, score, x)
    sheet.text((LEFT_PX, TITLE_PX), " ".join(score.title.split())[:90], 24)
    return sheet.png()
