"""A tiny encoder (one ONNX file of a few kilobytes) and tiny corpora, so that retrieval is tested without torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.retrieval.serving import Encoder

TOPICS = """
river boat water sail harbour tide train rail station ticket whistle engine bread oven flour kitchen butter table
snow winter coat ice frost sledge love heart kiss
"""
WORDS = [*TOPICS.split(), "the", "and", "a", "of", "on", "my"]
MAX_TOKENS, DIMENSION = 16, 12


def write_encoder(folder: Path, seed: int = 0) -> Path:
    """An encoder folder whose vectors are unit means of random word vectors; the card says so."""
    from onnx import TensorProto, helper, numpy_helper, save
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    table = np.random.default_rng(seed).normal(size=(len(vocabulary), DIMENSION)).astype(np.float32)
    table[:4] = 0.01
    table[vocabulary["the"] :] *= 0.2
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["embedded", "wide"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "middle"], ["summed"], keepdims=0),
        helper.make_node("LpNormalization", ["summed"], ["embedding"], axis=1, p=2),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSION])
    constants = {"table": table, "last": np.array([2]), "middle": np.array([1])}
    initial = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], initial)
    folder.mkdir(parents=True, exist_ok=True)
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        str(folder / "encoder.onnx"),
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    card = {"model": f"tiny {seed}", "dimension": DIMENSION, "max_tokens": MAX_TOKENS, "pad_id": 0}
    (folder / "encoder.json").write_text(json.dumps(card | {"onnx_sha256": f"digest {seed}"}))
    return folder


def write_corpus(
    folder: Path, songs: dict[str, str], *, without_track: tuple[str, ...] = (), artists: dict[str, str] | None = None
) -> Path:
    """A corpus folder of songs by song_id, and their artists where they have any; every third is held out."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "song_id": song_id,
            "title": song_id.title(),
            "artist": (artists or {}).get(song_id),
            "lyrics": text,
            "split": "heldout" if index % 3 == 2 else "train",
        }
        for index, (song_id, text) in enumerate(songs.items())
    ]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), folder / SONGS_FILE)
    tracks = [
        {"track_id": f"{song_id}-{letter}", "song_id": song_id}
        for letter in "ba"
        for song_id in songs
        if song_id not in without_track
    ]
    pq.write_table(pa.Table.from_pylist(tracks, TRACKS_SCHEMA), folder / TRACKS_FILE)
    return folder


SONGS = {
    "sea": "[verse 1]\nthe river and the boat\nmy sail on the water\n\n[chorus]\nharbour of the tide\n\n"
    "[verse 2]\na boat and a sail\nwater of the harbour\n\n[chorus]\nharbour of the tide\n",
    "rail": "[verse 1]\nthe train on the rail\nmy ticket of the station\n\n[verse 2]\na whistle and a train\n"
    "the engine on my rail\n",
    "bread": "[verse 1]\nthe bread of my oven\nflour on the table\n\n[verse 2]\nmy kitchen and my bread\n"
    "butter of the oven flour\n",
    "snow": "[verse 1]\nthe snow and the ice\nmy winter coat\n\n[verse 2]\n"
    "frost on the sledge\nice and snow and coat\n",
}


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Encoder:
    return Encoder.load(encoder_folder, threads=1)


@pytest.fixture
def other_encoder(tmp_path: Path) -> Encoder:
    return Encoder.load(write_encoder(tmp_path / "other", seed=1), threads=1)


@pytest.fixture(scope="session")
def make_corpus():
    return write_corpus


@pytest.fixture(scope="session")
def songs() -> dict[str, str]:
    return dict(SONGS)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), SONGS, without_track=("snow",))
