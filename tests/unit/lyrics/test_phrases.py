from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.phrases import MOST_RELATED, UNMET_PAIR, UNMET_TRIPLE, Phrases

TOKENS = st.lists(st.integers(0, 5), min_size=1, max_size=60)


@given(TOKENS, st.lists(st.integers(0, 7), max_size=5))
def test_probabilities_sum_to_one_after_any_context(tokens: list[int], context: list[int]) -> None:
    after = Phrases(np.array(tokens, dtype=np.int32), 8).after(context)
    assert after.sum() == pytest.approx(1, abs=1e-5)
    assert (after > 0).all()


def test_what_followed_is_likely_and_the_longer_context_decides() -> None:
    phrases = Phrases(np.array([0, 1, 2, 3, 1, 4] * 5, dtype=np.int32), 6)
    assert np.argmax(phrases.after([0, 1])) == 2
    assert np.argmax(phrases.after([3, 1])) == 4
    assert (phrases.after([0, 1]) == phrases.after([0, 1])).all()


def test_a_word_outside_the_vocabulary_tells_nothing() -> None:
    phrases = Phrases(np.array([0, 1, 2, 3, 1, 4] * 5, dtype=np.int32), 6)
    # 6 * 0 + 7 would be the key of the pair (1, 1).
    for context in ([7], [1, 7], [7, 3]):
        known = context[1:] if context[-1] < 6 else []
        assert (phrases.after(context) == phrases.after(known)).all()
    assert set(phrases.fluency([7]).tolist()) == {np.float32(UNMET_PAIR)}


def test_met_pairs_and_triples_are_preferred() -> None:
    phrases = Phrases(np.array([0, 1, 2, 3, 1, 4], dtype=np.int32), 6)
    assert phrases.fluency([0, 1]).tolist() == pytest.approx(
        [UNMET_PAIR, UNMET_PAIR, 1, UNMET_PAIR, UNMET_TRIPLE, UNMET_PAIR]
    )


def test_words_of_the_theme_s_songs_are_related() -> None:
    songs = [[1, 5, 6, 7, 8], [1, 5, 6, 7, 9], [1, 9, 9, 9, 8], [1, 8, 8, 9, 10]]
    phrases = Phrases(np.array(songs * 3, dtype=np.int32).reshape(-1), 12)
    related = phrases.related([5])
    assert related[6] == related[7] > 1.5
    assert related[10] == 1
    assert related.max() <= MOST_RELATED
    assert set(phrases.related([]).tolist()) == set(phrases.related([11]).tolist()) == {1.0}


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "phrases.safetensors"
    phrases = Phrases(np.array([0, 1, 2, 1], dtype=np.int32), 4)
    phrases.save(path)
    assert (Phrases.load(path, 4).after([1]) == phrases.after([1])).all()
    with pytest.raises(DamagedArtifactError, match="another vocabulary"):
        Phrases.load(path, 2)
    path.write_bytes(b"no")
    with pytest.raises(DamagedArtifactError, match=r"phrases\.safetensors"):
        Phrases.load(path, 4)
