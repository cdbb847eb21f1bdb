"""Vectors of a shard are those of the songs alone, whatever else is embedded, and are taken over by text."""

from __future__ import annotations

import numpy as np
import pytest

from rhapsody_lib.retrieval import stanzas
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.corpus_songs import read_song_rows, read_songs, song_ids
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.retrieval.shards import plan_shards, read_shard, songs_digest, write_shard
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.settings import CatalogueSettings
from tests.unit.retrieval.conftest import WORDS

FILES = ("songs.arrow", "stanzas.arrow", "lexicon.arrow", "catalogue.json", "metrics.json")


def _texts(count: int) -> dict[str, str]:
    """Songs of some stanzas; every seventh has no words, many share their chorus."""
    random = np.random.default_rng(0)

    def stanza() -> str:
        return " ".join(random.choice(WORDS, random.integers(1, 12)))

    texts = {}
    for number in range(count):
        verses = "\n\n".join(f"[verse {part}]\n{stanza()}\n{stanza()}" for part in range(1, 4))
        texts[f"songs/{number:04}"] = "" if number % 7 == 6 else f"{verses}\n\n[chorus]\nthe river\n"
    return texts


@pytest.fixture(scope="module")
def many(make_corpus, tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("many"), _texts(300))


@pytest.fixture
def embedded(monkeypatch) -> list[str]:
    """The texts that an encoder embeds."""
    texts: list[str] = []
    plain = Encoder.encode

    def noted(self, wanted, **rest):
        texts.extend(wanted)
        return plain(self, wanted, **rest)

    monkeypatch.setattr(Encoder, "encode", noted)
    return texts


def _write(songs, encoder_folder, out, *earlier, at_once=1):
    out.mkdir(parents=True)
    write_shard(songs, encoder_folder, out, earlier=earlier, texts_at_once=at_once)
    return out


@pytest.mark.parametrize("size", [30, 100, 250])
def test_the_catalogue_does_not_depend_on_the_shards(many, encoder_folder, tmp_path, monkeypatch, size):
    monkeypatch.setattr("rhapsody_lib.retrieval.shards.SHARD_SONGS", size)
    made = []

    def read_shards(plan):
        for shard in plan:
            made.append(_write(shard.songs(many), encoder_folder, tmp_path / f"shard-{shard.start}", at_once=2))
            yield made[-1]

    embed_catalogue(many, encoder_folder, tmp_path / "direct", CatalogueSettings())
    embed_catalogue(many, encoder_folder, tmp_path / "shards", CatalogueSettings(), read_shards=read_shards)
    assert len(made) == len(plan_shards(many))
    for name in FILES:
        assert (tmp_path / "shards" / name).read_bytes() == (tmp_path / "direct" / name).read_bytes(), name


def test_few_songs_are_embedded_here(corpus, encoder_folder, tmp_path):
    def never(plan):
        raise AssertionError(plan)

    embed_catalogue(corpus, encoder_folder, tmp_path, CatalogueSettings(), read_shards=never)


def test_a_vector_depends_on_its_text_alone(encoder, many):
    texts = [text for song in read_song_rows(many, 0, 40) for _, text in stanzas.song_stanzas(song.lyrics, encoder)]
    together = StanzaEmbedder(encoder, texts_at_once=3).encode(texts)
    for text, vector in zip(texts, together, strict=True):
        assert StanzaEmbedder(encoder).encode([text])[0].tobytes() == vector.tobytes()


def test_known_texts_are_taken_over_from_earlier_shards(many, encoder_folder, tmp_path, embedded):
    songs = read_song_rows(many, 0, 60)
    first = _write(songs[:50], encoder_folder, tmp_path / "first")
    before = set(embedded)
    embedded.clear()
    second = _write(songs, encoder_folder, tmp_path / "second", first)
    assert embedded
    assert not before & set(embedded)
    fresh = _write(songs, encoder_folder, tmp_path / "fresh")
    assert (second / "vectors.arrow").read_bytes() == (fresh / "vectors.arrow").read_bytes()


def test_no_more_earlier_shards_are_fetched_than_are_needed(many, encoder_folder, tmp_path):
    songs = read_song_rows(many, 0, 20)
    first = _write(songs, encoder_folder, tmp_path / "first")

    def earlier():
        yield first
        raise AssertionError("all texts are known already")

    (tmp_path / "second").mkdir()
    write_shard(songs, encoder_folder, tmp_path / "second", earlier=earlier(), texts_at_once=1)
    assert (tmp_path / "second/vectors.arrow").read_bytes() == (first / "vectors.arrow").read_bytes()


def test_songs_without_words_are_read_back_too(many, encoder_folder, tmp_path):
    songs = read_song_rows(many, 0, 14)
    held = list(read_shard(songs, _write(songs, encoder_folder, tmp_path / "shard")))
    assert [song for song, _, _ in held] == songs
    assert [len(texts) for _, texts, _ in held] == [len(vectors) for _, _, vectors in held]
    assert [len(texts) for _, texts, _ in held][6::7] == [0, 0]


def test_rows_are_found_across_row_groups(many):
    everything = [song for batch in read_songs(many) for song in batch]
    for start, stop in ((0, 300), (0, 1), (250, 260), (299, 300), (256, 256)):
        assert read_song_rows(many, start, stop) == everything[start:stop]
    assert song_ids(many) == [song.song_id for song in everything]


def test_the_digest_of_songs_is_of_their_words(many):
    songs = read_song_rows(many, 0, 5)
    assert songs_digest(songs) == songs_digest(read_song_rows(many, 0, 5))
    assert songs_digest(songs) != songs_digest(songs[:4])
    assert songs_digest(songs) != songs_digest(songs[::-1])
