from __future__ import annotations

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
