"""Tuning of a random two-layer BERT on songs of made-up words: it learns, stops, goes on after a kill, refuses."""

from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.checkpoints import Checkpoint
from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.errors import InputError, SourceError
from rhapsody_lib.optional import is_installed
from rhapsody_lib.retrieval.pairs import unread_artists
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.settings import EncoderSettings

pytestmark = pytest.mark.skipif(not is_installed("sentence_transformers"), reason="the extra 'retrieval' is absent")
WORDS = [f"w{number}" for number in range(120)]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two threads on matrices this small only wait for one another."""
    from rhapsody_lib.retrieval import tuning

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "available_processors", lambda: 1)
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """Folder of a random BERT that reads 48 tokens and gives 32 numbers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("base")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=48,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=48).save_pretrained(folder / "bert")
    modules = [Transformer(str(folder / "bert"), max_seq_length=48), Pooling(32)]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "tiny"))
    return folder / "tiny"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """600 songs of 600 artists: a quarter of each song are words of its own, the rest words that all songs have."""
    folder, random = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    rows = []
    for number in range(600):
        own = random.choice(WORDS[20:], 6, replace=False)
        lines = [" ".join([*random.choice(own, 2), *random.choice(WORDS[:20], 6)]) for _ in range(6)]
        rows.append(
            {
                "song_id": f"song-{number}",
                "title": f"Song {number}",
                "artist": f"Artist {number}",
                "lyrics": "\n".join([*lines[:3], "", *lines[3:]]),
                "split": "train",
            }
        )
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), folder / SONGS_FILE)
    return folder


def settings(base: Path, **changes: Any) -> EncoderSettings:
    chosen: dict[str, Any] = {
        "model": str(base),
        "tuning": "pairs",
        "heldout_artists": 0.2,
        "epoch_songs": 230,
        "batch_size": 16,
        "pair_tokens": 24,
        "learning_rate": 1e-2,
        "max_epochs": 3,
    }
    return EncoderSettings(**(chosen | changes))


def tuned(corpus: Path, out: Path, chosen: EncoderSettings, **reports: Any) -> dict[str, Any]:
    from rhapsody_lib.retrieval.tuning import tune_encoder

    out.mkdir(parents=True, exist_ok=True)
    return tune_encoder(corpus, out, Checkpoint.local(out.parent / f"{out.name}-states"), chosen, seed=0, **reports)


@pytest.fixture(scope="module")
def whole(base, corpus, tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("whole") / "encoder"
    return out, tuned(corpus, out, settings(base))


def test_it_finds_songs_of_other_artists_better(whole, base):
    out, metrics = whole
    assert metrics["tuned"]
    assert metrics["heldout_mrr"] > 1.1 * metrics["heldout_mrr_before"]
    assert metrics["history"][-1]["train_loss"] < metrics["history"][0]["train_loss"]
    assert metrics["best_epoch"] in (1, 2, 3)
    assert metrics["pairs"] > 3 * 100
    assert (unread_artists(out), unread_artists(base)) == (0.2, None)
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert json.loads((out / "encoder.json").read_text())["model"] == "tiny, tuned"
    # What is served is what was tuned.
    served, texts = Encoder.load(out), [" ".join(WORDS[start : start + 9]) for start in range(0, 90, 9)]
    from rhapsody_lib.retrieval.encoder import load_base

    untuned = load_base(str(base))[0].encode(texts, normalize_embeddings=True)
    assert np.sum(served.encode(texts) * untuned, axis=1).max() < 0.99


def test_a_killed_tuning_goes_on_to_the_same_bytes(whole, base, corpus, tmp_path, caplog):
    class KilledError(Exception):
        pass

    def kill(epoch: int, figures: object) -> None:
        if epoch == 2:
            raise KilledError

    out, seen = tmp_path / "encoder", list[int]()
    with pytest.raises(KilledError):
        tuned(corpus, out, settings(base), record=kill)
    with caplog.at_level(logging.INFO):
        metrics = tuned(corpus, out, settings(base), record=lambda epoch, figures: seen.append(epoch))
    assert "encoder: going on after epoch 2" in caplog.text
    assert seen == [1, 2, 3]
    assert metrics == whole[1]
    for name in ("encoder.onnx", "tokenizer.json", "encoder.json", "metrics.json"):
        assert (out / name).read_bytes() == (whole[0] / name).read_bytes(), name


def test_states_of_another_tuning_are_not_taken_up(whole, base, corpus, tmp_path, caplog):
    out = tmp_path / "encoder"
    shutil.copytree(whole[0].parent / "encoder-states", tmp_path / "encoder-states")
    seen = list[int]()
    tuned(corpus, out, settings(base, max_epochs=1), record=lambda epoch, figures: seen.append(epoch))
    assert "not of this training" in caplog.text
    assert seen == [1]


def test_it_stops_when_nothing_is_gained_and_keeps_the_model_as_it_came(base, corpus, tmp_path, caplog):
    metrics = tuned(corpus, tmp_path / "encoder", settings(base, learning_rate=1e-12, max_epochs=9, patience=1))
    assert (metrics["best_epoch"], len(metrics["history"])) == (0, 1)
    assert metrics["heldout_mrr"] == metrics["heldout_mrr_before"]
    assert "which is kept" in caplog.text
    assert json.loads((tmp_path / "encoder" / "encoder.json").read_text())["model"] == "tiny"


def test_a_corpus_too_small_to_hold_artists_out_leaves_the_model_as_it_came(base, corpus, tmp_path, caplog):
    small = tmp_path / "small"
    small.mkdir()
    pq.write_table(pq.read_table(corpus / SONGS_FILE).slice(0, 40), small / SONGS_FILE)
    metrics = tuned(small, tmp_path / "encoder", settings(base))
    assert not metrics["tuned"]
    assert metrics["not_tuned"] in caplog.text
    assert "100 are needed" in metrics["not_tuned"]
    assert Encoder.load(tmp_path / "encoder").dimension == 32
    with pytest.raises(SourceError, match="holds no song"):
        pq.write_table(pa.Table.from_pylist([], SONGS_SCHEMA), small / SONGS_FILE)
        tuned(small, tmp_path / "encoder", settings(base))


def test_songs_in_a_language_that_the_model_does_not_know_are_warned_of(base, corpus, tmp_path, caplog):
    other = tmp_path / "other"
    other.mkdir()
    table = pq.read_table(corpus / SONGS_FILE)
    lyrics = [text.replace("w", "ж") for text in table.column("lyrics").to_pylist()][:60]
    table = table.slice(0, 60).set_column(SONGS_SCHEMA.get_field_index("lyrics"), "lyrics", pa.array(lyrics))
    pq.write_table(table, other / SONGS_FILE)
    metrics = tuned(other, tmp_path / "encoder", settings(base))
    assert metrics["unknown_tokens"] > 0.8
    assert "unknown to 'tiny'" in caplog.text


def test_a_rate_that_is_too_high_is_named(base, corpus, tmp_path):
    with pytest.raises(InputError, match=r"encoder\.learning_rate"):
        tuned(corpus, tmp_path / "encoder", settings(base, learning_rate=1e30))
    assert not (tmp_path / "encoder" / "encoder.onnx").exists()


def test_words_keep_their_vectors_and_everything_else_is_tuned(base):
    import torch

    from rhapsody_lib.retrieval.checkpoint import start
    from rhapsody_lib.retrieval.encoder import load_base

    run = start(torch, load_base(str(base))[0], settings(base))
    assert not any("embeddings.weight" in name for name in run.trained)
    assert any("attention" in name for name in run.trained)
    run.history = [{"heldout_mrr": value} for value in (0.3, 0.5, 0.5, 0.4)]
    assert run.best_epoch == 1
    assert run.finished(settings(base, max_epochs=9, patience=2))
    assert not replace(run, history=run.history[:3]).finished(settings(base, max_epochs=9, patience=2))


def test_of_a_text_longer_than_the_model_reads_the_end_is_drawn_too(base):
    from rhapsody_lib.retrieval.encoder import load_base
    from rhapsody_lib.retrieval.pairs import PairData, PairSong
    from rhapsody_lib.retrieval.tuning import epoch_pairs

    model = load_base(str(base))[0]
    model.tokenizer(["w0 w1"], truncation=True, max_length=8, padding="max_length")  # which its tokenizer remembers
    lines = [tuple(WORDS[start : start + 60]) for start in (0, 60)]
    song = PairSong(
        "id", "artist", tuple((" ".join(line),) for line in lines), (" ".join(lines[0]), " ".join(lines[1]))
    )
    drawn = {
        word
        for epoch in range(400)
        for batch in epoch_pairs(model, PairData((song,), (), 1, ""), settings(base), 0, epoch)
        for pair in batch
        for text in pair
        for word in text.split()
    }
    assert drawn == set(WORDS)


def test_texts_are_read_with_others_of_their_length_and_keep_their_order(base, monkeypatch):
    import torch

    from rhapsody_lib.retrieval import tuning
    from rhapsody_lib.retrieval.checkpoint import start
    from rhapsody_lib.retrieval.encoder import load_base

    run = start(torch, load_base(str(base))[0], settings(base))
    texts = [" ".join(WORDS[: 1 + 7 * number % 40]) for number in range(30)]
    found = []
    for most in (1, 60, 10_000):
        monkeypatch.setattr(tuning, "_CPU_TOKENS", most)
        with torch.no_grad():
            found.append(tuning._embedded(torch, run, texts, 48).numpy())
    for other in found[1:]:
        np.testing.assert_allclose(np.sum(found[0] * other, axis=1), 1, atol=1e-3)
    parts = tuning._of_like_lengths([5, 1, 90, 2, 6], 12)
    assert parts == [[1, 3], [0, 4], [2]]
