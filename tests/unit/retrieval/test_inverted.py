"""An inverted file finds what exact search finds, or is refused; its scores are exact."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from rhapsody_lib.errors import DamagedArtifactError, InputError, MissingExtraError
from rhapsody_lib.retrieval import catalogue as building
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.index import ExactIndex
from rhapsody_lib.retrieval.inverted import InvertedIndex, default_lists, rows_of
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.settings import CatalogueSettings

pytest.importorskip("faiss")
DIMENSION = 16


def clusters(rows: int, seed: int = 0) -> np.ndarray:
    """Unit vectors about some centres, as real ones lie; random ones would have no neighbours worth the name."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(5).normal(size=(12, DIMENSION))
    found = centres[random.integers(0, 12, rows)] + 0.3 * random.normal(size=(rows, DIMENSION))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def exact():
    return ExactIndex(np.array_split(clusters(3000), 4))


@pytest.fixture(scope="module")
def built(exact):
    index = InvertedIndex.build(exact, clusters(50, seed=1), seed=3)
    assert index is not None
    return index


def test_it_finds_nearly_all_and_scores_them_exactly(exact, built):
    queries = clusters(60, seed=2)
    wanted, found = exact.search(queries, 10), built.search(queries, 10)
    shared = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(wanted[0], found[0], strict=True)])
    assert built.recall >= 0.95
    assert shared > 0.9
    for query, rows, scores in zip(queries, *found, strict=True):
        np.testing.assert_allclose(scores, np.sort(rows_of(exact, np.sort(rows)) @ query)[::-1], atol=2e-5)


def test_only_what_is_allowed_is_found(exact, built):
    allowed = np.zeros(len(exact), np.bool_)
    allowed[::3] = True
    found, _ = built.search(clusters(5, seed=2), 20, allowed=allowed)
    assert all(len(rows) and allowed[rows].all() for rows in found)


def test_one_that_finds_too_little_is_refused(exact, caplog):
    with caplog.at_level(logging.WARNING):
        assert InvertedIndex.build(exact, clusters(50, seed=1), seed=3, least_recall=1.1) is None
    assert "searched exactly" in caplog.text


def test_a_written_one_is_the_same_and_a_damaged_one_is_one_clear_error(exact, built, tmp_path):
    path = tmp_path / "inverted.faiss"
    built.write(path)
    loaded = InvertedIndex.load(path, exact, probes=built.probes, recall=built.recall)
    queries = clusters(9, seed=4)
    for one, other in zip(loaded.search(queries, 5)[0], built.search(queries, 5)[0], strict=True):
        assert one.tolist() == other.tolist()
    with pytest.raises(DamagedArtifactError, match="has 3000 songs, the catalogue 10"):
        InvertedIndex.load(path, ExactIndex([clusters(10)]), probes=1, recall=1)
    short = path.read_bytes()[:2000]
    path.unlink()  # written in place it would be cut under those that are mapped, and they end the process as they go
    path.write_bytes(short)
    with pytest.raises(DamagedArtifactError, match="Run 'rhapsody train'"):
        InvertedIndex.load(path, exact, probes=1, recall=1)


def test_bad_queries_and_none(exact, built):
    with pytest.raises(InputError, match="no numbers"):
        built.search(np.full((1, DIMENSION), np.inf, np.float32), 3)
    assert built.search(clusters(2, seed=2), 0)[0][0].tolist() == []


def test_few_songs_have_few_lists():
    assert [default_lists(count) for count in (0, 1, 100, 1_000_000)] == [1, 2, 20, 2000]


def test_without_the_extra_the_search_is_exact(exact, built, tmp_path, monkeypatch):
    built.write(tmp_path / "inverted.faiss")
    monkeypatch.setattr("rhapsody_lib.retrieval.inverted.is_installed", lambda _: False)
    assert InvertedIndex.load(tmp_path / "inverted.faiss", exact, probes=1, recall=1) is None
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingExtraError, match=r"rhapsody\[index\]"):
        InvertedIndex.build(exact, clusters(5), seed=0)


def test_a_large_catalogue_has_one_and_says_its_recall(corpus, encoder_folder, tmp_path, monkeypatch):
    embed_catalogue(corpus, encoder_folder, tmp_path / "small", CatalogueSettings())
    small = Catalogue.load(tmp_path / "small")
    assert small.card["inverted"] is None
    assert small.quick_index is small.index
    monkeypatch.setattr(building, "INVERTED_FROM_SONGS", 3)
    embed_catalogue(corpus, encoder_folder, tmp_path / "large", CatalogueSettings())
    large = Catalogue.load(tmp_path / "large")
    assert json.loads((tmp_path / "large/catalogue.json").read_text())["inverted"]["recall_at_10"] >= 0.95
    assert isinstance(large.quick_index, InvertedIndex)
    query = large.matrix.chunks[0][2:3]
    assert large.quick_index.search(query, 4)[0][0].tolist() == large.index.search(query, 4)[0][0].tolist()
