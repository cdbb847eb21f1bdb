"""How well a trained backing model tells music that it has not heard, in a figure that releases can be compared by.

Tokens of two releases may differ, music does not: the negative log-likelihood is told per quarter note of the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.dataset import PackedSong, pack
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.tokens import HEADER_TOKENS, encode
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import TICKS_PER_BEAT, Score
from rhapsody_lib.progress import Progress, silent

#: Scores read side by side, and tokens that a score may have: both bound memory.
_BATCH_SCORES, _MAX_TOKENS = 32, 20_000


@dataclass(frozen=True)
class _Told:
    song: PackedSong
    beats: float


def evaluate_backing(model: BackingModel, scores: Sequence[Score], *, progress: Progress = silent) -> dict[str, float]:
    """Nats per quarter note over whole scores after their headers, and what it was measured on.

    Scores that the tokens cannot say, or only in too many, are left out; where none is left there is no
    `nats_per_beat`.
    """
    told = [song for song in (_told(model, score) for score in scores) if song is not None]
    told.sort(key=lambda item: len(item.song.ids))
    total = 0.0
    for first in range(0, len(told), _BATCH_SCORES):
        total += _nats(model, [item.song for item in told[first : first + _BATCH_SCORES]])
        progress(min(first + _BATCH_SCORES, len(told)), len(told), "scores")
    beats = sum(item.beats for item in told)
    measured = {"nats_per_beat": total / beats} if beats else {}
    return measured | {"beats": beats, "scores": len(told), "unusable_scores": len(scores) - len(told)}


def _told(model: BackingModel, score: Score) -> _Told | None:
    try:
        tokens = encode(model.vocabulary, score)
    except InputError:
        return None
    if not tokens.bars or len(tokens.ids) > _MAX_TOKENS:
        return None
    return _Told(pack(model.vocabulary, tokens, drop_repeats=False), score.end_ticks / TICKS_PER_BEAT)


def _nats(model: BackingModel, songs: Sequence[PackedSong]) -> float:
    """Negative log-likelihood in nats of all tokens after the headers of songs, read side by side."""
    longest = max(len(song.ids) for song in songs)
    rows = np.zeros((longest, len(songs), COLUMNS), dtype=np.int64)
    targets = np.zeros((longest, len(songs)), dtype=np.int64)
    for line, song in enumerate(songs):
        rows[: len(song.ids), line] = song.rows
        targets[HEADER_TOKENS - 1 : len(song.ids) - 1, line] = song.ids[HEADER_TOKENS:]
    state, total = model.start(len(songs)), 0.0
    for step in range(longest - 1):
        embedded = model.embed(rows[step])
        state = model.advance(embedded, state)
        if targets[step].any():
            total += _loss(model.logits(embedded, state), targets[step])
    return total


def _loss(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Sum of the losses in nats, but of padding (target 0)."""
    highest = logits.max(axis=1)
    partition = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    losses = partition - logits[np.arange(len(targets)), targets]
    return float(losses[targets > 0].sum(dtype=np.float64))
