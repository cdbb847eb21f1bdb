"""How well a trained backing model tells music that it has not heard, and whether a primer helps it.

Tokens of two releases may differ, music does not: releases are compared by nats per quarter note of the scores. Beside
a 5-gram on the same tokens the figure is told per token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.dataset import MOST_TOKENS, PackedSong, pack
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.tokens import HEADER_TOKENS, TokenSong, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import TICKS_PER_BEAT, Score
from rhapsody_lib.progress import Progress, silent

#: Scores read side by side: this and `MOST_TOKENS` bound memory.
_BATCH_SCORES = 32
#: Bars of a beginning that the model is primed with, and of the continuation that it is then asked about.
PRIMED_BARS, TOLD_BARS = 8, 16
#: Other songs whose beginnings each song is tried with.
OTHER_SONGS = 4


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
    nats = heldout_nats(model, [item.song for item in told], progress=progress)
    beats = sum(item.beats for item in told)
    measured = {"nats_per_beat": float(nats.sum()) / beats} if beats else {}
    return measured | {"beats": beats, "scores": len(told), "unusable_scores": len(scores) - len(told)}


def heldout_nats(
    model: BackingModel, songs: Sequence[PackedSong], *, progress: Progress = silent
) -> NDArray[np.float64]:
    """Negative log-likelihood in nats of all tokens of each song after its header, [songs]."""
    return _nats(model, songs, [HEADER_TOKENS] * len(songs), progress)


def packed_score(model: BackingModel, score: Score) -> PackedSong | None:
    """A score for `heldout_nats`; none for one that the tokens cannot say, or only in more than `MOST_TOKENS`."""
    song = _encoded(model.vocabulary, score)
    if song is None or len(song.ids) > MOST_TOKENS:
        return None
    return pack(model.vocabulary, song, drop_repeats=False)


def _told(model: BackingModel, score: Score) -> _Told | None:
    song = packed_score(model, score)
    return _Told(song, score.end_ticks / TICKS_PER_BEAT) if song else None


def _encoded(vocabulary: Vocabulary, score: Score) -> TokenSong | None:
    try:
        song = encode(vocabulary, score)
    except InputError:
        return None
    return song if song.bars else None


def _nats(
    model: BackingModel, songs: Sequence[PackedSong], begins: Sequence[int], progress: Progress
) -> NDArray[np.float64]:
    """Negative log-likelihood in nats of the tokens of each song from its own place on, [songs]."""
    order = sorted(range(len(songs)), key=lambda index: len(songs[index].ids))
    found = np.zeros(len(songs))
    for first in range(0, len(order), _BATCH_SCORES):
        batch = order[first : first + _BATCH_SCORES]
        found[batch] = _batch_nats(model, [songs[index] for index in batch], [begins[index] for index in batch])
        progress(min(first + _BATCH_SCORES, len(order)), len(order), "scores")
    return found


def _batch_nats(model: BackingModel, songs: Sequence[PackedSong], begins: Sequence[int]) -> NDArray[np.float64]:
    """The same of songs that are read side by side."""
    longest = max(len(song.ids) for song in songs)
    rows = np.zeros((longest, len(songs), COLUMNS), dtype=np.int64)
    targets = np.zeros((longest, len(songs)), dtype=np.int64)
    for line, (song, begin) in enumerate(zip(songs, begins, strict=True)):
        rows[: len(song.ids), line] = song.rows
        targets[begin - 1 : len(song.ids) - 1, line] = song.ids[begin:]
    state, total = model.start(len(songs)), np.zeros(len(songs))
    for step in range(longest - 1):
        embedded = model.embed(rows[step])
        state = model.advance(embedded, state)
        if targets[step].any():
            total += _losses(model.logits(embedded, state), targets[step])
    return total


def _losses(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """The losses in nats, 0 for padding (target 0), [songs]."""
    highest = logits.max(axis=1)
    partition = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    losses = (partition - logits[np.arange(len(targets)), targets]).astype(np.float64)
    return np.where(targets > 0, losses, 0.0)


@dataclass(frozen=True)
class Priming:
    """Nats per token of songs' true continuations, each [songs].

    Args:
        own: after the song's own header and first `PRIMED_BARS` bars.
        others: after those of another song in the same metre and mode; the mean over `OTHER_SONGS` of them.
        others_bars: the same, but under the song's own header: style, tempo and programs are right, only the bars are
            another's.
        none: after the song's own header alone.
    """

    own: NDArray[np.float64]
    others: NDArray[np.float64]
    others_bars: NDArray[np.float64]
    none: NDArray[np.float64]

    def figures(self) -> dict[str, float]:
        """Means in nats per token, and the shares of songs for which the own beginning is the better one."""
        if not len(self.own):
            return {"songs": 0}
        return {
            "songs": len(self.own),
            "own": float(self.own.mean()),
            "others": float(self.others.mean()),
            "others_bars": float(self.others_bars.mean()),
            "none": float(self.none.mean()),
            "better_than_others": float((self.own < self.others).mean()),
            "better_than_others_bars": float((self.own < self.others_bars).mean()),
            "better_than_none": float((self.own < self.none).mean()),
        }


def measure_priming(model: BackingModel, scores: Sequence[Score], *, progress: Progress = silent) -> Priming:
    """How well the model tells songs' continuations after their own beginnings, and after those of other songs.

    All songs are told in C major or A minor, as the tokens have them, so another's beginning is in the right key. The
    `TOLD_BARS` bars after the first `PRIMED_BARS` are told; shorter songs, and songs whose metre and mode no other song
    has, are left out. The others of a song are those that follow it in the order of `scores`, around its end.
    """
    songs = [song for song in (_encoded(model.vocabulary, score) for score in scores) if song is not None]
    songs = [song for song in songs if len(song.bars) >= PRIMED_BARS + TOLD_BARS]
    tried: list[tuple[PackedSong, int]] = []
    sizes: list[int] = []
    for song, others in _with_others(songs):
        sizes.append(len(others))
        beginnings = [(song, song), *((song, other) for other in others), *((other, other) for other in others)]
        tried += [_continued(model.vocabulary, song, head, bars) for head, bars in beginnings]
        tried.append(_continued(model.vocabulary, song, song, None))
    if not tried:
        return Priming(*(np.zeros(0) for _ in range(4)))
    packed, begins = zip(*tried, strict=True)
    tokens = np.asarray([len(song.ids) - begin for song, begin in tried])
    nats = _nats(model, packed, begins, progress) / tokens
    found, place = [], 0
    for size in sizes:
        own, bars, heads, none = np.split(nats[place : place + 2 * size + 2], [1, 1 + size, 1 + 2 * size])
        found.append((own[0], heads.mean(), bars.mean(), none[0]))
        place += 2 * size + 2
    return Priming(*np.asarray(found).T)


def _with_others(songs: Sequence[TokenSong]) -> Iterator[tuple[TokenSong, list[TokenSong]]]:
    """Each song with those after it in the same metre and mode, where there are any."""
    for place, song in enumerate(songs):
        after = [*songs[place + 1 :], *songs[:place]]
        others = [other for other in after if _kind(other) == _kind(song)][:OTHER_SONGS]
        if others:
            yield song, others


def _kind(song: TokenSong) -> tuple[int, int]:
    return song.headers[0][1], song.headers[0][3]


def _continued(
    vocabulary: Vocabulary, song: TokenSong, head: TokenSong, beginning: TokenSong | None
) -> tuple[PackedSong, int]:
    """A song's continuation after a header and the first bars of songs, and where the continuation begins."""
    first = beginning.bars[:PRIMED_BARS] if beginning else ()
    told = song.bars[PRIMED_BARS : PRIMED_BARS + TOLD_BARS]
    whole = TokenSong((head.headers[0],), (*first, *told), song.end)
    return pack(vocabulary, whole, drop_repeats=False), HEADER_TOKENS + sum(map(len, first))
