"""Lines on their way: many proposals side by side as arrays, each written from its last word to its first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rhapsody_lib.lyrics.model import Floats, State
from rhapsody_lib.lyrics.palette import LINE
from rhapsody_lib.lyrics.sampling import Ids

#: Lines have at most so many words: wishes are for fewer syllables.
MOST_WORDS = 24


@dataclass
class Line:
    """A written line: words in reading order, log-probability of each and of the line mark, how well it rhymes.

    `unmet` is the logarithm of what its pairs and triples of words were held against it that no training song has;
    `theme` is how many of its words are of the prompt's theme.
    """

    words: list[int]
    log_probabilities: list[float]
    rhyme: float = 0.0
    unmet: float = 0.0
    theme: int = 0


class Proposals:
    """Rows of lines that are being written.

    Args:
        songs: the song of each row, ascending, [rows].
        first: the word that each line ends in, [rows].
        logs: the log-probability of it, [rows].
        rhymes: how well it rhymes, [rows].
        state: the songs' states, which each row begins with.
    """

    def __init__(self, songs: Ids, first: Ids, logs: Floats, rhymes: Floats, state: State) -> None:
        rows = len(songs)
        self.songs, self.rhymes = songs, rhymes
        #: As written, last word first.
        self.words: Ids = np.full((rows, MOST_WORDS), LINE, dtype=np.int64)
        self.words[:, 0] = first
        self.lengths: Ids = np.ones(rows, dtype=np.int64)
        self.closed = np.zeros(rows, dtype=np.bool_)
        self.logs: Floats = np.zeros((rows, MOST_WORDS + 1), dtype=np.float32)
        self.logs[:, 0] = logs
        self.unmet: Floats = np.zeros(rows, dtype=np.float32)
        self._hidden: list[Floats] = [state[0][songs]]
        self._cell: list[Floats] = [state[1][songs]]

    @property
    def newest(self) -> State:
        """The states that the rows begin their next step with; rows that are closed keep their last."""
        return self._hidden[-1], self._cell[-1]

    def read(self, rows: Ids, state: State) -> None:
        """Rows have read their newest word."""
        hidden, cell = self._hidden[-1].copy(), self._cell[-1].copy()
        hidden[rows], cell[rows] = state
        self._hidden.append(hidden)
        self._cell.append(cell)

    def extend(self, rows: Ids, words: Ids, logs: Floats, unmet: Floats) -> npt.NDArray[np.bool_]:
        """Put a word before each row, or close it by the line mark; a row whose word is below 0 is given up.

        Returns:
            Which of the rows go on.
        """
        found = words >= 0
        marks = found & (words == LINE)
        rows_found = rows[found]
        self.logs[rows_found, self.lengths[rows_found]] = logs[found]
        self.unmet[rows_found] += unmet[found]
        self.closed[rows[marks]] = True
        going = found & ~marks & (self.lengths[rows] < MOST_WORDS)
        self.words[rows[going], self.lengths[rows[going]]] = words[going]
        self.lengths[rows[going]] += 1
        return np.asarray(going)

    def line(self, row: int) -> Line:
        """A row's line to read."""
        length = int(self.lengths[row])
        words: list[int] = self.words[row, :length][::-1].tolist()
        return Line(words, self.logs[row, : length + 1].tolist(), float(self.rhymes[row]), float(self.unmet[row]))

    def states(self, row: int) -> State:
        """The hidden states before each word of a row and after the last, [words + 1 x hidden], and the last cell."""
        length = int(self.lengths[row])
        return np.stack([hidden[row] for hidden in self._hidden[: length + 1]]), self._cell[length][row]


def latest_runs(words: Ids, lengths: Sequence[int] | Ids, size: int) -> tuple[Ids, Ids]:
    """The rows that have `size` words or more, and the run of words that each begins with to read, [rows x size]."""
    long = np.flatnonzero(np.asarray(lengths) >= size)
    places = np.asarray(lengths)[long][:, None] - 1 - np.arange(size)
    return long, words[long[:, None], places]
