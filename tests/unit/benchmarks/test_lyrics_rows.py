"""The arithmetic of the lyrics benchmark: what its rows say is met, and that its songs stay the same songs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save_file

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.words.document import parse_lyrics
from rhapsody_lib.words.tokens import tokenize_line
from tests.benchmarks.lyrics_bench import factor
from tests.benchmarks.lyrics_subword import _APOSTROPHE, _GOES_ON, _pieces_of, _written
from tests.benchmarks.lyrics_training import _repeat, flop_per_word

TEXT = "[verse 1]\nDon't wait for the winter\nThe water is warm\n\n[chorus]\nWait for me, wait for me now"


def test_a_factor_is_met_from_its_side() -> None:
    assert factor("", 300, 1, at_least=300).met is True
    assert factor("", 299, 1, at_least=300).met is False
    assert factor("", 90, 100, at_most=0.9).met is True
    assert factor("", 91, 100, at_most=0.9).met is False
    assert factor("", 91, 100).met is None


def test_flop_of_a_word_are_two_for_each_weight_of_a_product_in_three_passes(tmp_path: Path) -> None:
    shapes = {"embedding": (50, 4), "kernel": (4, 12), "recurrent": (3, 12), "projection": (3, 4), "bias": (12,)}
    weights = {name: np.zeros(shape, dtype=np.float32) for name, shape in shapes.items()}
    save_file(weights, tmp_path / "weights.safetensors")
    assert flop_per_word(tmp_path / "weights.safetensors") == 6 * (200 + 48 + 36 + 12)


def test_pieces_join_to_the_words_and_keep_the_lines_short() -> None:
    song = parse_lyrics(TEXT)
    pieces = _pieces_of([song], 30)
    written = _written(song, pieces)
    read = [line.replace(f"{_GOES_ON} ", "").replace(_APOSTROPHE, "'") for line in written.lines]
    assert [word for line in read for word in line.split()] == [w for line in song.lines for w in tokenize_line(line)]
    assert any(_GOES_ON in line for line in written.lines)
    # What is written is read by the model as it stands.
    assert all(" ".join(tokenize_line(line)) == line for line in written.lines)


def test_a_corpus_is_repeated_with_other_words_and_without_its_held_out_songs(tmp_path: Path) -> None:
    rows = [
        {"song_id": str(number), "lyrics": TEXT, "split": split} for number, split in enumerate(["train", "heldout"])
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / SONGS_FILE)
    words, all_words = _repeat(tmp_path, tmp_path / "many", 3)
    found = pq.read_table(tmp_path / "many" / SONGS_FILE).to_pylist()
    assert [row["split"] for row in found] == ["train", "heldout", "train", "train"]
    assert all_words == 2 * words
    assert len({row["lyrics"] for row in found}) == 3
    assert all(len(parse_lyrics(row["lyrics"]).sections) == 2 for row in found)
