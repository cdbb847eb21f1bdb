from __future__ import annotations

from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.rhyming import Rhymes


def test_rhymes_of_known_and_unknown_words_end_lines(model: LyricsModel) -> None:
    words = (*model.vocabulary.tokens, "crown", "zzz")
    rhymes, ids = Rhymes(model.steering, words), model.vocabulary.ids
    for word in (ids["town"], len(ids)):
        strengths = rhymes.strengths(word)
        assert strengths[ids["brown"]] == strengths[ids["down"]] == 1
        assert strengths[ids["boat"]] == 0
        assert not strengths[~rhymes.may_end].any()
    assert rhymes.strengths(ids["town"])[ids["town"]] == 0


def test_near_rhymes_count_for_less(model: LyricsModel) -> None:
    rhymes, ids = Rhymes(model.steering, model.vocabulary.tokens), model.vocabulary.ids
    near = rhymes.strengths(ids["home"])[ids["own"]]
    assert 0 < near < 1


def test_words_with_partners(model: LyricsModel) -> None:
    rhymes, ids = Rhymes(model.steering, model.vocabulary.tokens), model.vocabulary.ids
    assert rhymes.has_partners[ids["town"]]
    assert not rhymes.has_partners[ids["wall"]]
