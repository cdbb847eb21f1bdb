import json

import numpy as np
import pytest

from rhapsody_lib.errors import DamagedArtifactError, SourceError
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.stanzas import mean_vector
from rhapsody_lib.settings import CatalogueSettings

FILES = {
    *("songs.arrow", "sample.arrow", "catalogue.json", "metrics.json"),
    *("segments/0000/vectors.arrow", "segments/0000/stanzas.arrow", "segments/0000/lexicon.arrow"),
}


def embed(corpus, encoder_folder, out, **settings):
    return embed_catalogue(corpus, encoder_folder, out, CatalogueSettings(**settings))


def test_what_is_written(corpus, encoder_folder, encoder, tmp_path):
    calls = []
    card = embed_catalogue(
        corpus,
        encoder_folder,
        tmp_path,
        CatalogueSettings(lexical_weight=0.25),
        progress=lambda done, total, note="": calls.append((done, total, note)),
    )
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == FILES
    assert (card["songs"], card["songs_with_track"], card["stanzas"]) == (4, 3, 9)
    weights = card["score"]["weights"]
    assert weights["lexical"] / (weights["lexical"] + weights["dense"]) == pytest.approx(0.25)
    assert json.loads((tmp_path / "metrics.json").read_text()) == card.pop("metrics")
    assert json.loads((tmp_path / "catalogue.json").read_text()) == card
    assert calls[0] == (4, 4, "songs embedded")
    catalogue = Catalogue.load(tmp_path)
    assert catalogue.songs.column("song_id").to_pylist() == ["sea", "rail", "bread", "snow"]
    assert catalogue.songs.column("track_id").to_pylist() == ["sea-a", "rail-a", "bread-a", None]


def test_stanzas_and_their_mean_are_stored(corpus, encoder_folder, encoder, tmp_path):
    embed(corpus, encoder_folder, tmp_path)
    catalogue = Catalogue.load(tmp_path)
    stanzas, vectors = catalogue.stanzas_of(2)
    assert stanzas == [
        ("verse 1", "the bread of my oven\nflour on the table"),
        ("verse 2", "my kitchen and my bread\nbutter of the oven flour"),
    ]
    np.testing.assert_allclose(vectors, encoder.encode([text for _, text in stanzas]), atol=1e-6)
    np.testing.assert_allclose(catalogue.matrix.chunks[0][2], mean_vector(vectors), atol=1e-6)


def test_the_same_corpus_gives_the_same_bytes(corpus, encoder_folder, tmp_path):
    for name in ("one", "two"):
        embed(corpus, encoder_folder, tmp_path / name)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_end_of_a_long_song_counts(make_corpus, encoder_folder, encoder, tmp_path):
    """The encoder reads 16 tokens; the last line of a stanza of 40 words still moves the song's vector."""
    stanza = "the river and the boat\n" * 8
    texts = {"plain": stanza + "water of the tide", "other": stanza + "snow and ice"}
    embed(make_corpus(tmp_path / "corpus", texts), encoder_folder, tmp_path / "out")
    first, second = Catalogue.load(tmp_path / "out").matrix.chunks[0]
    assert float(first @ second) < 0.99


def test_more_songs_than_a_row_group_of_parquet_reads_at_once(make_corpus, encoder_folder, tmp_path):
    texts = {f"song {index:03}": f"river {'snow ' * (index % 5)}" for index in range(150)}
    embed(make_corpus(tmp_path / "corpus", texts), encoder_folder, tmp_path / "out")
    catalogue = Catalogue.load(tmp_path / "out")
    assert [len(chunk) for chunk in catalogue.matrix.chunks] == [150]
    assert catalogue.stanzas_of(149)[0] == [("verse 1", "river snow snow snow snow")]


def test_vectors_are_mapped_not_copied(corpus, encoder_folder, tmp_path):
    embed(corpus, encoder_folder, tmp_path)
    catalogue = Catalogue.load(tmp_path)
    postings = catalogue.lexicon.postings[0]
    for values in (catalogue.matrix.chunks[0], catalogue.shapes.chunks[0], postings.rows, postings.counts):
        assert not values.flags.owndata
        assert not values.flags.writeable


def test_a_missing_or_empty_corpus_is_one_clear_error(make_corpus, encoder_folder, tmp_path):
    with pytest.raises(SourceError, match="Prepare a corpus first"):
        embed(tmp_path / "nowhere", encoder_folder, tmp_path / "out")
    with pytest.raises(SourceError, match="holds no song"):
        embed(make_corpus(tmp_path / "empty", {}), encoder_folder, tmp_path / "out")
    corpus = make_corpus(tmp_path / "damaged", {"a": "snow"})
    (corpus / "songs.parquet").write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(DamagedArtifactError, match="Prepare the corpus again"):
        embed(corpus, encoder_folder, tmp_path / "out")
