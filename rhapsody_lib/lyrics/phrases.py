"""The phrases of the training songs: what followed the last few tokens wherever they stood.

A second opinion beside the LSTM. A few ten thousand words teach a network what to say; how a phrase of two or three
words goes is better looked up. Interpolated absolute discounting (Ney, Essen & Kneser 1994) over at most three tokens
of history, counted once, when the model is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
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
#: Keys of contexts of different lengths are so far apart.
_SPAN = 1 << 61
_SPANS = (_SPAN * np.arange(HISTORY))[:, None]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Followers:
    """What followed each context of one length.

    Args:
        contexts: keys of the contexts, ascending, int64.
        starts: where the followers of each begin, and the end of all, [contexts + 1].
        tokens: the followers, int32.
        counts: how often each followed, int32.
    """

    contexts: Places
    starts: Tokens | Places
    tokens: Tokens
    counts: Tokens

    @classmethod
    def count(cls, keys: Places, tokens: Tokens, size: int) -> Followers:
        """Count the token after each key."""
        contexts, places = np.unique(keys, return_inverse=True)
        pairs, counts = np.unique(places.astype(np.int64) * size + tokens, return_counts=True)
        starts = np.searchsorted(pairs, np.arange(len(contexts) + 1, dtype=np.int64) * size)
        followers = (pairs % size).astype(np.int32)
        return cls(contexts.astype(np.int64), starts.astype(np.int32), followers, counts.astype(np.int32))

    @cached_property
    def shares(self) -> Floats:
        """The discounted share of each follower among those of its context, float32."""
        totals = np.add.reduceat(self.counts, self.starts[:-1]) if len(self.counts) else self.counts
        shares = (self.counts - np.float32(_DISCOUNT)) / np.repeat(totals, np.diff(self.starts))
        return np.asarray(shares, dtype=np.float32)

    @cached_property
    def left(self) -> Floats:
        """The share of each context that is left to shorter ones, float32; 1 for a context that was never met."""
        sizes = np.diff(self.starts)
        totals = np.add.reduceat(self.counts, self.starts[:-1]) if len(self.counts) else self.counts
        return np.append(_DISCOUNT * sizes / totals, 1).astype(np.float32)

    def find(self, keys: Places) -> tuple[Places, Places, Floats]:
        """Followers of contexts, [rows] keys, of which those below 0 have none.

        Returns:
            Of each follower its row and its place in `tokens`; and of each row the share left to shorter contexts.
        """
        contexts = np.searchsorted(self.contexts, keys)
        met = np.flatnonzero(self.contexts.take(contexts, mode="clip") == keys) if len(self.contexts) else contexts[:0]
        contexts, left = contexts[met], np.ones(len(keys), dtype=np.float32)
        left[met] = self.left[contexts]
        starts = self.starts[contexts]
        sizes = self.starts[contexts + 1] - starts
        ends = np.cumsum(sizes)
        places = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)
        return np.repeat(met, sizes), places, left


class Phrases:
    """The counted phrases, and the songs that they come from.

    Args:
        stream: training songs one after another, int32 [tokens].
        vocabulary_size: number of tokens.
        followers: by length of context, from 1; counted here where none are given.
    """

    def __init__(self, stream: Tokens, vocabulary_size: int, followers: Sequence[Followers] = ()) -> None:
        self._stream = stream[:MAX_TOKENS]
        counts = np.bincount(self._stream, minlength=vocabulary_size) + 0.1
        self.single: Floats = (counts / counts.sum()).astype(np.float32)
        self.size = vocabulary_size
        self.followers = tuple(followers) or self._count()

    def _count(self) -> tuple[Followers, ...]:
        stream, found = self._stream, []
        keys = np.zeros(len(stream), dtype=np.int64)
        for length in range(1, HISTORY + 1):
            keys = keys[: max(len(stream) - length, 0)] * self.size + stream[length - 1 : -1]
            found.append(Followers.count(keys, stream[length:], self.size))
        return tuple(found)

    @cached_property
    def joined(self) -> Followers:
        """The followers of contexts of all lengths, with the keys of `keys`."""
        firsts = np.cumsum([0, *(len(found.tokens) for found in self.followers)])
        contexts = [found.contexts + _SPAN * order for order, found in enumerate(self.followers)]
        starts = [found.starts[:-1] + first for found, first in zip(self.followers, firsts[:-1], strict=True)]
        return Followers(
            np.concatenate(contexts),
            np.append(np.concatenate(starts), firsts[-1]).astype(np.int64),
            *(np.concatenate([getattr(found, name) for found in self.followers]) for name in ("tokens", "counts")),
        )

    def keys(self, contexts: Places) -> Places:
        """The keys of the last one, two ... tokens of each row, -1 where one of them is none, [history x rows].

        Args:
            contexts: as `PhraseBook.met` has them.
        """
        newest = contexts[:, ::-1].T
        keys = (newest * self._powers).cumsum(axis=0)
        keys += _SPANS
        keys[np.minimum.accumulate(newest, axis=0) < 0] = -1
        return np.asarray(keys)

    @cached_property
    def _powers(self) -> Places:
        return np.asarray((self.size ** np.arange(HISTORY))[:, None])

    def related(self, words: Sequence[int]) -> Floats:
        """How many times likelier each token is in the training songs that hold some of `words`, float32 [vocabulary].

        1 where nothing is known, at most `MOST_RELATED`. A relevance model (Lavrenko & Croft 2001, "Relevance-Based
        Language Models"): songs count by the rarity of the words that they share.
        """
        songs = np.cumsum(self._stream == SONG_ID)
        in_songs = np.zeros(int(songs[-1]) + 1)
        for word in set(words):
            holding = np.unique(songs[self._stream == word])
            if len(holding):
                in_songs[holding] += np.log(len(in_songs) / len(holding))
        weights = in_songs[songs]
        if not weights.any():
            return np.ones(self.size, dtype=np.float32)
        found = np.bincount(self._stream, weights=weights, minlength=self.size) / weights.sum()
        ratio = (found + self.single * _RELATED_PRIOR) / (self.single * (1 + _RELATED_PRIOR))
        return np.asarray(np.clip(ratio, 1, MOST_RELATED), dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        counted = {
            f"{name}_{length}": array
            for length, found in enumerate(self.followers, start=1)
            for name in found.__dataclass_fields__
            for array in (getattr(found, name),)
        }
        save_file({"stream": np.ascontiguousarray(self._stream), **counted}, path)

    @classmethod
    def load(cls, path: Path, vocabulary_size: int) -> Phrases:
        """Read what `save` wrote.

        Raises:
            DamagedArtifactError: the file is missing, is none, or is of another vocabulary.
        """
        names = Followers.__dataclass_fields__
        try:
            found = load_file(path)
            stream = found["stream"]
            followers = [Followers(*(found[f"{name}_{order}"] for name in names)) for order in range(1, HISTORY + 1)]
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise DamagedArtifactError(f"{path}: cannot be read ({error}). Train the lyrics model again.") from error
        if stream.ndim != 1 or not len(stream) or stream.min() < 0 or stream.max() >= vocabulary_size:
            raise DamagedArtifactError(f"{path}: is of another vocabulary. Train the lyrics model again.")
        return cls(stream, vocabulary_size, followers)


@dataclass(frozen=True)
class Met:
    """What followed the contexts of some rows, contexts of one token first. No word stands twice for a length.

    Args:
        flat: places in [rows x (words + 1)], where the last column is of all words that are none of the palette.
        shares: what each adds to the probability there, float32.
        ends: where those of each length end.
        left: the share of each row that words have by themselves, float32 [rows].
    """

    flat: Places
    shares: Floats
    ends: list[int]
    left: Floats

    def add_to(self, found: Floats) -> None:
        """Add the probabilities to an array over the places."""
        for start, end in zip([0, *self.ends], self.ends, strict=False):
            found[self.flat[start:end]] += self.shares[start:end]


class PhraseBook:
    """Phrases among the words of one palette.

    Args:
        phrases: the training songs'.
        words: the token of each word of the palette, int64 [words], of which the first is the line mark.
        known: whether the model knows the word.
    """

    def __init__(self, phrases: Phrases, words: Places, known: npt.NDArray[np.bool_]) -> None:
        self._phrases, self._words = phrases, len(words)
        # Tokens outside of the palette fall into a column of their own, which is cut off.
        self._columns = np.full(phrases.size, len(words), dtype=np.int64)
        self._columns[words[known]] = np.flatnonzero(known)
        # Tokens outside of the palette have a column too.
        self.single: Floats = np.append(np.where(known, phrases.single[words], 0), 0).astype(np.float32)
        self._joined = phrases.joined
        self._odds: Floats = np.zeros(0, dtype=np.float32)
        self._of_tokens = self._columns[self._joined.tokens]
        self._line = int(self._columns[LINE_ID])

    def met(self, contexts: Places) -> Met:
        """What followed the last tokens of each row.

        Args:
            contexts: the last `HISTORY` tokens of each row, the newest last, -1 for none, int64 [rows x history].
        """
        rows = len(contexts)
        owners, places, left = self._joined.find(self._phrases.keys(contexts).reshape(-1))
        ends = np.searchsorted(owners, np.arange(rows, rows * HISTORY + 1, rows))
        # What a context leaves is shared out by the shorter ones.
        shorter = np.cumprod(left.reshape(HISTORY, rows)[::-1], axis=0)[::-1]
        weights = np.concatenate([shorter[1:].reshape(-1), np.ones(rows, dtype=np.float32)])
        flat = owners % rows * (self._words + 1) + self._of_tokens[places]
        return Met(flat, self._joined.shares[places] * weights[owners], ends.tolist(), shorter[0])

    def factors(self, met: Met, flat: Places, columns: Places) -> Floats:
        """Factors for the odds of words: they keep a line to pairs and triples of words that were met.

        1 for a word that followed the last two tokens, less for one that followed only the last, least for one that
        never did.

        Args:
            met: of the rows.
            flat: the words' places in [rows x (words + 1)].
            columns: the words.
        """
        if len(self._odds) < len(met.left) * (self._words + 1):
            self._odds = np.full(len(met.left) * (self._words + 1), UNMET_PAIR, dtype=np.float32)
        pairs, triples, odds = met.flat[: met.ends[0]], met.flat[met.ends[0] : met.ends[1]], self._odds
        odds[pairs] = UNMET_TRIPLE
        odds[triples] = 1
        factors = odds[flat]
        odds[pairs] = UNMET_PAIR
        lines = np.flatnonzero(columns == self._line)
        marks = factors[lines]
        factors[lines] = np.where(marks < 1, np.minimum(marks, np.float32(UNMET_OPENING)), marks)
        return factors

    def after(self, contexts: Places) -> Floats:
        """Probabilities of the next word after each context, float32 [rows x words]."""
        met, wide = self.met(contexts), self._words + 1
        probabilities = met.left[:, None] * self.single
        met.add_to(probabilities.reshape(-1))
        return probabilities.reshape(-1, wide)[:, :-1]
