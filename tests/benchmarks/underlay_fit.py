"""Learns the weights of `song.underlay` on the half of the lead sheets that is not kept back, and writes its table.

    python -m tests.benchmarks.underlay_fit [--datasets FOLDER] [--epochs N] [--out FILE]

The likelihood of the sheets' own underlay is raised by gradient ascent (Adam), with weights drawn towards zero
(`DECAY`). Whole songs are learnt from, and lines; of those with as many notes as syllables a third.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rhapsody_lib.music.score import TICKS_PER_BEAT
from rhapsody_lib.song import underlay
from rhapsody_lib.song.underlay import SHARE_LIMIT, rows_of
from rhapsody_lib.song.underlay_features import NOTE_FEATURES, SYLLABLE_FEATURES
from rhapsody_lib.song.underlay_lattice import Expected, Floats, Lattice, Rows, Weights
from tests.benchmarks.backing import DATASETS
from tests.benchmarks.underlay_cases import Case, line_cases, sheets, song_case

#: Popular songs; art songs are underlaid by other habits, and make the weights worse for these.
LEARNT_FROM = "openewld"
EPOCHS, BATCH, BATCH_NOTES, RATE, DECAY = 10, 48, 1000, 0.05, 8.0
#: Notes without a syllable are not held, but left unsung, after a rest so long and in longer runs than `_MOST_HELD`.
_UNSUNG_REST_TICKS, _MOST_HELD = TICKS_PER_BEAT // 2, 5
_TABLE = Path(underlay.__file__).with_name("underlay_weights.py")
_COLUMNS = 16
_HEADER = '''"""Weights of `underlay`, as `Weights.vector`. Made by `python -m tests.benchmarks.underlay_fit`."""

from __future__ import annotations

WEIGHTS = """
'''


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


def _batches(texts: Sequence[tuple[Rows, Floats]], order: random.Random) -> list[list[tuple[Rows, Floats]]]:
    """The texts in batches of about one length, in any order."""
    ranked = sorted(texts, key=lambda text: (len(text[0].notes), order.random()))
    batches, start = [], 0
    while start < len(ranked):
        size = max(2, min(BATCH, BATCH_NOTES // len(ranked[start][0].notes)))
        batches.append(ranked[start : start + size])
        start += size
    order.shuffle(batches)
    return batches


def fit(cases: Sequence[Case], epochs: int = EPOCHS, decay: float = DECAY, seed: int = 0) -> Weights:
    """The likeliest weights after so many passes through the cases.

    Cases with more than `SHARE_LIMIT` syllables to a note are left out.
    """
    texts = []
    for case in cases:
        if max(np.bincount(case.own)) <= SHARE_LIMIT and len(case.words) <= SHARE_LIMIT * len(case.notes):
            rows = rows_of(case.notes, case.bars, case.words)
            texts.append((rows, features(truth(case), rows)))
    order = random.Random(seed)
    size = 4 * len(NOTE_FEATURES) * len(SYLLABLE_FEATURES) + 2 * len(NOTE_FEATURES)
    weights, mean, square = np.zeros(size), np.zeros(size), np.zeros(size)
    passes = [batch for _ in range(epochs) for batch in _batches(texts, order)]
    for step, batch in enumerate(passes, start=1):
        current = Weights.of_vector(weights)
        expected = Lattice(current, [rows for rows, _ in batch], SHARE_LIMIT).expected()
        gradient = -decay * weights * len(batch) / len(texts)
        for (rows, wanted), found in zip(batch, expected, strict=True):
            gradient += wanted - features(found, rows)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.99 * square + 0.01 * gradient**2
        rate = RATE * (1 - step / (len(passes) + 1))
        weights = weights + rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return Weights.of_vector(weights)


def training_cases(datasets: Path) -> list[Case]:
    """Whole songs, the lines whose counts differ, and a third of the others, of the half that is not kept back."""
    read = sheets(datasets, LEARNT_FROM, kept_back=False)
    lines = [case for sheet in read for case in line_cases(sheet)]
    differing = [case for case in lines if case.counts_differ]
    even = [case for case in lines if not case.counts_differ]
    return [*differing, *even[::3], *map(song_case, read)]


def table(weights: Weights) -> str:
    """The module that holds the weights."""
    values = [f"{value:.2f}" for value in weights.vector()]
    lines = [" ".join(values[start : start + _COLUMNS]) for start in range(0, len(values), _COLUMNS)]
    return _HEADER + "\n".join(lines) + '\n"""\n'


def main() -> None:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=Path, default=DATASETS)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=_TABLE)
    options = parser.parse_args()
    options.out.write_text(table(fit(training_cases(options.datasets), options.epochs)), encoding="utf-8")


if __name__ == "__main__":
    main()
