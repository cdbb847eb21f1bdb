"""Words that a training with a sampled softmax tells the right word from, instead of from all words.

Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation", section 3: each score is
lessened by the log of how often its word is expected among the sample. Words are drawn from the log-uniform
distribution of their rank, which is near Zipf's law, for a vocabulary is sorted by falling count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Words drawn for a batch, without repeats.
ALTERNATIVES = 2048


def draw(
    rng: np.random.Generator, vocabulary_size: int, count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Different words, int32 [count], and the log of the expected count of every word, float32 [vocabulary].

    Args:
        rng: drawn from.
        vocabulary_size: number of tokens.
        count: fewer than there are tokens.
    """
    if not 0 < count < vocabulary_size:
        raise ValueError("a sample holds fewer words than the vocabulary")
    found: dict[int, None] = {}
    tries = 0
    while len(found) < count:
        drawn = np.exp(rng.random(count) * np.log(vocabulary_size + 1)).astype(np.int64) - 1
        for word in np.minimum(drawn, vocabulary_size - 1).tolist():
            tries += 1
            found.setdefault(word)
            if len(found) == count:
                break
    ranks = np.arange(vocabulary_size)
    shares = np.log1p(1 / (ranks + 1)) / np.log(vocabulary_size + 1)
    expected = -np.expm1(tries * np.log1p(-shares))
    return np.fromiter(found, dtype=np.int32, count=count), np.log(expected).astype(np.float32)
