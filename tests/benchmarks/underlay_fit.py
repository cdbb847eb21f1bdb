"""Learns the weights of `song.underlay` on the half of the lead sheets that is not kept back, and writes its table.

    python -m tests.benchmarks.underlay_fit [--datasets FOLDER] [--epochs N] [--out FILE]

The likelihood of the sheets' own underlay is raised by gradient ascent (Adam), with weights drawn towards zero
(`DECAY`). There are two tables: of lines, that begin with their first note, and of whole songs. Of the lines with as
many notes as syllables a third is taken.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import TICKS_PER_BEAT
from rhapsody_lib.song import underlay
from rhapsody_lib.song.underlay import SHARE_LIMIT, rows_of
from rhapsody_lib.song.underlay_features import NOTE_FEATURES, SYLLABLE_FEATURES
from rhapsody_lib.song.underlay_lattice import Expected, Floats, Lattice, Rows, Weights
from tests.benchmarks.backing import DATASETS
from tests.benchmarks.underlay_cases import Case, line_cases, sheets, song_case

#: Popular songs; art songs are underlaid by other habits, and make the weights worse for these.
LEARNT_FROM = "openewld"
EPOCHS, BATCH, BATCH_NOTES, RATE, DECAY = 8, 48, 1000, 0.05, 20.0
#: Notes without a syllable are not held, but left unsung, after a rest so long and in longer runs than `_MOST_HELD`.
_UNSUNG_REST_TICKS, _MOST_HELD = TICKS_PER_BEAT // 2, 5
_TABLE = Path(underlay.__file__).with_name("underlay_weights.py")
_COLUMNS = 16
_HEADER = '''"""Weights of `underlay`, as `Weights.vector`. Made by `python -m tests.benchmarks.underlay_fit`."""

from __future__ import annotations
'''
#: A text with the sums of features that its sheet's own underlay has.
Wanted = tuple[Rows, Floats]


def _held(case: Case, start: int, end: int) -> int:
    """How many of the notes from `start` to `end`, which begin nothing, are held; those after them are left unsung."""
    for index in range(start, end):
        if case.notes[index].start_ticks - case.notes[index - 1].end_ticks >= _UNSUNG_REST_TICKS:
            return index - start
    return end - start if end - start <= _MOST_HELD else 0


def truth(case: Case) -> Expected:
    """What each note of a case does by its sheet: probabilities that are all 0 or 1."""
    begin, share, hold, leave = (np.zeros((len(case.notes), len(case.words))) for _ in range(4))
    again, rest = np.zeros(len(case.notes)), np.zeros(len(case.notes))
    for word, note in enumerate(case.own):
        (share if word and case.own[word - 1] == note else begin)[note, word] = 1.0
    rest[: case.own[0]] = 1.0
    for word, note in enumerate(case.own):
        end = case.own[word + 1] if word + 1 < len(case.own) else len(case.notes)
        if end <= note + 1:
            continue
        after = note + 1 + _held(case, note + 1, end)
        hold[note + 1 : after, word] = 1.0
        again[note + 2 : after] = 1.0
        if after < end:
            leave[after, word] = 1.0
            rest[after + 1 : end] = 1.0
    return Expected(begin, share, hold, leave, again, rest)


def features(labels: Expected, rows: Rows) -> Floats:
    """The sums of features that a labelling is scored by, in the order of `Weights.vector`."""
    begin, share, hold, leave = (
        rows.notes.T @ matrix @ rows.words for matrix in (labels.begin, labels.share, labels.hold, labels.leave)
    )
    return Weights(begin, share, hold, leave, labels.again @ rows.notes, labels.rest @ rows.notes).vector()


def _batches(texts: Sequence[Wanted], order: random.Random) -> list[list[Wanted]]:
    """The texts in batches of about one length, in any order."""
    ranked = sorted(texts, key=lambda text: (len(text[0].notes), order.random()))
    batches, start = [], 0
    while start < len(ranked):
        size = max(2, min(BATCH, BATCH_NOTES // len(ranked[start][0].notes)))
        batches.append(ranked[start : start + size])
        start += size
    order.shuffle(batches)
    return batches


def wanted(cases: Sequence[Case]) -> list[tuple[Case, Wanted]]:
    """What can be learnt of the cases of one song, without those with more than `SHARE_LIMIT` syllables to a note."""
    found = []
    for case, rows in zip(cases, rows_of([case.line for case in cases]), strict=True):
        if max(np.bincount(case.own)) <= SHARE_LIMIT and len(case.words) <= SHARE_LIMIT * len(case.notes):
            found.append((case, (rows, features(truth(case), rows))))
    return found


def fit(
    texts: Sequence[Wanted], epochs: int = EPOCHS, decay: float = DECAY, seed: int = 0, *, opens: bool = False
) -> Weights:
    """The likeliest weights after so many passes through the texts; `opens` as for `align`."""
    order = random.Random(seed)
    size = 4 * len(NOTE_FEATURES) * len(SYLLABLE_FEATURES) + 2 * len(NOTE_FEATURES)
    weights, mean, square = np.zeros(size), np.zeros(size), np.zeros(size)
    passes = [batch for _ in range(epochs) for batch in _batches(texts, order)]
    for step, batch in enumerate(passes, start=1):
        current = Weights.of_vector(weights)
        expected = Lattice(current, [rows for rows, _ in batch], SHARE_LIMIT, opens=opens).expected()
        gradient = -decay * weights * len(batch) / len(texts)
        for (rows, sums), found in zip(batch, expected, strict=True):
            gradient += sums - features(found, rows)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        rate = RATE * (1 - step / (len(passes) + 1))
        weights = weights + rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return Weights.of_vector(weights)


def line_texts(songs: Sequence[LeadSheet]) -> list[Wanted]:
    """The lines of songs whose counts differ, and a third of the others."""
    lines = [text for song in songs for text in wanted(list(line_cases(song)))]
    differing = [text for case, text in lines if case.counts_differ]
    even = [text for case, text in lines if not case.counts_differ]
    return [*differing, *even[::3]]


def song_texts(songs: Sequence[LeadSheet]) -> list[Wanted]:
    """Whole songs."""
    return [text for song in songs for _, text in wanted([song_case(song)])]


def table(weights: dict[str, Weights]) -> str:
    """The module that holds the weights, by name."""
    text = _HEADER
    for name, found in weights.items():
        values = [f"{value:.2f}" for value in found.vector()]
        lines = [" ".join(values[start : start + _COLUMNS]) for start in range(0, len(values), _COLUMNS)]
        text += f'\n{name} = """\n' + "\n".join(lines) + '\n"""\n'
    return text


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=_TABLE)
    options = parser.parse_args()
    songs = sheets(options.datasets, LEARNT_FROM, kept_back=False)
    weights = {
        "LINES": fit(line_texts(songs), options.epochs, opens=True),
        "SONGS": fit(song_texts(songs), options.epochs),
    }
    options.out.write_text(table(weights), encoding="utf-8")


if __name__ == "__main__":
    main()
