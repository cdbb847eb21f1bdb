"""Words that a training with a sampled softmax tells the right word from, instead of from all words.

Jean et al. 2015, "On Using Very Large Target Vocabulary for Neural Machine Translation", section 3: each score is
lessened by the log of how often its word is expected among the sample. Words are drawn from the log-uniform
distribution of their rank by falling count, which is near Zipf's law.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Words drawn for a batch, without repeats.
ALTERNATIVES = 2048


def draw(
    rng: np.random.Generator, by_count: npt.NDArray[np.integer], count: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Different words, int32 [count], and the log of the expected count of every word, float32 [vocabulary].

    Args:
        rng: drawn from.
        by_count: all tokens by falling count in the training songs, int [vocabulary]. Not by their number: where a
            training starts from a base, the corpus's own words are the last.
        count: fewer than there are tokens.
    """
    vocabulary_size = len(by_count)
    if not 0 < count < vocabulary_size:
        raise ValueError("a sample holds fewer words than the vocabulary")
    found: dict[int, None] = {}
    tries = 0
    while len(found) < count:
        drawn = np.exp(rng.random(count) * np.log(vocabulary_size + 1)).astype(np.int64) - 1
        for rank in np.minimum(drawn, vocabulary_size - 1).tolist():
            tries += 1
            found.setdefault(rank)
            if len(found) == count:
                break
    ranks = np.arange(vocabulary_size)
    shares = np.log1p(1 / (ranks + 1)) / np.log(vocabulary_size + 1)
    log_expected = np.empty(vocabulary_size, dtype=np.float32)
    log_expected[by_count] = np.log(-np.expm1(tries * np.log1p(-shares)))
    return by_count[np.fromiter(found, dtype=np.int64, count=count)].astype(np.int32), log_expected
