"""The few likely words of `SongBatch.likely` beside all words of `SongBatch.probabilities`."""

from __future__ import annotations

import numpy as np
import pytest

from rhapsody_lib.lyrics.batch import SongBatch
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.lyrics.palette import LINE, Palette
from rhapsody_lib.lyrics.vocabulary import SONG_ID


@pytest.fixture
def batch(model: LyricsModel) -> SongBatch:
    palette = Palette(model, ["the", "harbour", "lamp"])
    found = SongBatch(model, palette, 3)
    found.read_mark(SONG_ID)
    places = [palette.places[word] for word in ("the", "harbour", "lamp")]
    found.read_lines([places, places[:2], places[1:]])
    return found


@pytest.mark.parametrize("owners", [[0], [0, 0, 1, 2, 2], [1, 2]])
def test_likely_words_have_the_probabilities_that_they_have_among_all(batch: SongBatch, owners: list[int]) -> None:
    rows = np.array(owners)
    arguments = batch.state[0][rows], rows, batch.recent[rows]
    every = batch.probabilities(*arguments)
    for _ in range(2):  # what was added up for the first is not left over for the second
        likely = batch.likely(*arguments, 0.0)
        assert likely.plain == pytest.approx(every[likely.rows, likely.words], rel=1e-4)
        assert len(likely.words) == every.size


def test_a_song_without_words_has_the_probabilities_of_the_model_alone(model: LyricsModel) -> None:
    palette = Palette(model, ["the", "harbour", "lamp"])
    batch = SongBatch(model, palette, 2)
    batch.read_mark(SONG_ID)
    batch.read_lines([[palette.places["lamp"]], None])
    rows = np.arange(2)
    every = batch.probabilities(batch.state[0], rows, batch.recent)
    likely = batch.likely(batch.state[0], rows, batch.recent, 0.0)
    assert likely.plain == pytest.approx(every[likely.rows, likely.words], rel=1e-4)


def test_only_what_followed_or_is_likely_by_itself_is_asked_for(batch: SongBatch) -> None:
    rows = np.arange(3)
    likely = batch.likely(batch.state[0], rows, batch.recent, 0.02)
    assert len(likely.words) < batch.probabilities(batch.state[0], rows, batch.recent).size
    for row in rows.tolist():
        words = likely.words[likely.rows == row].tolist()
        assert words[0] == LINE
        assert words == sorted(set(words))
        assert max(words) < len(batch.palette)
    with_less = batch.likely(batch.state[0], rows, batch.recent, 0.001)
    assert set(zip(likely.rows.tolist(), likely.words.tolist(), strict=True)) < set(
        zip(with_less.rows.tolist(), with_less.words.tolist(), strict=True)
    )
