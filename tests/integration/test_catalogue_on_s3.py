"""A catalogue on a real S3 server: of its segments only the files that a search needs are fetched, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.operations.opening import open_catalogue
from rhapsody_lib.retrieval.search import find_matches
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.settings import Settings
from rhapsody_lib.words.document import parse_lyrics
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
    parts = [store.part(*part) for part in store.parts(ref)]
    assert len(parts) == 2
    read: list[tuple[str, int]] = []
    plain = Store.read_part

    def noted(self, start, end, *names):
        if names[-1] == "stanzas.arrow":
            read.append((names[-1], end - start))
        return plain(self, start, end, *names)

    monkeypatch.setattr(Store, "read_part", noted)
    catalogue = open_catalogue(elsewhere, ref)
    assert fetched(elsewhere) == ["vectors.arrow"] * 2
    encoder = Encoder.load(store.fetch(store.build(Recipe("encoder", 1, {}, {}), write_encoder)), threads=1)
    matches = find_matches(catalogue, encoder, parse_lyrics(SONGS["rail"]), 1)
    assert matches[0].song_id == "rail"
    assert matches[0].closest is not None
    assert fetched(elsewhere) == [*["lexicon.arrow"] * 2, *["vectors.arrow"] * 2]
    sizes = [store.manifest(part)["files"]["stanzas.arrow"]["bytes"] for part in parts]
    assert len(read) == 1
    assert 0 < read[0][1] < sum(sizes) / 3


def test_a_segment_that_is_gone_is_one_clear_error_and_is_made_again(root, tmp_path, monkeypatch):
    store, elsewhere = (Store(root, scratch=tmp_path / name / "store") for name in ("here", "elsewhere"))
    ref = embed(store, monkeypatch)
    kind, key = store.parts(ref)[0]
    store.remove("artifacts", kind, key)
    with pytest.raises(DamagedArtifactError, match=f"{key}: is gone.*rhapsody train"):
        open_catalogue(elsewhere, ref)
    assert embed(store, monkeypatch) == ref
    assert open_catalogue(elsewhere, ref).songs.num_rows == len(SONGS)
