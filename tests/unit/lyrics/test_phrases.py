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


def factors_of(found: PhraseBook, contexts: np.ndarray, words: int) -> np.ndarray:
    """Of all words after each context, [contexts x words]."""
    rows, columns = (places.reshape(-1) for places in np.indices((len(contexts), words)))
    return found.factors(found.met(contexts), rows * (words + 1) + columns, columns).reshape(len(contexts), words)


def after(tokens: list[int], context: list[int]) -> np.ndarray:
    """By token, as the book's words are the line mark and then all others in order."""
    probabilities = book(tokens).after(np.array([[*[-1] * (HISTORY - len(context)), *context]]))
    return np.insert(probabilities[0, 1:], LINE_ID, probabilities[0, 0])


@given(TOKENS, CONTEXTS)
def test_probabilities_sum_to_one_after_any_context(tokens: list[int], contexts: list[list[int]]) -> None:
    probabilities = book(tokens).after(np.array(contexts))
    factors = factors_of(book(tokens), np.array(contexts), SIZE)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (probabilities > 0).all()
    assert set(np.unique(factors).tolist()) <= {np.float32(value) for value in (UNMET_PAIR, 0.02, UNMET_TRIPLE, 1)}


@given(TOKENS, CONTEXTS, st.lists(st.integers(4, SIZE - 1), min_size=1, unique=True))
def test_a_palette_has_the_same_probabilities(tokens: list[int], contexts: list[list[int]], words: list[int]) -> None:
    whole, part, asked = book(tokens), book(tokens, [LINE_ID, *words]), np.array(contexts)
    every, every_factor = whole.after(asked), factors_of(whole, asked, SIZE)
    some, some_factor = part.after(asked), factors_of(part, asked, 1 + len(words))
    places = [0, *words]  # the token of a word after the line mark is its place
    assert some == pytest.approx(every[:, places])
    assert (some_factor == every_factor[:, places]).all()


def test_what_followed_is_likely_and_the_longer_context_decides() -> None:
    stream = [0, 1, 2, 7, 1, 4] * 5
    assert np.argmax(after(stream, [0, 1])) == 2
    assert np.argmax(after(stream, [7, 1])) == 4


def test_met_pairs_and_triples_are_preferred() -> None:
    factors = factors_of(book([0, 1, 2, 7, 1, 4]), np.array([[-1, 0, 1]]), SIZE)
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
