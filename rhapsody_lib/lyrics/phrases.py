"""The phrases of the training songs: what followed the last few tokens wherever they stood.

A second opinion beside the LSTM. A few ten thousand words teach a network what to say; how a phrase of two or three
words goes is better looked up. Interpolated absolute discounting (Ney, Essen & Kneser 1994) over at most three tokens
of history, looked up in the training stream itself: nothing is counted before it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.vocabulary import LINE_ID, SONG_ID, Tokens

#: Tokens of history, the discount, and how much of the training songs is kept.
HISTORY, _DISCOUNT, MAX_TOKENS = 3, 0.75, 300_000
#: Odds of a word that makes a pair, or only a triple, that the training songs do not have.
UNMET_PAIR, UNMET_TRIPLE = 0.005, 0.03
#: The same for the line mark: no line of the training songs opens with these two words.
UNMET_OPENING = 0.02
#: A word of the same songs as the prompt's is at most so many times likelier; the prior that damps it.
MOST_RELATED, _RELATED_PRIOR = 6.0, 0.5
_DENSE_REMEMBERED, _SPARSE_REMEMBERED = 512, 20_000
Floats = npt.NDArray[np.float32]
_ONCE, _LEFT_OF_ONCE = np.array([1 - _DISCOUNT], dtype=np.float32), np.float32(_DISCOUNT)
Context = tuple[int, ...]


class Phrases:
    """Looks up what follows.

    Args:
        stream: training songs one after another, int32 [tokens].
        vocabulary_size: number of tokens.
    """

    def __init__(self, stream: Tokens, vocabulary_size: int) -> None:
        self._stream = stream[:MAX_TOKENS]
        counts = np.bincount(self._stream, minlength=vocabulary_size) + 0.1
        self._single: Floats = (counts / counts.sum()).astype(np.float32)
        self._size = vocabulary_size
        # For each length of context: its key at every place of the stream, sorted, and the places that follow them.
        self._sorted: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
        keys = np.zeros(len(self._stream), dtype=np.int64)
        for length in range(1, HISTORY + 1):
            keys = keys[: len(self._stream) - length] * vocabulary_size + self._stream[length - 1 : -1]
            order = np.argsort(keys, kind="stable")
            self._sorted.append((keys[order], order + length))
        self._followers = lru_cache(_SPARSE_REMEMBERED)(self._count_followers)
        self._after_one = lru_cache(_DENSE_REMEMBERED)(self._after_token)
        self._met_pairs = lru_cache(_DENSE_REMEMBERED)(self._pair_factors)

    def _ends(self, context: Context) -> npt.NDArray[np.int64]:
        """Places of the stream that come right after the context."""
        keys, ends = self._sorted[len(context) - 1]
        if max(context) >= self._size:  # a word that the model does not know: its key would be another context's
            return ends[:0]
        key = 0
        for token in context:
            key = key * self._size + token
        first, last = np.searchsorted(keys, (key, key + 1))
        return ends[first:last]

    def _count_followers(self, context: Context) -> tuple[Tokens, Floats, np.float32] | None:
        """Tokens that followed, the discounted share of each, and what is left to shorter contexts."""
        ends = self._ends(context)
        if not len(ends):
            return None
        if len(ends) == 1:  # most contexts; counting costs ten times as much
            return self._stream[ends], _ONCE, _LEFT_OF_ONCE
        found, counts = np.unique(self._stream[ends], return_counts=True)
        shares = ((counts - _DISCOUNT) / len(ends)).astype(np.float32)
        return found, shares, np.float32(_DISCOUNT * len(found) / len(ends))

    def _after_token(self, token: int) -> Floats:
        return self._add_followers(self._single.copy(), (token,))

    def _add_followers(self, result: Floats, context: Context) -> Floats:
        followers = self._followers(context)
        if followers is not None:
            found, shares, left = followers
            result *= left
            result[found] += shares
        return result

    def after(self, context: Sequence[int]) -> Floats:
        """Probability of every token after a context's last `HISTORY` tokens, float32 [vocabulary]; a new array."""
        key = tuple(context[-HISTORY:])
        result: Floats = (self._after_one(key[-1]) if key else self._single).copy()
        for length in range(2, len(key) + 1):
            self._add_followers(result, key[-length:])
        return result

    def fluency(self, context: Sequence[int]) -> Floats:
        """Factors for the odds of every next token, so that a line keeps to pairs and triples of words that were met.

        float32 [vocabulary]: 1 for a token that followed the last two tokens of the context, less for one that followed
        only the last, least for one that never did.
        """
        factors: Floats = self._met_pairs(context[-1]).copy()
        factors[LINE_ID] = min(factors[LINE_ID], UNMET_OPENING)
        followers = self._followers(tuple(context[-2:]))
        if followers is not None:
            factors[followers[0]] = 1
        return factors

    def _pair_factors(self, token: int) -> Floats:
        factors = np.full(len(self._single), UNMET_PAIR, dtype=np.float32)
        followers = self._followers((token,))
        if followers is not None:
            factors[followers[0]] = UNMET_TRIPLE
        return factors

    def related(self, words: Sequence[int]) -> Floats:
        """How many times likelier each token is in the training songs that hold some of `words`, float32 [vocabulary].

        1 where nothing is known, at most `MOST_RELATED`. A relevance model (Lavrenko & Croft 2001, "Relevance-Based
        Language Models"): songs count by the rarity of the words that they share.
        """
        size = len(self._single)
        songs = np.cumsum(self._stream == SONG_ID)
        in_songs = np.zeros(int(songs[-1]) + 1)
        for word in set(words):
            holding = np.unique(songs[self._stream == word])
            if len(holding):
                in_songs[holding] += np.log(len(in_songs) / len(holding))
        weights = in_songs[songs]
        if not weights.any():
            return np.ones(size, dtype=np.float32)
        found = np.bincount(self._stream, weights=weights, minlength=size) / weights.sum()
        ratio = (found + self._single * _RELATED_PRIOR) / (self._single * (1 + _RELATED_PRIOR))
        return np.asarray(np.clip(ratio, 1, MOST_RELATED), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({"stream": np.ascontiguousarray(self._stream)}, path)

    @classmethod
    def load(cls, path: Path, vocabulary_size: int) -> Phrases:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is missing, is none, or is of another vocabulary.
        """
        try:
            stream = load_file(path)["stream"].astype(np.int32)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise DamagedArtifactError(f"{path}: cannot be read ({error}). Train the lyrics model again.") from error
        if stream.ndim != 1 or not len(stream) or stream.min() < 0 or stream.max() >= vocabulary_size:
            raise DamagedArtifactError(f"{path}: is of another vocabulary. Train the lyrics model again.")
        return cls(stream, vocabulary_size)
