"""Vectors of a shard are those of the songs alone, whatever else is embedded, and are taken over by text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rhapsody_lib.retrieval import shards, stanzas
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.corpus_songs import read_raw_songs, read_song_rows, read_songs, song_ids, songs_digest
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.search import find_matches
from rhapsody_lib.retrieval.serving import Encoder
from rhapsody_lib.retrieval.shards import plan_shards, songs_in_shard, write_shard
from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.settings import CatalogueSettings
from rhapsody_lib.words.document import parse_lyrics
from tests.unit.retrieval.conftest import WORDS


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


@pytest.fixture(scope="module")
def in_one(many, encoder_folder, tmp_path_factory):
    """The catalogue of many songs, of one segment."""
    out = tmp_path_factory.mktemp("one")
    assert embed_catalogue(many, encoder_folder, out, CatalogueSettings())["segments"] == 1
    return out


def test_a_search_does_not_depend_on_the_shards(many, in_one, encoder_folder, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("rhapsody_lib.retrieval.shards.SHARD_SONGS", 100)
    card = embed_catalogue(many, encoder_folder, tmp_path / "cut", CatalogueSettings())
    assert card["segments"] == len(plan_shards(many)) > 1
    for name in ("lexicon.arrow", "metrics.json"):
        assert (in_one / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name
    one, cut = Catalogue.load(in_one), Catalogue.load(tmp_path / "cut")
    for lyrics in map(parse_lyrics, ("the river and the boat", "snow snow\n\nfrost on my sledge")):
        assert find_matches(one, encoder, lyrics, 25) == find_matches(cut, encoder, lyrics, 25)


def test_segments_may_be_made_elsewhere(many, in_one, encoder_folder, tmp_path):

    def make_segments(plan, progress):
        folders = [
            _write(shard.songs(many), encoder_folder, tmp_path / f"shard-{shard.start}", at_once=2) for shard in plan
        ]
        return lambda number, name: folders[number] / name

    embed_catalogue(many, encoder_folder, tmp_path / "there", CatalogueSettings(), make_segments=make_segments)
    for path in (tmp_path / "there").iterdir():
        assert path.read_bytes() == (in_one / path.name).read_bytes(), path.name


def test_a_vector_depends_on_its_text_alone(encoder, many):
    texts = [text for song in read_song_rows(many, 0, 40) for _, text in stanzas.song_stanzas(song.lyrics, encoder)]
    together = StanzaEmbedder(replace(encoder, texts_at_once=3)).encode(texts)
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
    for name in ("vectors.arrow", "stanzas.arrow"):
        assert (second / name).read_bytes() == (fresh / name).read_bytes()


def test_an_earlier_song_is_taken_over_with_its_words_unparsed(many, encoder_folder, tmp_path, monkeypatch):
    songs = read_song_rows(many, 0, 60)
    first = _write(songs[:59], encoder_folder, tmp_path / "first")
    parsed = []
    monkeypatch.setattr(
        shards, "song_stanzas", lambda lyrics, _: parsed.append(lyrics.title) or stanzas.song_stanzas(lyrics, _)
    )
    _write(songs, encoder_folder, tmp_path / "second", first)
    assert parsed == [songs[59].title]


def test_no_more_earlier_shards_are_fetched_than_are_needed(many, encoder_folder, tmp_path):
    songs = read_song_rows(many, 0, 20)
    first = _write(songs, encoder_folder, tmp_path / "first")

    def earlier():
        yield first
        raise AssertionError("all songs are known already")

    (tmp_path / "second").mkdir()
    write_shard(songs, encoder_folder, tmp_path / "second", earlier=earlier(), texts_at_once=1)
    for name in ("vectors.arrow", "stanzas.arrow"):
        assert (tmp_path / "second" / name).read_bytes() == (first / name).read_bytes()


def test_large_catalogues_have_larger_shards():
    assert [songs_in_shard(count) for count in (0, 60, 64_000, 64_001, 1_000_000)] == [500, 500, 500, 1000, 8000]


def test_rows_are_found_across_row_groups(many):
    everything = list(read_raw_songs(many))
    for start, stop in ((0, 300), (0, 1), (250, 260), (299, 300), (256, 256)):
        assert read_song_rows(many, start, stop) == everything[start:stop]
    assert song_ids(many) == [song.song_id for song in everything]
    assert [song.lyrics for song in everything] == [song.lyrics for batch in read_songs(many) for song in batch]


def test_the_digest_of_songs_is_of_their_words(many):
    songs = read_song_rows(many, 0, 5)
    assert songs_digest(songs) == songs_digest(read_song_rows(many, 0, 5))
    assert songs_digest(songs) != songs_digest(songs[:4])
    assert songs_digest(songs) != songs_digest(songs[::-1])
    assert songs_digest(songs) != songs_digest([*songs[:4], replace(songs[4], text="other words")])
