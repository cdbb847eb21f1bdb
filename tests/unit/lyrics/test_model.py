from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.model import (
    COPIES_FILE,
    PHRASES_FILE,
    STEERING_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    LyricsModel,
    softmax,
)
from rhapsody_lib.lyrics.vocabulary import LINE_ID, MARKS, Vocabulary
from rhapsody_lib.words.document import Lyrics


def save(model: LyricsModel, folder: Path) -> None:
    model.vocabulary.save(folder / VOCABULARY_FILE)
    save_file(dict(model.weights), folder / WEIGHTS_FILE)
    model.steering.save(folder / STEERING_FILE)
    model.copies.save(folder / COPIES_FILE)
    model.phrases.save(folder / PHRASES_FILE)


def test_saved_and_loaded(model: LyricsModel, songs: list[Lyrics], tmp_path: Path) -> None:
    save(model, tmp_path)
    loaded = LyricsModel.load(tmp_path)
    stream = model.vocabulary.encode_song(songs[0])
    assert (loaded.log_probabilities(stream) == model.log_probabilities(stream)).all()
    assert (loaded.copies.copies.bits == model.copies.copies.bits).all()


@pytest.mark.parametrize("name", [VOCABULARY_FILE, WEIGHTS_FILE, STEERING_FILE, COPIES_FILE, PHRASES_FILE])
def test_a_damaged_file_is_named(model: LyricsModel, tmp_path: Path, name: str) -> None:
    save(model, tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedArtifactError, match=name):
        LyricsModel.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DamagedArtifactError, match=name):
        LyricsModel.load(tmp_path)


def test_files_of_two_trainings_are_refused(model: LyricsModel, tmp_path: Path) -> None:
    save(model, tmp_path)
    Vocabulary(model.vocabulary.words[:-1]).save(tmp_path / VOCABULARY_FILE)
    with pytest.raises(DamagedArtifactError, match="different trainings"):
        LyricsModel.load(tmp_path)


def test_a_step_is_an_lstm_cell(model: LyricsModel) -> None:
    """Against the equations of Hochreiter & Schmidhuber with forget gates, written out."""
    weights, size = model.weights, model.hidden_size
    rng = np.random.default_rng(1)
    hidden, cell = rng.normal(size=(2, 1, size)).astype(np.float32)
    gates = weights["embedding"][3] @ weights["kernel"] + hidden[0] @ weights["recurrent"] + weights["bias"]
    enter, forget, candidate, leave = np.split(gates, 4)
    expected = cell[0] / (1 + np.exp(-forget)) + np.tanh(candidate) / (1 + np.exp(-enter))
    new_hidden, new_cell = model.step(np.array([3], dtype=np.int32), (hidden, cell))
    assert new_cell[0] == pytest.approx(expected, abs=1e-5)
    assert new_hidden[0] == pytest.approx(np.tanh(expected) / (1 + np.exp(-leave)), abs=1e-5)
    features = new_hidden[0] @ weights["projection"] + weights["projection_bias"]
    logits = features @ weights["embedding"].T + weights["output_bias"]
    assert model.logits(new_hidden)[0] == pytest.approx(logits, abs=1e-4)


def test_probabilities_are_proper_with_and_without_the_cache(model: LyricsModel) -> None:
    """Summed over every possible last token of a stream."""
    start = [1, 5, 20, 21, LINE_ID, 20]
    for share in (0.0, 0.3):
        total = sum(
            np.exp(model.log_probabilities(np.array([*start, last], dtype=np.int32), cache_share=share)[-1])
            for last in range(len(model.vocabulary))
        )
        assert total == pytest.approx(1, abs=1e-5)


def test_the_cache_helps_a_song_that_repeats(model: LyricsModel) -> None:
    stream = np.array([1, 5, *([30, 31, 32, LINE_ID] * 6)], dtype=np.int32)
    assert model.perplexity([stream], cache_share=0.3) < 0.7 * model.perplexity([stream])


def test_softmax_of_huge_scores() -> None:
    assert softmax(np.array([[1e4, 0, -1e4]], dtype=np.float32)).tolist() == [[1, 0, 0]]


def test_steering_tables(model: LyricsModel) -> None:
    steering, ids = model.steering, model.vocabulary.ids
    assert steering.syllables[ids["harbour"]] == 2
    assert (steering.syllables[: len(MARKS)] == 0).all()
    assert steering.rhyme_classes[ids["low"]] == steering.rhyme_classes[ids["know"]]
    assert steering.may_end[ids["low"]]
    assert not steering.may_end[ids["the"]]
    assert steering.may_start[ids["the"]]
    assert not steering.may_start[ids["low"]]
    assert steering.line_ends.sum() == steering.line_starts.sum() == steering.line_syllables.sum() == 20
