"""Which runs of words stand in the training songs: to refuse copying, and to report what is shared.

The rule: no run of `COPY_WORDS` words and no whole line of `LINE_WORDS` or more that stands in a training song is
written, nor a run that the base model was trained on. There is no exception for common formulas: a run of six words
that many songs have is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from rhapsody_lib.lyrics.runs import Hashes, RunFilter, RunFilterBuilder, load_bits, run_hashes, word_hashes
from rhapsody_lib.words.archaic import modern_lyrics
from rhapsody_lib.words.document import Lyrics
from rhapsody_lib.words.tokens import tokenize_line

#: A run of this many words or more in common with a training song is a copy, and is refused; so is a whole line of
#: `LINE_WORDS`.
COPY_WORDS, LINE_WORDS = 6, 4
#: Shorter runs are counted and reported, as the share of a song's runs of this length.
REPORT_WORDS = 5
#: Beside the index, where the model was started from a base model: the runs of `COPY_WORDS` that the base has read.
BASE_COPIES_FILE = "base_copies.safetensors"
_NAMES = ("copies", "reported", "lines")


@dataclass(frozen=True, eq=False)
class CopyIndex:
    """What was sung before.

    Args:
        copies: runs of `COPY_WORDS` words of the training songs.
        reported: their runs of `REPORT_WORDS` words.
        lines: their lines of `LINE_WORDS` words or more.
        base: runs of `COPY_WORDS` words that the base model was trained on; none without one.
    """

    copies: RunFilter
    reported: RunFilter
    lines: RunFilter
    base: RunFilter | None = None

    @classmethod
    def build(cls, songs: Iterable[Lyrics]) -> CopyIndex:
        """Index songs, sections in the order they are sung, across lines. Songs are read one after another, once."""
        builders = [RunFilterBuilder() for _ in _NAMES]
        copies, reported, whole = builders
        for song in songs:
            lines = [word_hashes(tokenize_line(line)) for line in song.lines]
            whole.add(np.array([_line_hash(line) for line in lines if len(line) >= LINE_WORDS], dtype=np.uint64))
            words = np.concatenate([*lines, word_hashes(())])
            copies.add(run_hashes(words, COPY_WORDS))
            reported.add(run_hashes(words, REPORT_WORDS))
        return cls(*(builder.build() for builder in builders))

    def copied(self, runs: Hashes) -> npt.NDArray[np.bool_]:
        """Whether each hashed run of `COPY_WORDS` words was sung before, bool of the same shape."""
        found = self.copies.contains(runs)
        return found | self.base.contains(runs) if self.base else found

    def is_copy(self, words: Sequence[str]) -> bool:
        """Whether `words` hold a run of `COPY_WORDS` that was sung before."""
        return any(self.runs(words, COPY_WORDS))

    def is_line(self, words: Sequence[str]) -> bool:
        """Whether `words` are a whole line of a training song."""
        if len(words) < LINE_WORDS:
            return False
        return bool(self.lines.contains(np.array([_line_hash(word_hashes(words))], dtype=np.uint64))[0])

    def runs(self, words: Sequence[str], length: int) -> list[bool]:
        """For each run of `length` words, `COPY_WORDS` or `REPORT_WORDS`, whether it was sung before."""
        runs = run_hashes(word_hashes(words), length)
        found: list[bool] = (self.copied(runs) if length == COPY_WORDS else self.reported.contains(runs)).tolist()
        return found

    def save(self, path: Path) -> None:
        """Write as safetensors; the base model's runs are a file of their own."""
        save_file({name: getattr(self, name).bits for name in _NAMES}, path)

    @classmethod
    def load(cls, path: Path) -> CopyIndex:
        """Read what `save` wrote, and the base model's runs where they stand beside it.

        Raises:
            DamagedArtifactError: a file is missing or is none.
        """
        bits = load_bits(path, _NAMES)
        base = base_runs(path.parent)
        return cls(RunFilter(bits["copies"]), RunFilter(bits["reported"]), RunFilter(bits["lines"]), base)


def base_runs(folder: Path) -> RunFilter | None:
    """The runs of `COPY_WORDS` words that the base model of a lyrics model's folder has read; none without one.

    Raises:
        DamagedArtifactError: the file is none.
    """
    path = folder / BASE_COPIES_FILE
    return RunFilter.load(path) if path.exists() else None


def share_known(read: RunFilter, song: Lyrics) -> float:
    """Share of a song's runs of `COPY_WORDS` words that a base model has read, as they are or modernised; 0 for none.

    Args:
        read: the runs that it has read.
        song: a song above `base.MOST_KNOWN` says nothing of how well a model that started there does on new songs.
    """
    return max(_share(read, song), _share(read, modern_lyrics(song)))


def _share(read: RunFilter, song: Lyrics) -> float:
    words = [token for line in song.lines for token in tokenize_line(line)]
    found = read.holds(words, COPY_WORDS)
    return sum(found) / len(found) if found else 0.0


def _line_hash(words: Hashes) -> int:
    """A line as one hash: its words are a run of their own length."""
    return int(run_hashes(words, len(words))[0])
