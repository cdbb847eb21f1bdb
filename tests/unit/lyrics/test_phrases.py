from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.phrases import HISTORY, MOST_RELATED, UNMET_PAIR, UNMET_TRIPLE, PhraseBook, Phrases
from rhapsody_lib.lyrics.vocabulary import LINE_ID

SIZE = 9
TOKENS = st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=60)
CONTEXTS = st.lists(st.lists(st.integers(-1, SIZE - 1), min_size=HISTORY, max_size=HISTORY), min_size=1, max_size=4)


def book(tokens: list[int], words: list[int] | None = None) -> PhraseBook:
    chosen = np.array(words or [LINE_ID, *(token for token in range(SIZE) if token != LINE_ID)])
    return PhraseBook(Phrases(np.array(tokens, dtype=np.int32), SIZE), chosen, np.ones(len(chosen), dtype=np.bool_))


def after(tokens: list[int], context: list[int]) -> np.ndarray:
    """By token, as the book's words are the line mark and then all others in order."""
    probabilities, _ = book(tokens).after(np.array([[*[-1] * (HISTORY - len(context)), *context]]))
    return np.insert(probabilities[0, 1:], LINE_ID, probabilities[0, 0])


@given(TOKENS, CONTEXTS)
def test_probabilities_sum_to_one_after_any_context(tokens: list[int], contexts: list[list[int]]) -> None:
    probabilities, factors = book(tokens).after(np.array(contexts))
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (probabilities > 0).all()
    assert set(np.unique(factors).tolist()) <= {np.float32(value) for value in (UNMET_PAIR, 0.02, UNMET_TRIPLE, 1)}


@given(TOKENS, CONTEXTS, st.lists(st.integers(4, SIZE - 1), min_size=1, unique=True))
def test_a_palette_has_the_same_probabilities(tokens: list[int], contexts: list[list[int]], words: list[int]) -> None:
    every, every_factor = book(tokens).after(np.array(contexts))
    some, some_factor = book(tokens, [LINE_ID, *words]).after(np.array(contexts))
    places = [0, *words]  # the token of a word after the line mark is its place
    assert some == pytest.approx(every[:, places])
    assert (some_factor == every_factor[:, places]).all()


def test_what_followed_is_likely_and_the_longer_context_decides() -> None:
    stream = [0, 1, 2, 7, 1, 4] * 5
    assert np.argmax(after(stream, [0, 1])) == 2
    assert np.argmax(after(stream, [7, 1])) == 4


def test_met_pairs_and_triples_are_preferred() -> None:
    _, factors = book([0, 1, 2, 7, 1, 4]).after(np.array([[-1, 0, 1]]))
    by_token = dict(zip([LINE_ID, 0, 1, 2, 4, 5], factors[0].tolist(), strict=False))
    assert by_token[2] == 1
    assert by_token[4] == pytest.approx(UNMET_TRIPLE)
    assert by_token[0] == by_token[1] == by_token[5] == pytest.approx(UNMET_PAIR)


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
    phrases = Phrases(np.array([0, 1, 2, 1], dtype=np.int32), SIZE)
    phrases.save(path)
    loaded = Phrases.load(path, SIZE)
    for one, other in zip(phrases.followers, loaded.followers, strict=True):
        assert all((vars(one)[name] == vars(other)[name]).all() for name in one.__dataclass_fields__)
    with pytest.raises(DamagedArtifactError, match="another vocabulary"):
        Phrases.load(path, 2)
    path.write_bytes(b"no")
    with pytest.raises(DamagedArtifactError, match=r"phrases\.safetensors"):
        Phrases.load(path, SIZE)
