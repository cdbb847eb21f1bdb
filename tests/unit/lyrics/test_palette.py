from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rhapsody_lib.lyrics import palette as palettes
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.palette import LINE, Palette
from rhapsody_lib.lyrics.vocabulary import LINE_ID, MARKS, UNKNOWN_ID


def test_the_line_mark_then_all_words_then_the_prompt_s_own(model: LyricsModel) -> None:
    palette = Palette(model, ["tide", "zebra", "zebra", "\N{PARTY POPPER}"])
    assert palette.ids[LINE] == LINE_ID
    assert palette.texts[1:] == (*model.vocabulary.words, "zebra", "\N{PARTY POPPER}")
    assert palette.ids[-2:].tolist() == [UNKNOWN_ID, UNKNOWN_ID]
    assert palette.syllables[palette.places["zebra"]] == 2
    assert palette.odds[-2:].tolist() == [1, 0]
    assert not set(palette.texts) & set(MARKS[:3])


def test_a_large_vocabulary_is_cut_to_the_used_and_the_related(
    model: LyricsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(palettes, "MOST_WORDS", 20)
    monkeypatch.setattr(palettes, "COMMON_WORDS", len(MARKS) + 5)
    rare = model.vocabulary.words[-1]
    palette = Palette(model, [rare, "telephone"])
    assert len(palette) == 21
    assert {rare, "telephone"} <= set(palette.texts)
    assert set(model.vocabulary.words[:5]) <= set(palette.texts)


def test_what_may_not_be_drawn_is_there_only_if_the_prompt_says_it(model: LyricsModel) -> None:
    drawable = np.ones(len(model.vocabulary), dtype=np.bool_)
    drawable[model.vocabulary.ids["tide"]] = drawable[model.vocabulary.ids["skin"]] = False
    model = dataclasses.replace(model, steering=dataclasses.replace(model.steering, drawable=drawable))
    palette = Palette(model, ["the", "tide"])
    assert "skin" not in palette.places
    assert palette.ids[palette.places["tide"]] == model.vocabulary.ids["tide"]
