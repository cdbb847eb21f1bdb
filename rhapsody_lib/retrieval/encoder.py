"""Getting a sentence-BERT model and exporting it to ONNX. The only room that loads sentence-transformers and torch.

Of a model only safetensors weights, JSON and vocabulary text are read: no pickle, no code of the model's own.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rhapsody_lib.errors import InputError
from rhapsody_lib.hashing import file_sha256
from rhapsody_lib.optional import require
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.model_files import OFFLINE_MODEL, check_files, model_folder
from rhapsody_lib.retrieval.serving import CARD_FILE, MODEL_FILE, TOKENIZER_FILE, Encoder
from rhapsody_lib.settings import EncoderSettings

OPSET = 17
_PROBES = ("A short line", "Two lines of a song\nthat is a little longer than the other one, so that it is padded")
_KNOWN_WORDS = 16
#: Cosine between the model and its export on `_PROBES` that the export must reach.
_LEAST_PARITY = 0.9999


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars, no tables of weights, no exporter warnings: what they warn of is tested by `_check_parity`."""
    logging = require("transformers").utils.logging
    shown, told = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(told)
        if shown:
            logging.enable_progress_bar()


def _missing_weights(folder: Path) -> list[str]:
    """Names of weights that the files lack: such are drawn at random, and the model loads all the same.

    A model may do without its pooler, which mean pooling does not use, and an encoder without a decoder.
    """
    listed = folder / "modules.json"
    first = json.loads(listed.read_text(encoding="utf-8"))[0]["path"] if listed.is_file() else ""
    if not (folder / first / "config.json").is_file():
        return []
    _, info = require("transformers").AutoModel.from_pretrained(
        str(folder / first), local_files_only=True, use_safetensors=True, output_loading_info=True
    )
    return sorted(name for name in info["missing_keys"] if not re.search(r"pooler|decoder", name))


def load_model(model: str, folder: Path) -> Any:
    """A `SentenceTransformer` on the CPU, in evaluation mode.

    Args:
        model: what the user called it.
        folder: where `model_folder` found it.

    Raises:
        InputError: the model cannot be loaded, or only with code of its own, or it is damaged.
    """
    library = require("sentence_transformers")
    check_files(model, folder)
    try:
        with _quiet():
            # The eager attention is the one that traces into plain ONNX operators.
            loaded = library.SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "attn_implementation": "eager"},
            )
            missing = _missing_weights(folder)
    except Exception as error:  # any class, from any of three libraries, on a folder that is not ours
        if "mismatch" in str(error):
            raise InputError(
                f"encoder.model '{model}': is damaged, its config.json does not fit the weights. "
                "Get it again, or choose another model."
            ) from error
        raise InputError(
            f"encoder.model '{model}': is not a sentence-transformers model that loads without code of its own "
            f"({type(error).__name__}: {error})."
        ) from error
    torch = require("torch")
    if missing or not all(bool(torch.isfinite(values).all()) for values in loaded.parameters()):
        what = f"lacks {len(missing)} weights, such as {missing[0]}" if missing else "holds weights that are no numbers"
        raise InputError(f"encoder.model '{model}': is damaged, it {what}. Get it again, or choose another model.")
    if not hasattr(loaded.tokenizer, "backend_tokenizer"):
        raise InputError(f"encoder.model '{model}': has no tokenizer.json (a 'fast' tokenizer). Choose another model.")
    return loaded.eval()


def _wrapped(model: Any) -> Any:
    """Model as a module (input_ids, attention_mask) -> unit vectors, [batch x tokens] twice -> [batch x dimension]."""
    torch = require("torch")

    class Pooled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            for module in self.model:
                features = module(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    return Pooled().eval()


def _export_onnx(model: Any, path: Path) -> None:
    torch, _ = require("torch"), require("onnx")
    sample = model.tokenizer(list(_PROBES), padding=True, return_tensors="pt")
    free = {0: "batch", 1: "tokens"}
    with torch.no_grad(), _quiet():
        torch.onnx.export(
            _wrapped(model),
            (sample["input_ids"], sample["attention_mask"]),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={"input_ids": free, "attention_mask": free, "embedding": {0: "batch"}},
        )


def _known_words(model: Any) -> str:
    """Some of the model's own words, for one of a language that the probes are not in."""
    size = model.tokenizer.backend_tokenizer.get_vocab_size()
    special = set(model.tokenizer.all_special_ids)
    ids = [token for token in np.linspace(0, size - 1, _KNOWN_WORDS, dtype=int).tolist() if token not in special]
    return str(model.tokenizer.decode(ids))


def _check_parity(model: Any, name: str, folder: Path) -> None:
    texts = [*_PROBES, " ".join(_PROBES * 6), _known_words(model)]
    expected = model.encode(texts, prompt="", normalize_embeddings=True, show_progress_bar=False)
    served = Encoder.load(folder).encode(texts)
    cosines = np.sum(served * expected, axis=1)[served.any(axis=1)]  # a text of unknown words alone is served as zero
    if not len(cosines) or not np.all(cosines > _LEAST_PARITY):
        how = f"cosine {cosines.min():.4f} to the original" if len(cosines) else "it knows no word of the texts tried"
        raise InputError(
            f"encoder.model '{name}': does not survive the export to ONNX ({how})."
            f" Choose another model, e.g. {OFFLINE_MODEL}."
        )


def export_encoder(model: Any, name: str, weights: dict[str, str], out: Path, max_tokens: int) -> dict[str, Any]:
    """Write a `SentenceTransformer` as encoder.onnx, tokenizer.json and encoder.json.

    Args:
        model: the loaded model.
        name: what encoder.json calls it.
        weights: SHA-256 by name of the weight files it came from.
        out: folder to write to; made if missing.
        max_tokens: length limit; the model's own is never exceeded.

    Returns:
        The content of encoder.json.
    """
    out.mkdir(parents=True, exist_ok=True)
    own_limit = model.get_max_seq_length()
    model.max_seq_length = min(max_tokens, own_limit) if own_limit else max_tokens
    try:
        _export_onnx(model, out / MODEL_FILE)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"encoder.model '{name}': cannot be exported to ONNX ({type(error).__name__}). Choose another model."
        ) from error
    (out / TOKENIZER_FILE).write_text(whole_text_tokenizer(model).to_str(), encoding="utf-8")
    card = {
        "model": name,
        "dimension": int(model.get_embedding_dimension()),
        "max_tokens": int(model.max_seq_length),
        "pad_id": int(model.tokenizer.pad_token_id),
        "opset": OPSET,
        "weights_sha256": weights,
        "onnx_sha256": file_sha256(out / MODEL_FILE),
    }
    (out / CARD_FILE).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _check_parity(model, name, out)
    return card


def load_base(model: str) -> tuple[Any, str, dict[str, str]]:
    """The model that `encoder.model` names, what it is called, and the SHA-256 of its weight files by name.

    Raises:
        InputError: the model cannot be had or loaded.
        MissingExtraError: the extra `retrieval` or `offline` is not installed.
    """
    folder = model_folder(model)
    weights = {path.relative_to(folder).as_posix(): file_sha256(path) for path in sorted(folder.rglob("*.safetensors"))}
    named = folder.name if model != OFFLINE_MODEL and Path(model).expanduser().is_dir() else model
    return load_model(model, folder), named, weights


def whole_text_tokenizer(model: Any) -> Any:
    """The tokenizer beneath a model's, reading texts whole.

    It keeps the cut and the padding of its file and of the last call: a long text's end would never be seen.
    """
    backend = model.tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return backend


def unknown_share(model: Any, texts: Sequence[str]) -> float:
    """Share of the tokens of texts that the model's tokenizer does not know; 0 for no texts."""
    unknown = model.tokenizer.unk_token_id
    tokens = [encoding.ids for encoding in whole_text_tokenizer(model).encode_batch(list(texts))]
    found = sum(row.count(unknown) for row in tokens) if unknown is not None else 0
    return found / max(1, sum(map(len, tokens)))


def build_encoder(out: Path, settings: EncoderSettings, *, progress: Progress = silent) -> dict[str, Any]:
    """Get the model that the settings name and write it for serving. The same model gives the same bytes.

    Returns:
        The content of encoder.json.

    Raises:
        InputError: the model cannot be had, loaded or exported.
        MissingExtraError: the extra `retrieval` or `offline` is not installed.
    """
    progress(0, 2, "loading the sentence encoder")
    model, name, weights = load_base(settings.model)
    progress(1, 2, "exporting the sentence encoder")
    card = export_encoder(model, name, weights, out, settings.max_tokens)
    progress(2, 2, "sentence encoder exported")
    return card
