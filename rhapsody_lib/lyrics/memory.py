"""The mixture of `cache` while a song is written, token by token: whole distributions instead of single words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rhapsody_lib.lyrics.cache import (
    CACHE,
    LONGEST_MATCH,
    MATCH,
    NETWORK,
    NGRAM,
    PAIR,
    Floats,
    MixtureSettings,
    features_of,
    shares_of,
)
from rhapsody_lib.lyrics.model import softmax

_ROOM = 64


class SongMemory:
    """What one song has said so far, and what follows from it.

    Args:
        settings: how the opinions are mixed.
        hidden_size: size of the network's state.
        first: the token that opens the song; it is never drawn.
    """

    def __init__(self, settings: MixtureSettings, hidden_size: int, first: int) -> None:
        self._settings = settings
        self._states = np.zeros((_ROOM, hidden_size), dtype=np.float32)
        self._tokens = [first]
        # For each run of up to LONGEST_MATCH tokens, the tokens that followed it.
        self._followers: dict[tuple[int, ...], list[int]] = {}

    def __len__(self) -> int:
        return len(self._tokens) - 1

    def add(self, state: Floats, token: int) -> None:
        """Remember that after `state` [hidden] came `token`."""
        if len(self) == len(self._states):
            self._states = np.concatenate([self._states, np.zeros_like(self._states)])
        self._states[len(self)] = state
        for length in range(1, min(LONGEST_MATCH, len(self._tokens)) + 1):
            self._followers.setdefault(tuple(self._tokens[-length:]), []).append(token)
        self._tokens.append(token)

    def match(self, pending: Sequence[int] = ()) -> int:
        """Length of the longest run of last tokens that the song has said before.

        Args:
            pending: tokens after those remembered, as of a line that is tried and may be thrown away.
        """
        last = self._last(pending)
        length = 0
        while length < len(last) and last[len(last) - length - 1 :] in self._followers:
            length += 1
        return length

    def _last(self, pending: Sequence[int]) -> tuple[int, ...]:
        return tuple([*self._tokens[-LONGEST_MATCH:], *pending][-LONGEST_MATCH:])

    def mixed(
        self,
        network: Floats,
        states: Floats,
        pending: Sequence[Sequence[int]] | None = None,
        ngram: Floats | None = None,
    ) -> Floats:
        """The distribution of the next token, [rows x words]; rows are lines that are tried side by side.

        Args:
            network: the network's distributions, [rows x words].
            states: its states, [rows x hidden].
            pending: for each row its tokens after those remembered; none by default.
            ngram: distributions of the n-gram, [rows x words].
        """
        rows = len(network)
        after = pending or [()] * rows
        matches = np.array([self.match(tokens) for tokens in after], dtype=np.int64)
        position = np.array([len(self) + len(tokens) for tokens in after], dtype=np.int64)
        last = np.array([self._last(tokens)[-1] for tokens in after], dtype=np.int64)
        known = np.ones((rows, NGRAM + 1), dtype=np.bool_)
        known[:, CACHE], known[:, MATCH], known[:, PAIR] = len(self) > 0, matches > 0, matches > 0
        known[:, NGRAM] = ngram is not None
        weights = self._settings.weights(with_ngram=ngram is not None)
        shares = shares_of(features_of(matches, position, last), known, weights).astype(np.float32)
        result = shares[:, NETWORK, None] * network
        if ngram is not None:
            result += shares[:, NGRAM, None] * ngram
        if len(self):
            cached = softmax(self._settings.theta * (states @ self._states[: len(self)].T))
            np.add.at(result.T, np.array(self._tokens[1:]), (shares[:, CACHE, None] * cached).T)
        for row in np.flatnonzero(matches).tolist():
            tokens = self._last(after[row])
            for expert, length in ((MATCH, int(matches[row])), (PAIR, 1)):
                followers = self._followers[tokens[len(tokens) - length :]]
                np.add.at(result[row], followers, shares[row, expert] / np.float32(len(followers)))
        return np.asarray(result, dtype=np.float32)
