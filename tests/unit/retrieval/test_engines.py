import logging
import socket
import subprocess
import sys

import numpy as np
import pytest

from rhapsody_lib.optional import is_installed
from rhapsody_lib.retrieval import engines
from rhapsody_lib.retrieval.engines import OnnxEngine, OpenVinoEngine, batches_are_exact, bulk_engine, least_cosine
from rhapsody_lib.retrieval.serving import Encoder

needs_openvino = pytest.mark.skipif(not is_installed("openvino"), reason="OpenVINO is absent")
TEXTS = [
    f"the {first} and the {second}" for first in ("river", "snow", "bread") for second in ("train", "love", "boat")
]
PROBES = [[2, *range(4 + start, 4 + start + length), 3] for start in range(4) for length in (3, 14)]


@pytest.fixture
def model(encoder_folder):
    return encoder_folder / "encoder.onnx"


@pytest.fixture
def only(monkeypatch):
    """Let a processor have these precisions alone."""
    return lambda *names: monkeypatch.setattr(OpenVinoEngine, "precisions", staticmethod(lambda: list(names)))


class Off:
    """An engine that turns every vector a little, or gives other bits in a batch than alone."""

    name, batches = "off", True

    def __init__(self, real, angle=0.0, noise=0.0):
        self.real, self.angle, self.noise = real, angle, noise

    def run(self, tokens):
        vectors = self.real.run(tokens)
        turned = vectors * np.cos(self.angle) + np.roll(vectors, 1, axis=1) * np.sin(self.angle)
        return turned + np.float32(self.noise * (len(tokens) > 1))


@needs_openvino
@pytest.mark.parametrize("precision", OpenVinoEngine.precisions() if is_installed("openvino") else [])
def test_every_precision_of_this_processor(model, only, precision):
    only(precision)
    engine = bulk_engine(model, PROBES, texts_at_once=2)
    assert engine.name.startswith("OpenVINO")
    assert engine.name.endswith(precision)
    assert least_cosine(engine, OnnxEngine.load(model, threads=1), PROBES) >= engines.LEAST_COSINE
    assert batches_are_exact(engine, PROBES)


@needs_openvino
def test_a_catalogue_does_not_depend_on_batches_or_threads(encoder_folder):
    bulk, one = Encoder.load_bulk(encoder_folder), Encoder.load_bulk(encoder_folder, texts_at_once=1)
    vectors = bulk.encode(TEXTS)
    assert "OpenVINO" in bulk.runtime
    assert one.encode(TEXTS[::-1], batch_size=3)[::-1].tobytes() == vectors.tobytes()
    assert np.concatenate([one.encode([text]) for text in TEXTS]).tobytes() == vectors.tobytes()
    assert np.sum(vectors * Encoder.load(encoder_folder).encode(TEXTS), axis=1).min() >= engines.LEAST_COSINE


@needs_openvino
@pytest.mark.parametrize("fault", [{"angle": 0.05}, {"noise": 1e-7}, {"angle": np.nan}])
def test_what_is_less_exact_is_not_used_and_said(model, only, fault, monkeypatch, caplog):
    only("float32")
    plain = OpenVinoEngine.load
    monkeypatch.setattr(OpenVinoEngine, "load", lambda *given, **named: Off(plain(*given, **named), **fault))
    with caplog.at_level(logging.WARNING):
        assert isinstance(bulk_engine(model, PROBES, texts_at_once=1), OnnxEngine)
    assert "does not run in off" in caplog.text


@needs_openvino
def test_a_precision_that_fails_gives_way_to_the_next(model, only, monkeypatch, caplog):
    only("bfloat16", "float32")
    plain = OpenVinoEngine.load

    def load(path, *, precision, texts_at_once):
        if precision == "bfloat16":
            raise RuntimeError("no such kernel\nand a long trace")
        return plain(path, precision=precision, texts_at_once=texts_at_once)

    monkeypatch.setattr(OpenVinoEngine, "load", load)
    with caplog.at_level(logging.WARNING):
        assert bulk_engine(model, PROBES, texts_at_once=1).name.endswith("float32")
    assert "no such kernel)" in caplog.text


@pytest.mark.parametrize("error", [ImportError("libtbb.so.12"), OSError("wrong ELF class"), RuntimeError("no plugin")])
def test_a_broken_openvino_is_said_and_not_used(model, monkeypatch, caplog, error):
    def fail():
        raise error

    monkeypatch.setattr(engines, "is_installed", lambda module: True)
    monkeypatch.setattr(OpenVinoEngine, "precisions", staticmethod(fail))
    with caplog.at_level(logging.WARNING):
        assert isinstance(bulk_engine(model, PROBES, texts_at_once=1), OnnxEngine)
    assert f"OpenVINO cannot be loaded ({error})" in caplog.text


def test_without_openvino_the_query_engine_embeds_the_catalogue(encoder_folder, monkeypatch):
    monkeypatch.setattr(engines, "is_installed", lambda module: False)
    bulk, plain = Encoder.load_bulk(encoder_folder), Encoder.load(encoder_folder, threads=1)
    assert bulk.runtime == plain.runtime
    assert bulk.runtime.startswith("ONNX Runtime")
    assert bulk.encode(TEXTS).tobytes() == plain.encode(TEXTS).tobytes()


@needs_openvino
def test_an_interrupt_after_the_engine_was_dropped_is_an_interrupt(encoder_folder):
    script = (
        "import gc, signal, sys; from pathlib import Path; from rhapsody_lib.retrieval.serving import Encoder\n"
        "encoder = Encoder.load_bulk(Path(sys.argv[1])); assert 'OpenVINO' in encoder.runtime\n"
        "encoder.encode(['the river']); del encoder; gc.collect()\n"
        "try: signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    command = [sys.executable, "-c", script, str(encoder_folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ended.returncode, ended.stdout.strip()) == (0, "interrupted"), ended.stderr


@needs_openvino
def test_nothing_leaves_the_machine(encoder_folder, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    Encoder.load_bulk(encoder_folder).encode(TEXTS)
