"""Vectors of a shard are those of the songs alone, whatever else is embedded, and are taken over by text."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE, TRACKS_SCHEMA
from rhapsody_lib.errors import InputError
from rhapsody_lib.retrieval import shards, stanzas
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.corpus_songs import melodies_in, read_song_rows, read_songs, run_digests, song_ids
from rhapsody_lib.retrieval.opened import Catalogue
from rhapsody_lib.retrieval.search import find_matches
from rhapsody_lib.retrieval.segments import map_batch
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
    for name in ("sample.arrow", "metrics.json"):
        assert (in_one / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name
    one, cut = Catalogue.load(in_one), Catalogue.load(tmp_path / "cut")
    for lyrics in map(parse_lyrics, ("the river and the boat", "snow snow\n\nfrost on my sledge")):
        assert find_matches(one, encoder, lyrics, 25) == find_matches(cut, encoder, lyrics, 25)


def test_segments_may_be_made_elsewhere(many, in_one, encoder_folder, tmp_path):

    def make_segments(plan, progress):
        folders = [_write(each.songs(many), encoder_folder, tmp_path / f"{each.start}", at_once=2) for each in plan]
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
    for name in ("vectors.arrow", "stanzas.arrow", "lexicon.arrow"):
        assert (second / name).read_bytes() == (fresh / name).read_bytes()


def test_an_earlier_song_is_taken_over_with_its_words_unparsed(many, encoder_folder, tmp_path, monkeypatch):
    songs = read_song_rows(many, 0, 60)
    first = _write(songs[:-1], encoder_folder, tmp_path / "first")
    parsed = []
    monkeypatch.setattr(
        shards, "song_stanzas", lambda lyrics, _: parsed.append(lyrics.title) or stanzas.song_stanzas(lyrics, _)
    )
    _write(songs, encoder_folder, tmp_path / "second", first)
    assert parsed == [songs[-1].title]


def test_no_more_earlier_shards_are_fetched_than_are_needed(many, encoder_folder, tmp_path):
    songs = read_song_rows(many, 0, 20)
    first = _write(songs, encoder_folder, tmp_path / "first")

    def earlier():
        yield first
        raise AssertionError("all songs are known already")

    (tmp_path / "second").mkdir()
    write_shard(songs, encoder_folder, tmp_path / "second", earlier=earlier(), texts_at_once=1)
    for name in ("vectors.arrow", "stanzas.arrow", "lexicon.arrow"):
        assert (tmp_path / "second" / name).read_bytes() == (first / name).read_bytes()


def test_large_catalogues_have_larger_shards():
    assert [songs_in_shard(count) for count in (0, 60, 256_000, 256_001, 1_000_000)] == [500, 500, 500, 1000, 2000]
    assert songs_in_shard(10**9) * 1.5 < 1 << 16


def test_rows_are_found_across_row_groups_and_songs_without_words_passed_over(many):
    everything = read_song_rows(many, 0, 300)
    ids = song_ids(many)
    assert len(ids) == 300
    for start, stop in ((0, 300), (0, 1), (250, 260), (299, 300), (256, 256), (6, 7)):
        found = read_song_rows(many, start, stop)
        assert found == [song for song in everything if song.song_id in ids[start:stop]]
    assert len(everything) == 300 - 42
    assert [song.lyrics for song in everything] == [song.lyrics for batch in read_songs(many) for song in batch]


def _with_track(corpus, song_id, digest):
    """Give the tracks of a song another digest."""
    rows = pq.read_table(corpus / TRACKS_FILE).to_pylist()
    for row in rows:
        row["sha256"] = digest if row["song_id"] == song_id else "music"
    pq.write_table(pa.Table.from_pylist(rows, TRACKS_SCHEMA), corpus / TRACKS_FILE)
    return corpus


@pytest.mark.parametrize("change", ["none", "words", "title", "track", "earlier song"])
def test_the_digest_of_a_run_is_of_its_ids_words_and_tracks(make_corpus, tmp_path, monkeypatch, change):
    texts, name = _texts(300), "songs/0100"
    before = run_digests(_with_track(make_corpus(tmp_path / "before", texts), name, "a"), [range(100), range(100, 300)])
    changed = {"words": {name: texts[name] + "x"}, "earlier song": {"songs/0002": "snow"}}
    after = _with_track(
        make_corpus(tmp_path / "after", texts | changed.get(change, {})), name, "b" if change == "track" else "a"
    )
    if change == "title":
        table = pq.read_table(after / SONGS_FILE)
        titles = [f"{title}!" if row == 100 else title for row, title in enumerate(table.column("title").to_pylist())]
        table = table.set_column(table.schema.get_field_index("title"), "title", pa.array(titles))
        pq.write_table(table, after / SONGS_FILE)
    monkeypatch.setattr("rhapsody_lib.retrieval.corpus_songs._ROWS_A_BATCH", 77)  # in other pieces
    same = [one == other for one, other in zip(before, run_digests(after, [range(100), range(100, 300)]), strict=True)]
    assert same == [change != "earlier song", change in ("none", "earlier song")]


def test_a_melody_is_read_once_a_track(many, encoder_folder, tmp_path):
    songs = [replace(song, track=f"track {number}") for number, song in enumerate(read_song_rows(many, 0, 30))]
    songs[3] = replace(songs[3], track="")
    asked = []

    def melodies(song_ids):
        asked.append(list(song_ids))
        return {song_id: song_id.endswith("5") for song_id in song_ids}

    def write(some, out, *earlier):
        out.mkdir()
        write_shard(some, encoder_folder, out, earlier=earlier, melodies=melodies)
        return dict(
            zip(
                *(map_batch(out / "vectors.arrow").column(n).to_pylist() for n in ("song_id", "has_melody")),
                strict=True,
            )
        )

    found = write(songs[:-2], tmp_path / "one")
    assert {name for name, has in found.items() if has} == {song.song_id for song in songs if song.song_id[-1] == "5"}
    songs[5] = replace(songs[5], track="another")
    write(songs, tmp_path / "two", tmp_path / "one")
    assert asked[1] == [songs[5].song_id, *(song.song_id for song in songs[-2:])]
    assert songs[3].song_id not in asked[0]


def test_the_music_that_is_asked_for_is_read_in_whatever_row_group_it_is(tmp_path, monkeypatch):
    rows = [{"track_id": f"t{n}", "song_id": f"s{n}", "midi": b"tune" if n % 2 else b"drums"} for n in range(5)]
    rows[3]["midi"] = None
    rows += [{"track_id": "t0 second", "song_id": "s0", "midi": b"tune"}]
    pq.write_table(pa.Table.from_pylist(rows, TRACKS_SCHEMA), tmp_path / TRACKS_FILE, row_group_size=2)

    def read(midi, name):
        if name == "s4":
            raise InputError("it is damaged")
        return SimpleNamespace(parts={"melody": [1] * (midi == b"tune")})

    monkeypatch.setattr("rhapsody_lib.music.midi.midi_to_score", read)
    found = melodies_in(tmp_path)([f"s{n}" for n in (4, 0, 1, 3, 9)])
    assert found == {"s0": False, "s1": True, "s3": False, "s4": False}


def test_two_songs_of_the_same_words_are_both_taken_over(many, encoder_folder, tmp_path):
    songs = read_song_rows(many, 0, 20)
    first = _write(songs, encoder_folder, tmp_path / "first")
    twice = sorted([*songs, replace(songs[4], song_id="songs/0004 again")], key=lambda song: song.song_id)
    _write(twice, encoder_folder, tmp_path / "second", first)
    _write(twice, encoder_folder, tmp_path / "fresh")
    for name in ("vectors.arrow", "stanzas.arrow", "lexicon.arrow"):
        assert (tmp_path / "second" / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_figures_of_the_same_sample_are_taken_over(many, in_one, encoder_folder, tmp_path, monkeypatch):
    def measured(*_, **__):
        raise AssertionError("it is measured anew")

    monkeypatch.setattr("rhapsody_lib.retrieval.sample.evaluate_retrieval", measured)
    again = embed_catalogue(many, encoder_folder, tmp_path / "again", CatalogueSettings(), earlier=[in_one])
    assert again["sample"]["all"]
    for name in ("metrics.json", "sample.arrow", "catalogue.json"):
        assert (tmp_path / "again" / name).read_bytes() == (in_one / name).read_bytes()
    with pytest.raises(AssertionError, match="anew"):
        embed_catalogue(many, encoder_folder, tmp_path / "new", CatalogueSettings())


@pytest.mark.parametrize("most", [20, 1000])
def test_another_sample_is_measured_anew_with_the_vectors_of_the_earlier(
    make_corpus, encoder_folder, tmp_path, embedded, monkeypatch, most
):
    monkeypatch.setattr("rhapsody_lib.retrieval.sample.MOST_SONGS", most)
    monkeypatch.setattr("rhapsody_lib.retrieval.sample._AT_ONCE", 11)
    texts = _texts(60)
    first = min(texts, key=lambda name: hashlib.sha256(name.encode()).hexdigest())  # it is in every sample
    fewer = make_corpus(tmp_path / "fewer", {name: text for name, text in texts.items() if name != first})
    embed_catalogue(fewer, encoder_folder, tmp_path / "earlier", CatalogueSettings())
    counts = []
    for name, earlier in (("anew", []), ("grown", [tmp_path / "earlier"])):
        embedded.clear()
        corpus = make_corpus(tmp_path / "corpus", texts)
        card = embed_catalogue(corpus, encoder_folder, tmp_path / name, CatalogueSettings(), earlier=earlier)
        counts.append(len(embedded))
    assert card["metrics"]["songs"] == min(most, 52)
    for file in ("metrics.json", "sample.arrow", "catalogue.json"):
        assert (tmp_path / "grown" / file).read_bytes() == (tmp_path / "anew" / file).read_bytes()
    assert counts[1] < 0.8 * counts[0]
