import subprocess
import sys

import numpy as np
import pytest

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.retrieval.serving import BATCH_TOKENS, Encoder, _batch_end

TEXTS = ["river", "the train on the rail", "bread and butter of my kitchen table", "", "unheard words", "snow"]


def test_unit_vectors_in_the_order_of_the_texts(encoder):
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_batches_change_nothing(encoder, batch_size):
    np.testing.assert_allclose(encoder.encode(TEXTS, batch_size=batch_size), encoder.encode(TEXTS), atol=1e-6)


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
    encoder.encode(TEXTS, batch_size=4, progress=lambda done, total, note="": calls.append((done, total)))
    assert calls == [(4, 6), (6, 6)]


def test_a_batch_holds_a_bounded_number_of_padded_tokens():
    ids = [[1] * length for length in (5, 5, 300, 300, 300, 900, 900, 3000)]
    order, start, ends = list(range(len(ids))), 0, []
    while start < len(ids):
        end = _batch_end(order, ids, start, 32)
        assert end == start + 1 or (end - start) * len(ids[end - 1]) <= BATCH_TOKENS
        ends.append(end)
        start = end
    assert ends == [5, 7, 8]


@pytest.mark.parametrize("broken", ["encoder.onnx", "tokenizer.json", "encoder.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff\x00broken"])
def test_a_damaged_folder_is_one_clear_error(encoder_folder, tmp_path, broken, content):
    for file in encoder_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / broken).unlink()
    if content is not None:
        (tmp_path / broken).write_bytes(content)
    with pytest.raises(DamagedArtifactError, match="Train the encoder again"):
        Encoder.load(tmp_path)


def test_serving_loads_no_training_framework(encoder_folder):
    program = (
        "import sys; from pathlib import Path; from rhapsody_lib.retrieval import search, serving;"
        f"serving.Encoder.load(Path({str(encoder_folder)!r})).encode(['river']);"
        "print(*sorted({'torch', 'tensorflow', 'keras', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
