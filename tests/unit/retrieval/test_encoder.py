"""The real packaged weights where they are installed, a random two-layer BERT where any model will do."""

import json
import os
import socket

import numpy as np
import pytest

from rhapsody_lib.errors import DamagedArtifactError, InputError, MissingExtraError
from rhapsody_lib.optional import is_installed
from rhapsody_lib.retrieval import encoder as room
from rhapsody_lib.retrieval import model_files
from rhapsody_lib.retrieval.encoder import build_encoder, load_model
from rhapsody_lib.retrieval.engines import LEAST_COSINE
from rhapsody_lib.retrieval.model_files import OFFLINE_MODULE, check_files, model_folder, offline_folder
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.settings import EncoderSettings

pytestmark = pytest.mark.skipif(not is_installed("sentence_transformers"), reason="the extra 'retrieval' is absent")
needs_weights = pytest.mark.skipif(not is_installed(OFFLINE_MODULE), reason="packaged weights absent: extra 'offline'")
TEXTS = ["The sky is blue", "A river\nruns down to the sea\nand I go with it", "雪", "", "love " * 400]
KNOWN = [0, 1, 4]


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    """Folder of a random BERT that reads 32 tokens and gives 16 numbers."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("models")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "sky", "is", "blue", "a", "river", "love", "song"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder / "bert")
    transformer = models.Transformer(str(folder / "bert"), max_seq_length=32)
    SentenceTransformer(modules=[transformer, models.Pooling(16)], device="cpu").save(str(folder / "tiny"))
    return folder / "tiny"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def hub_variables():
    return {name: value for name, value in os.environ.items() if name.startswith(("HF_", "TRANSFORMERS_"))}


@needs_weights
def test_packaged_weights_survive_the_export(tmp_path, no_network):
    before = hub_variables()
    card = build_encoder(tmp_path / "one", EncoderSettings())
    assert hub_variables() == before
    assert (card["model"], card["dimension"], card["max_tokens"]) == ("offline", 384, 256)
    assert card["weights_sha256"] == {"model.safetensors": model_files.OFFLINE_SHA256}
    expected = load_model("offline", offline_folder()).encode(TEXTS, normalize_embeddings=True)
    for served, least in (
        (Encoder.load(tmp_path / "one"), 0.99999),
        (Encoder.load_bulk(tmp_path / "one"), LEAST_COSINE),
    ):
        cosines = np.sum(served.encode(TEXTS) * expected, axis=1)
        assert cosines[KNOWN].min() > least
        # What is unknown is similar to nothing, not to all else that is unknown.
        assert not np.delete(cosines, KNOWN).any()


def test_a_folder_gives_the_same_bytes_again(tiny_model, tmp_path, no_network):
    calls = []
    for name in ("one", "two"):
        build_encoder(
            tmp_path / name,
            EncoderSettings(model=str(tiny_model)),
            progress=lambda done, total, note="": calls.append((done, total)),
        )
    assert calls == [(0, 2), (1, 2), (2, 2)] * 2
    for file in ("encoder.onnx", "tokenizer.json", "encoder.json"):
        content = (tmp_path / "one" / file).read_bytes()
        assert content == (tmp_path / "two" / file).read_bytes()
        assert str(tiny_model).encode() not in content
    assert json.loads((tmp_path / "one" / "encoder.json").read_text())["model"] == "tiny"


@pytest.mark.parametrize(("asked", "expected"), [(16, 16), (256, 32)])
def test_the_models_own_limit_is_not_exceeded(tiny_model, tmp_path, asked, expected):
    card = build_encoder(tmp_path, EncoderSettings(model=str(tiny_model), max_tokens=asked))
    assert card["max_tokens"] == expected
    served = Encoder.load(tmp_path)
    assert served.fits("love " * (expected - 2))
    assert not served.fits("love " * (expected - 1))
    lengths = np.linalg.norm(served.encode(TEXTS), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 0, 0, 1], atol=1e-5)


def test_pickled_weights_are_never_loaded(tiny_model, tmp_path):
    copy = tmp_path / "pickled"
    copy.mkdir()
    for file in tiny_model.iterdir():
        if file.is_file():
            (copy / file.name.replace("model.safetensors", "pytorch_model.bin")).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="pickled weights are never loaded"):
        build_encoder(tmp_path / "out", EncoderSettings(model=str(copy)))


def test_code_of_a_model_is_never_run(tiny_model, tmp_path):
    import shutil

    copy = tmp_path / "coded"
    shutil.copytree(tiny_model, copy)
    modules = json.loads((copy / "modules.json").read_text())
    modules[1]["type"] = "evil.Pooling"
    (copy / "modules.json").write_text(json.dumps(modules))
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(InputError, match="without code of its own"):
        build_encoder(tmp_path / "out", EncoderSettings(model=str(copy)))
    assert not (tmp_path / "ran").exists()


def test_a_folder_in_the_users_home_is_called_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(room, "load_model", lambda model, folder: folder)
    folder, name, weights = room.load_base("~/tiny")
    assert (folder, name) == (tmp_path / "tiny", "tiny")
    assert list(weights) == ["model.safetensors"]


@pytest.mark.parametrize("model", ["./nowhere", "/nowhere/model", "a/b/c", "..", "two words"])
def test_no_such_folder(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no such folder|safetensors"):
        model_folder(model)


def test_a_name_without_network_names_the_remedy(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []

    def refuse(repository: str, **rest: object) -> str:
        asked.append((repository, rest["allow_patterns"]))
        raise ConnectionError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(InputError, match=r"use encoder\.model=offline"):
        model_folder("all-mpnet-base-v2")
    assert asked[0][0] == "sentence-transformers/all-mpnet-base-v2"
    assert not any(".bin" in pattern for pattern in asked[0][1])


def test_packaged_weights_absent_or_altered(monkeypatch, tmp_path):
    monkeypatch.setattr(model_files, "OFFLINE_MODULE", "no_such_weights")
    with pytest.raises(MissingExtraError, match=r"rhapsody\[offline\]"):
        offline_folder()
    package = tmp_path / "altered_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (package / "model" / "model.safetensors").write_bytes(b"other")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(model_files, "OFFLINE_MODULE", "altered_weights")
    with pytest.raises(DamagedArtifactError, match="SHA-256 differs"):
        offline_folder()


def _copied(folder, to):
    import shutil

    shutil.copytree(folder, to)
    return to / "model.safetensors"


def test_a_damaged_model_is_refused_and_not_filled_up_at_random(tiny_model, tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    lacking, numberless, short = (tmp_path / name for name in ("lacking", "numberless", "short"))
    weights = load_file(_copied(tiny_model, lacking))
    name = next(name for name in weights if name.endswith("layer.1.output.dense.weight"))
    save_file(
        {key: value for key, value in weights.items() if key != name}, lacking / "model.safetensors", {"format": "pt"}
    )
    _copied(tiny_model, numberless)
    weights[name] = torch.full_like(weights[name], float("nan"))
    save_file(weights, numberless / "model.safetensors", {"format": "pt"})
    path = _copied(tiny_model, short)
    path.write_bytes(path.read_bytes()[:-100])
    for folder, said in (
        (lacking, "lacks 1 weights"),
        (numberless, "no numbers"),
        (short, r"short/model\.safetensors is damaged or cut"),
    ):
        with pytest.raises(InputError, match=said):
            build_encoder(tmp_path / "out", EncoderSettings(model=str(folder)))
    assert not (tmp_path / "out").exists()


def test_a_configuration_of_another_size_is_one_error_and_no_table(tiny_model, tmp_path, capfd, caplog):
    _copied(tiny_model, tmp_path / "other")
    config = tmp_path / "other" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "hidden_size": 32}))
    capfd.readouterr()
    with pytest.raises(InputError, match=r"its config\.json does not fit the weights"):
        build_encoder(tmp_path / "out", EncoderSettings(model=str(tmp_path / "other")))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff" * 9, b"\2" + b"\0" * 7 + b"[]", b"\7" + b"\0" * 7 + b'{"a":1}', b"\2" + b"\0" * 7 + b"{}x"],
)
def test_weights_that_are_none_are_called_damaged_unread(tmp_path, content):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is damaged or cut off; download it again"):
        check_files("mine", tmp_path)


def test_a_model_of_other_words_than_the_probes_is_exported(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "_PROBES", ("zzz", "yyy xxx"))
    assert build_encoder(tmp_path / "out", EncoderSettings(model=str(tiny_model)))["dimension"] == 16


def test_the_ancestors_model_is_known_by_its_short_name(monkeypatch, tmp_path):
    import huggingface_hub

    asked = []
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: asked.append(name) or str(tmp_path))
    assert model_folder("bert-base-nli-mean-tokens") == tmp_path
    assert asked == ["sentence-transformers/bert-base-nli-mean-tokens"]
