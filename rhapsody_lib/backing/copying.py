"""Which runs of a melody stand in a training song or in the primer: to refuse copying, and to report what is shared.

A melody is told as steps from note to note: the interval in semitones and the time from onset to onset on the grid of
the tokens. So a run is found in any key and at any tempo, and a held or cut note hides nothing. Runs are counted in
notes. Songs that copied nothing share short runs by chance and by style: how long theirs are is measured on held-out
songs, and a longer run than nearly all of them have is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rhapsody_lib.backing.quantise import to_step
from rhapsody_lib.backing.vocabulary import STEPS_PER_BEAT
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.music.score import Score

#: Beside the weights of a model.
MELODIES_FILE = "melodies.safetensors"
#: A run is refused if it is longer than that of so many held-out songs; within these bounds, in notes, for few
#: held-out songs tell little, and among many the same tune may stand twice.
HELDOUT_SHARE, LEAST_LIMIT, MOST_LIMIT = 0.95, 8, 16
#: Held-out songs that are measured at most.
MOST_HELDOUT = 400
#: Runs are followed for so many notes: longer ones count as so many.
LONGEST_RUN = 64
#: Longer times from onset to onset count as this: two bars of four.
_MOST_STEPS = 8 * STEPS_PER_BEAT
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
#: Stands between songs, and in no melody.
_BREAK = 0xFFFF

Codes = npt.NDArray[np.uint16]
Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
#: (grid step, pitch) of each note.
Onsets = Sequence[tuple[int, int]]


def melody_onsets(score: Score, from_ticks: int = 0) -> list[tuple[int, int]]:
    """The melody from a tick on: (grid step, pitch) of each note, of notes struck at once the highest."""
    highest: dict[int, int] = {}
    for note in score.parts["melody"]:
        if note.start_ticks >= from_ticks:
            step = to_step(note.start_ticks)
            highest[step] = max(note.pitch, highest.get(step, 0))
    return sorted(highest.items())


def melody_codes(onsets: Onsets) -> Codes:
    """Each step from a note to the next as a number: interval and time, [notes - 1]."""
    steps, pitches = np.asarray(onsets, dtype=np.int64).reshape(-1, 2).T
    times = np.minimum(np.diff(steps), _MOST_STEPS)
    return np.asarray((np.diff(pitches) + 127) * (_MOST_STEPS + 1) + times, dtype=np.uint16)


def _run_hashes(codes: Codes, length: int) -> Hashes:
    """The hash of each run of so many codes, a polynomial in them; none across songs."""
    count = max(len(codes) - length + 1, 0)
    found = np.zeros(count, dtype=np.uint64)
    broken = np.zeros(count, dtype=np.bool_)
    for place in range(length):
        found = found * _MULTIPLIER + codes[place : place + count]
        broken |= codes[place : place + count] == _BREAK
    return found[~broken]


def longest_run(codes: Codes, others: Codes) -> int:
    """Notes of the longest run that stands in both, `LONGEST_RUN` at most; 0 where not even two notes do."""
    return _notes(int(_shared_lengths(codes, others).max(initial=0)))


def _notes(codes: int) -> int:
    return codes + 1 if codes else 0


def _shared_lengths(codes: Codes, others: Codes) -> npt.NDArray[np.int64]:
    """At each place the length of the longest run of codes from there that stands in the others, [codes]."""
    lengths = np.zeros(len(codes), dtype=np.int64)
    mine, theirs = np.arange(len(codes)), np.arange(len(others))
    my_hashes, their_hashes = np.zeros(len(mine), dtype=np.uint64), np.zeros(len(theirs), dtype=np.uint64)
    for length in range(1, LONGEST_RUN):
        mine, my_hashes = _longer(codes, mine, my_hashes, length)
        theirs, their_hashes = _longer(others, theirs, their_hashes, length)
        # A longer run stands in both only where this one does.
        both = np.intersect1d(my_hashes, their_hashes)
        kept, kept_theirs = np.isin(my_hashes, both), np.isin(their_hashes, both)
        mine, my_hashes = mine[kept], my_hashes[kept]
        theirs, their_hashes = theirs[kept_theirs], their_hashes[kept_theirs]
        if not len(mine):
            break
        lengths[mine] = length
    return lengths


def _longer(codes: Codes, places: Places, hashes: Hashes, length: int) -> tuple[Places, Hashes]:
    """The places where a run may be one code longer, and the hashes of those runs of `length` codes."""
    inside = places + length <= len(codes)
    places, hashes = places[inside], hashes[inside]
    added = codes[places + length - 1]
    within = added != _BREAK
    return places[within], hashes[within] * _MULTIPLIER + added[within]


def _joined(songs: Iterable[Onsets]) -> Codes:
    """The codes of songs one after another, a break after each; songs of less than two notes are left out."""
    gap = np.asarray([_BREAK], dtype=np.uint16)
    pieces = [piece for onsets in songs if len(onsets) > 1 for piece in (melody_codes(onsets), gap)]
    return np.concatenate(pieces) if pieces else gap


@dataclass(frozen=True, eq=False)
class MelodyIndex:
    """The melodies that a model has learnt, and what held-out songs have in common with them.

    Args:
        codes: of all training songs, one after another.
        heldout: notes of the longest run that each held-out song shares with them, uint8 [songs].
    """

    codes: Codes
    heldout: npt.NDArray[np.uint8]

    @classmethod
    def build(cls, train: Iterable[Onsets], heldout: Sequence[Onsets]) -> MelodyIndex:
        """Index the melodies of training songs, and measure held-out ones by them, `MOST_HELDOUT` at even distances.

        Songs without melody are left out.
        """
        codes, others = _joined(train), _joined(heldout[:: -(-len(heldout) // MOST_HELDOUT) or 1])
        lengths = np.split(_shared_lengths(others, codes), np.flatnonzero(others == _BREAK))[:-1]
        # Without held-out songs there is a break alone, before which nothing stands.
        runs = [_notes(int(song.max())) for song in lengths if len(song)]
        return cls(codes, np.asarray(runs, dtype=np.uint8))

    @property
    def limit(self) -> int:
        """Notes of the longest run that a new melody may share."""
        usual = float(np.quantile(self.heldout, HELDOUT_SHARE)) if len(self.heldout) else 0.0
        return min(max(math.ceil(usual), LEAST_LIMIT), MOST_LIMIT)

    @cached_property
    def refused(self) -> Hashes:
        """Hashes of the runs of one note more than the limit, sorted."""
        return np.unique(_run_hashes(self.codes, self.limit))

    def figures(self) -> dict[str, float]:
        """What held-out songs share: notes of their longest runs; and the limit that follows."""
        runs = self.heldout if len(self.heldout) else np.zeros(1, dtype=np.uint8)
        return {
            "songs": len(self.heldout),
            "longest_run_median": float(np.median(runs)),
            "longest_run_p95": float(np.quantile(runs, HELDOUT_SHARE)),
            "longest_run_max": float(runs.max()),
            "limit": float(self.limit),
        }

    def with_codes(self, codes: Codes) -> MelodyIndex:
        """The same beside other melodies that the model has learnt: those of its base. The limit stays."""
        return MelodyIndex(np.concatenate([self.codes, codes]), self.heldout)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({"codes": self.codes, "heldout": self.heldout}, path)

    @classmethod
    def load(cls, path: Path) -> MelodyIndex:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is missing or is none.
        """
        try:
            found = load_file(path)
            codes, heldout = found["codes"], found["heldout"]
        except FileNotFoundError as error:
            raise DamagedArtifactError(
                f"{path}: is missing: this release was trained by an earlier version of Rhapsody. Run 'rhapsody "
                "train', then make the song again."
            ) from error
        except (OSError, SafetensorError, KeyError) as error:
            raise DamagedArtifactError(
                f"{path}: is no index of melodies ({error}). Train the backing again."
            ) from error
        if (codes.dtype, codes.ndim, heldout.dtype, heldout.ndim) != (np.uint16, 1, np.uint8, 1):
            raise DamagedArtifactError(f"{path}: is of another version. Train the backing model again.")
        return cls(codes, heldout)


@dataclass(frozen=True)
class MelodyCopying:
    """What a delivered melody shares, in notes.

    Args:
        longest_run: the longest run that stands in it and in a training song.
        primer_run: in it and in the primer, whether that is a training song or the user's own.
        limit: of both.
        notes: of the melody that was measured.
    """

    longest_run: int
    primer_run: int
    limit: int
    notes: int


def melody_copying(score: Score, index: MelodyIndex, primer: Score | None, *, from_ticks: int = 0) -> MelodyCopying:
    """What the melody of a song shares with the training songs and with its primer.

    Args:
        score: the song as it is delivered, its melody as it is sung.
        index: of the model that wrote it.
        primer: the music that it was primed with, if any.
        from_ticks: where the new music begins: a song may open with its primer's own bars.
    """
    onsets = melody_onsets(score, from_ticks)
    codes = melody_codes(onsets)
    of_primer = melody_codes(melody_onsets(primer)) if primer else codes[:0]
    return MelodyCopying(longest_run(codes, index.codes), longest_run(codes, of_primer), index.limit, len(onsets))


class MelodyGuard:
    """Finds the runs of a melody being written that are longer than may be shared.

    Args:
        index: of the model that writes.
        primer: the music that it is primed with, if any.
    """

    def __init__(self, index: MelodyIndex, primer: Score | None) -> None:
        #: Notes before a phrase that a run may begin with.
        self.before = index.limit
        of_primer = melody_codes(melody_onsets(primer)) if primer else np.zeros(0, dtype=np.uint16)
        self._refused = (index.refused, np.unique(_run_hashes(of_primer, index.limit)))

    def copied(self, onsets: Onsets) -> int:
        """How many runs of one note more than the limit stand in a training song or in the primer; 0 is no copy."""
        runs = _run_hashes(melody_codes(onsets), self.before)
        return sum(_found(runs, refused) for refused in self._refused)


def _found(runs: Hashes, refused: Hashes) -> int:
    """How many of the runs are among the refused ones, which are sorted and may be millions."""
    if not len(refused):
        return 0
    places = np.minimum(np.searchsorted(refused, runs), len(refused) - 1)
    return int((refused[places] == runs).sum())
