"""A catalogue on a real S3 server: of its segments only the files that a search needs are fetched, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.settings import Settings
from tests.servers.swift import Swift
from tests.unit.retrieval.conftest import SONGS, write_corpus, write_encoder


@pytest.fixture
def root(s3: Swift, tmp_path: Path) -> str:
    """Address of an empty store of the test's own, in a bucket that all share."""
    s3.make_bucket("catalogues")
    return f"s3://catalogues/{tmp_path.name}"


def embed(store: Store, monkeypatch: pytest.MonkeyPatch) -> ArtifactRef:
    """A catalogue of two segments."""
    monkeypatch.setattr("rhapsody_lib.retrieval.shards.SHARD_SONGS", 2)
    monkeypatch.setenv("RHAPSODY_CACHE", str(store.scratch.parent))
    corpus = store.build(Recipe("corpus", 1, {}, {}), lambda folder: write_corpus(folder, SONGS))
    encoder = store.build(Recipe("encoder", 1, {}, {}), write_encoder)
    return operations.embed_catalogue(store.root, Settings(), corpus, encoder)


def fetched(store: Store) -> list[str]:
    """Names of the segments' files that are on this machine."""
    return sorted(path.name for path in (store.scratch / "fetched").glob("vectors-shard-*/*.arrow"))


def test_only_what_a_search_needs_is_fetched(root, tmp_path, monkeypatch):
    store, elsewhere = (Store(root, scratch=tmp_path / name / "store") for name in ("here", "elsewhere"))
    ref = embed(store, monkeypatch)
    parts = store.parts(ref)
    assert len(parts) == 2
    catalogue = open_catalogue(elsewhere, ref)
    assert fetched(elsewhere) == ["vectors.arrow"] * 2
    query = catalogue.matrix.chunks[1][:1]
    (rows,), _ = catalogue.index.search(query, 1)
    stanzas, vectors = catalogue.stanzas_of(int(rows[0]))
    assert len(stanzas) == len(vectors) == 2
    assert fetched(elsewhere) == ["stanzas.arrow", *["vectors.arrow"] * 2]


def test_a_segment_that_is_gone_is_one_clear_error_and_is_made_again(root, tmp_path, monkeypatch):
    store, elsewhere = (Store(root, scratch=tmp_path / name / "store") for name in ("here", "elsewhere"))
    ref = embed(store, monkeypatch)
    kind, key = store.parts(ref)[0]
    store.remove("artifacts", kind, key)
    with pytest.raises(DamagedArtifactError, match=f"{key}: is gone.*rhapsody train"):
        open_catalogue(elsewhere, ref)
    assert embed(store, monkeypatch) == ref
    assert open_catalogue(elsewhere, ref).songs.num_rows == len(SONGS)
