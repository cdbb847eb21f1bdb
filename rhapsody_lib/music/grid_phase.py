"""Files whose notes all lie the same distance off the grid: transcribed to a steady beat, but counted from elsewhere.

Such music is as steady as any other, only its bar lines are wrong. How far it is off a sixteenth is the angle of the
mean of its onsets on a circle of a sixteenth (circular mean; its length tells how steady they are). On which sixteenth
the bars begin is where the onsets, weighted by how long and how low they are, agree best with the hierarchy of the
metre (Palmer and Krumhansl 1990, table 1; Longuet-Higgins and Lee 1984).
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from rhapsody_lib.music.note_tables import DURATION, PITCH, START, NoteTable, in_order
from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre

_SIXTEENTH = TICKS_PER_BEAT // 4
#: Direction of each tick of a sixteenth on the circle.
_DIRECTIONS = np.exp(np.arange(_SIXTEENTH) * (2j * np.pi / _SIXTEENTH))
#: Fewer notes tell nothing.
_LEAST_NOTES = 32
#: Length of the mean of the onsets' directions from which on they have one phase, and from which on it is exact. Swing,
#: a third of it on the last thirds of beats, has the first and seems to be off by fewer ticks than count as near.
_STEADY, _EXACT = 0.6, 0.85
#: Ticks off the sixteenths that are a player's or a rounding's, not another grid.
_NEAR_TICKS = 12
#: Share of the onsets on the sixteenths between eighths from which on a file's own bar lines are not believed.
_BETWEEN_EIGHTHS = 0.8
#: Of a file that names its metre, and so counts bars from somewhere, the least move stands that fits but so much worse.
_TIE = 0.01
#: Notes below are counted more: basses mark the bars.
_LOW_PITCH, _LOW_WEIGHT = 52, 2.0
#: Longer notes are no more of an accent.
_LONGEST_TICKS = 4 * TICKS_PER_BEAT


@functools.lru_cache(maxsize=64)
def _hierarchies(numerator: int, denominator: int) -> tuple[npt.NDArray[np.float64], ...]:
    """Weight of each sixteenth of a bar that begins at the first, the second, ... sixteenth.

    Of the bar's start, its half where it has one, the beats, the eighths.
    """
    count = Metre(0, numerator, denominator).bar_ticks // _SIXTEENTH
    weights, compound = np.zeros(count), denominator == 8 and numerator % 3 == 0
    weights[::2] += 1
    weights[:: 6 if compound else 4] += 1
    if count % 8 == 0 or (compound and numerator % 6 == 0):
        weights[:: count // 2] += 1
    weights[0] += 1
    return tuple(np.roll(weights, shift) for shift in range(count))


def _bar_shift(table: NoteTable, metre: Metre, sixteenths: npt.NDArray[np.int64], tie: float) -> int:
    """The first sixteenth of the bar, as it is counted now, on which bars begin as well as on the best, but for a tie.

    A half of the bar is often as good as the other, to the per mille.
    """
    weights = np.sqrt(np.minimum(table[DURATION], _LONGEST_TICKS) / TICKS_PER_BEAT)
    weights *= np.where(table[PITCH] < _LOW_PITCH, _LOW_WEIGHT, 1.0)
    templates = _hierarchies(metre.numerator, metre.denominator)
    found = np.bincount(sixteenths % len(templates), weights, minlength=len(templates))
    fits = np.array([found @ template for template in templates])
    return int(np.argmax(fits * (1 + tie) >= fits.max()))


def off_grid_ticks(table: NoteTable, metre: Metre, *, has_metre: bool = True) -> int:
    """How many ticks after the bar lines the bars of the music begin; 0 where the notes lie on the grid, or on none.

    Args:
        table: notes of all parts.
        metre: the only metre of the piece.
        has_metre: whether the file names one; if so, its bar lines are believed where the notes lie on the grid, unless
            nearly all lie between the eighths.
    """
    if table.shape[1] < _LEAST_NOTES or metre.bar_ticks % _SIXTEENTH:
        return 0
    onsets = table[START]
    mean = np.bincount(onsets % _SIXTEENTH, minlength=_SIXTEENTH) @ _DIRECTIONS / len(onsets)
    off = round(float(np.angle(mean)) * _SIXTEENTH / (2 * np.pi))
    sixteenths = (onsets - off + _SIXTEENTH // 2) // _SIXTEENTH
    is_believed = has_metre and (sixteenths % 2).mean() < _BETWEEN_EIGHTHS
    if abs(mean) < _STEADY or (abs(off) <= _NEAR_TICKS and (is_believed or abs(mean) < _EXACT)):
        return 0
    shift = _bar_shift(table, metre, sixteenths, _TIE if has_metre else 0.0)
    return (off + _SIXTEENTH * shift) % metre.bar_ticks


def moved_to_grid(table: NoteTable, off_ticks: int, bar_ticks: int) -> tuple[NoteTable, int]:
    """Notes moved so that bars begin on bar lines, and by how many ticks: back where there is room, else on.

    Room is a player's haste less than it need be: what would begin before tick 0 by that begins there.
    """
    first = int(table[START].min()) if table.size else 0
    shift = -off_ticks if first >= off_ticks - _NEAR_TICKS else bar_ticks - off_ticks
    moved = table.copy()
    moved[START] += shift
    if first + shift < 0:
        np.maximum(moved[START], 0, out=moved[START])
        moved = in_order(moved)
    return moved, shift
