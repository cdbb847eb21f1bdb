import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.retrieval.serving import BATCH_TOKENS, Encoder, _batches

TEXTS = ["river", "the train on the rail", "bread and butter of my kitchen table", "unheard snow", "snow", "rail"]
#: Of these the tiny encoder knows no word.
UNKNOWN = ["", " \n", "unheard words", "雪 снег"]


@pytest.fixture
def copied(encoder_folder, tmp_path):
    return shutil.copytree(encoder_folder, tmp_path / "copied")


def alter_table(folder, change):
    """Change the word vectors of a tiny encoder."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(folder / "encoder.onnx"))
    (table,) = [tensor for tensor in model.graph.initializer if tensor.name == "table"]
    table.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(table).copy()), "table"))
    onnx.save(model, str(folder / "encoder.onnx"))


def test_unit_vectors_in_the_order_of_the_texts(encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("at_once", [1, 3])
def test_batches_and_threads_change_no_bit(encoder, batch_size, at_once):
    side_by_side = dataclasses.replace(encoder, texts_at_once=at_once)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert side_by_side.encode(TEXTS, batch_size=batch_size).tobytes() == alone.tobytes()


def test_a_text_of_which_nothing_is_known_has_the_zero_vector(encoder):
    assert not encoder.encode(UNKNOWN).any()
    mixed = encoder.encode([UNKNOWN[0], "river", UNKNOWN[2]])
    np.testing.assert_array_equal(mixed[1], encoder.encode(["river"])[0])
    assert not mixed[[0, 2]].any()


def test_the_same_texts_give_the_same_bytes(encoder, encoder_folder):
    again = Encoder.load(encoder_folder, threads=2).encode(TEXTS)
    assert again.tobytes() == encoder.encode(TEXTS).tobytes()


def test_past_the_limit_nothing_is_read(encoder):
    start = " ".join(["river"] * 14)
    assert encoder.fits(start)
    assert not encoder.fits(start + " snow")
    np.testing.assert_array_equal(encoder.encode([start]), encoder.encode([start + " snow snow"]))


def test_no_texts(encoder):
    assert encoder.encode([]).shape == (0, encoder.dimension)


def test_progress_ends_at_the_total(encoder):
    calls = []
    encoder.encode([*TEXTS, *UNKNOWN], progress=lambda done, total, note="": calls.append((done, total)))
    assert calls == [(done, 10) for done in range(5, 11)]


@given(st.lists(st.integers(1, 600), max_size=60), st.integers(1, 40))
def test_a_batch_is_of_one_length_and_bounded(lengths, batch_size):
    ids = {row: [1] * length for row, length in enumerate(lengths)}
    batches = _batches(ids, batch_size)
    assert sorted(row for rows in batches for row in rows) == sorted(ids)
    for rows in batches:
        (length,) = {len(ids[row]) for row in rows}
        assert len(rows) in (1, 2, 4, 8, 16, 32)
        assert len(rows) == 1 or (len(rows) <= batch_size and len(rows) * length <= BATCH_TOKENS)


def test_fifty_thousand_words_are_one_vector(encoder):
    long = "river boat\n" * 25_000
    assert not encoder.fits(long)
    np.testing.assert_array_equal(encoder.encode([long]), encoder.encode(["river boat " * 7]))


@pytest.mark.parametrize("broken", ["encoder.onnx", "tokenizer.json", "encoder.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00broken"])
def test_a_damaged_folder_is_one_clear_error(encoder_folder, tmp_path, broken, content):
    for file in encoder_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / broken).unlink()
    if content is not None:
        (tmp_path / broken).write_bytes(content)
    with pytest.raises(DamagedArtifactError, match="Run 'rhapsody train'"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("load", [Encoder.load, Encoder.load_bulk])
def test_damaged_weights_are_one_clear_error(copied, load):
    def spoil(table):
        table[4:] = np.nan
        return table

    alter_table(copied, spoil)
    with pytest.raises(DamagedArtifactError, match=r"not numbers \(NaN\).*Run 'rhapsody train'"):
        load(copied).encode(["river"])


def test_another_dimension_than_the_card_says(copied):
    card = json.loads((copied / "encoder.json").read_text())
    (copied / "encoder.json").write_text(json.dumps(card | {"dimension": 99}))
    with pytest.raises(DamagedArtifactError, match=r"vectors of 12 numbers where encoder\.json says 99"):
        Encoder.load(copied).encode(["river"])


def test_a_tokenizer_of_another_model(copied):
    alter_table(copied, lambda table: table[:6])
    with pytest.raises(DamagedArtifactError, match="cannot embed a text"):
        Encoder.load(copied).encode(["love heart kiss"])


def test_serving_loads_no_training_framework(encoder_folder):
    program = (
        "import sys; from pathlib import Path; from rhapsody_lib.retrieval import search, serving;"
        f"serving.Encoder.load(Path({str(encoder_folder)!r})).encode(['river']);"
        "print(*sorted({'torch', 'tensorflow', 'keras', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
