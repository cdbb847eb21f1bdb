from __future__ import annotations

import pytest

from rhapsody_lib.lyrics import palette as palettes
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.palette import Palette
from rhapsody_lib.lyrics.rhyming import Rhymes


def test_rhymes_of_known_and_unknown_words_end_lines(model: LyricsModel) -> None:
    palette = Palette(model, ["crown"])
    rhymes, places = Rhymes(model.steering, palette), palette.places
    assert not palette.known[places["crown"]]
    for word in ("town", "crown"):
        strengths = rhymes.strengths(places[word])
        assert strengths[places["brown"]] == strengths[places["down"]] == 1
        assert strengths[places["boat"]] == 0
        assert not strengths[~rhymes.may_end].any()
    assert rhymes.strengths(places["town"])[places["town"]] == 0


def test_near_rhymes_count_for_less(model: LyricsModel) -> None:
    palette = Palette(model, [])
    near = Rhymes(model.steering, palette).strengths(palette.places["home"])[palette.places["own"]]
    assert 0 < near < 1


def test_words_with_partners(model: LyricsModel) -> None:
    palette = Palette(model, [])
    rhymes = Rhymes(model.steering, palette)
    assert rhymes.has_partners[palette.places["town"]]
    assert not rhymes.has_partners[palette.places["wall"]]


@pytest.mark.parametrize("words", [1, 25, 40])
def test_a_palette_of_few_words_has_fewer_rhymes(
    model: LyricsModel, monkeypatch: pytest.MonkeyPatch, words: int
) -> None:
    whole = Palette(model, [])
    partners = Rhymes(model.steering, whole).has_partners
    monkeypatch.setattr(palettes, "MOST_WORDS", words)
    palette = Palette(model, [])
    assert palette.rhyme_classes.max() < model.steering.near_rhymes.max()
    rhymes = Rhymes(model.steering, palette)
    for word, text in enumerate(palette.texts):
        assert partners[whole.places[text]] >= rhymes.has_partners[word]
        assert not rhymes.strengths(word)[~rhymes.may_end].any()
