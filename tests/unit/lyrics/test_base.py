"""The base model's folder: what is stored is what is read, what it has read is told, new words join."""

from __future__ import annotations

import numpy as np
import pytest

from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.lyrics.base import base_digest, open_base, save_base
from rhapsody_lib.lyrics.base_export import model_card
from rhapsody_lib.lyrics.copying import COPY_WORDS
from rhapsody_lib.lyrics.runs import RunFilter, run_hashes, word_hashes
from rhapsody_lib.lyrics.vocabulary import MARKS, Vocabulary
from rhapsody_lib.words.document import parse_lyrics

READ = "you walk along the silver river at night and you do not come home"
WORDS = ("the", "river", "night", "thou", "zorgle", "mary", "sing")


def small_weights(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = {
        "embedding": (size, 6), "kernel": (6, 20), "recurrent": (5, 20), "bias": (20,),
        "projection": (5, 6), "projection_bias": (6,), "output_bias": (size,),
    }  # fmt: skip
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path):
    vocabulary = Vocabulary(WORDS, frozenset({"mary"}))
    copies = RunFilter.of_size(100)
    copies.add(run_hashes(word_hashes(READ.split()), COPY_WORDS))
    save_base(tmp_path / "base", vocabulary, small_weights(len(vocabulary)), copies)
    return tmp_path / "base"


def test_none_is_no_base():
    assert open_base("none") is None
    assert base_digest("none") == ""


def test_weights_come_back_within_half_a_step_of_their_row(folder):
    base, weights = open_base(str(folder)), small_weights(len(MARKS) + len(WORDS))
    assert (base.embedding_size, base.hidden_size) == (6, 5)
    assert sorted(base.weights) == sorted(weights)
    for name, array in weights.items():
        assert base.weights[name].dtype == np.float32
        step = np.abs(array).max(axis=-1, keepdims=True) / 127 if array.ndim > 1 else 0
        assert (np.abs(base.weights[name] - array) <= step / 2 + 1e-6).all()


def test_the_share_of_a_song_that_was_read_is_told_also_in_old_words(folder):
    base = open_base(str(folder))
    assert base.share_known(parse_lyrics(READ)) == 1
    assert base.share_known(parse_lyrics("Thou walkest along the silver river")) == 1
    assert base.share_known(parse_lyrics("a garden full of roses and no one to water them there")) == 0
    assert base.share_known(parse_lyrics("too short")) == 0
    assert base.share_known(parse_lyrics("")) == 0


def test_words_of_the_corpus_and_plain_words_may_be_drawn(folder):
    base = open_base(str(folder))
    drawable = base.drawable(base.vocabulary, np.zeros(len(base.vocabulary), dtype=np.int32))
    assert dict(zip(WORDS, drawable[len(MARKS) :], strict=True)) == {
        "the": True, "river": True, "night": True, "sing": True, "thou": False, "zorgle": False, "mary": False,
    }  # fmt: skip
    assert drawable[: len(MARKS)].all()
    assert base.drawable(base.vocabulary, np.ones(len(base.vocabulary), dtype=np.int32)).all()
    assert base.archaic == {"thou"}


def test_a_corpus_adds_its_own_words_behind_those_of_the_base(folder):
    base = open_base(str(folder))
    vocabulary, weights = base.extended(Vocabulary(("robot", "river", "ada"), frozenset({"ada"})), seed=1)
    assert vocabulary.words == (*WORDS, "robot", "ada")
    assert vocabulary.names == {"mary", "ada"}
    assert weights["embedding"].shape == (len(vocabulary), 6)
    assert weights["output_bias"].shape == (len(vocabulary),)
    np.testing.assert_array_equal(weights["embedding"][:-2], base.weights["embedding"])
    assert not np.array_equal(weights["embedding"][-1], weights["embedding"][-2])
    assert np.array_equal(weights["embedding"], base.extended(Vocabulary(("robot", "ada")), seed=1)[1]["embedding"])


def test_another_file_gives_another_digest(folder):
    before = base_digest(str(folder))
    assert before == open_base(str(folder)).digest
    weights = small_weights(len(MARKS) + len(WORDS))
    save_base(folder, Vocabulary(WORDS), {**weights, "bias": weights["bias"] + 1}, RunFilter.of_size(100))
    assert base_digest(str(folder)) != before


@pytest.mark.parametrize("open_it", [open_base, base_digest])
def test_a_folder_that_is_none_is_one_clear_error(tmp_path, open_it):
    with pytest.raises(InputError, match="is no folder of a base model"):
        open_it(str(tmp_path))
    with pytest.raises(InputError, match=r"lyrics\.base 'packaged'.*Use 'none'.*'rhapsody base lyrics'"):
        open_it("packaged")


@pytest.mark.parametrize("name", ["quantised.safetensors", "vocabulary.json", "read.safetensors"])
def test_a_damaged_file_is_told(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:20])
    with pytest.raises(DamagedArtifactError, match="is damaged"):
        open_base(str(folder))


def test_files_of_two_models_are_told(folder):
    Vocabulary(WORDS[:3]).save(folder / "vocabulary.json")
    with pytest.raises(DamagedArtifactError, match="do not belong together"):
        open_base(str(folder))


def test_a_model_card_names_the_sources_as_given_and_leaves_their_licence_to_the_user():
    told = {
        "songs": 3,
        "words": 40,
        "unknown_share": 0.1,
        "word_perplexity": 300.0,
        "word_perplexity_with_cache": 250.0,
    }
    figures = {
        "date": "2030-01-01", "command": "rhapsody base lyrics my.jsonl --out base", "digest": "0" * 64, "words": 7,
        "embedding_size": 6, "hidden_size": 5, "bytes": {"all": 1_200_000}, "train_words": 12345, "heldout_share": 0.25,
        "data": {"kept": {"my.jsonl": 1234}, "left_out": {"long_lines": 2}},
        "heldout": {"my.jsonl": {"float32": told, "stored": told}, "none": {"float32": {}, "stored": {}}},
    }  # fmt: skip
    card = model_card(figures)
    assert "- my.jsonl: 1,234\n" in card
    assert "25% of the groups" in card
    assert "long lines 2" in card
    assert "| my.jsonl | 3 | 40 | 300.0 | 300.0 | 250.0 | 10.0% |" in card
    assert "CC0" not in card
    songbook = model_card({**figures, "data": {"kept": {"my.jsonl": 4, "songbook": 224}, "left_out": {}}})
    assert "- songbook: 224 (Rhapsody's embedded songbook, CC0" in songbook
