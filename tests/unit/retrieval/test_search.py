from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import InputError, SourceError
from rhapsody_lib.retrieval.calibration import Calibration
from rhapsody_lib.retrieval.catalogue import embed_catalogue
from rhapsody_lib.retrieval.filters import MatchFilters
from rhapsody_lib.retrieval.opened import Catalogue, in_folder, reading
from rhapsody_lib.retrieval.search import best_rows, find_matches
from rhapsody_lib.settings import CatalogueSettings
from rhapsody_lib.words.document import Lyrics, parse_lyrics


@pytest.fixture(scope="module")
def folder(corpus, encoder_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("catalogue")
    embed_catalogue(corpus, encoder_folder, out, CatalogueSettings())
    return out


@pytest.fixture(scope="module")
def catalogue(folder):
    return Catalogue.load(folder)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -np.inf]), min_size=1, max_size=30), st.integers(0, 40), st.randoms())
def test_best_rows_is_a_full_sort(scores, k, random):
    names = [f"song {index:02}" for index in range(len(scores))]
    random.shuffle(names)
    expected = sorted(
        (row for row in range(len(scores)) if np.isfinite(scores[row])), key=lambda row: (-scores[row], names[row])
    )
    assert best_rows(np.array(scores, np.float32), pa.chunked_array([names]), k) == expected[:k]


def test_every_song_finds_itself(catalogue, encoder, songs):
    for song_id, text in songs.items():
        best = find_matches(catalogue, encoder, parse_lyrics(text), 1)[0]
        assert (best.rank, best.song_id, best.title) == (1, song_id, song_id.title())
        assert best.similarity == pytest.approx(1, abs=1e-4)
        assert best.lexical == pytest.approx(1, abs=1e-4)


def test_matches_are_ranked_and_k_may_exceed_the_catalogue(catalogue, encoder):
    matches = find_matches(catalogue, encoder, parse_lyrics("a train on the rail\nthe engine"), 50)
    assert [match.rank for match in matches] == [1, 2, 3, 4]
    assert matches[0].song_id == "rail"
    scores = [match.score for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert all(-1 <= match.similarity <= 1 for match in matches)
    assert find_matches(catalogue, encoder, parse_lyrics("a train"), 0) == []


def test_the_closest_lines_stand_beside_one_another(catalogue, encoder):
    lyrics = parse_lyrics(
        "[verse 1]\nmy ticket of the train\nlove of the heart\n\n[chorus]\nthe kiss of the heart\nthe engine on my rail"
    )
    match = find_matches(catalogue, encoder, lyrics, 1)[0]
    assert match.song_id == "rail"
    assert (match.closest.generated_section, match.closest.catalogue_section) == ("chorus", "verse 2")
    assert match.closest.generated_line == match.closest.catalogue_line == "the engine on my rail"
    assert match.closest.line_similarity == pytest.approx(1, abs=1e-4)


def test_tracks(catalogue, encoder, songs):
    lyrics = parse_lyrics(songs["snow"])
    best = find_matches(catalogue, encoder, lyrics, 4)
    assert (best[0].song_id, best[0].track_id, best[0].has_track) == ("snow", None, False)
    assert catalogue.has_track.tolist() == [True, True, True, False]
    with_track = find_matches(catalogue, encoder, lyrics, 4, require_track=True)
    assert [(match.song_id, match.score) for match in with_track] == [
        (match.song_id, match.score) for match in best if match.has_track
    ]
    assert with_track[0].rank == 1
    assert with_track[0].track_id == f"{with_track[0].song_id}-a"


def test_repetition_gives_the_same_matches(folder, catalogue, encoder):
    lyrics = parse_lyrics("snow on the river\nbread and love")
    assert find_matches(catalogue, encoder, lyrics) == find_matches(Catalogue.load(folder), encoder, lyrics)


@pytest.mark.parametrize("text", ["", "\U0001f600 \U0001f600", "воды реки", "\x00\x07", "word " * 3000])
def test_odd_lyrics_match_something(catalogue, encoder, text):
    matches = find_matches(catalogue, encoder, parse_lyrics(text), 2)
    assert len(matches) == 2
    assert all(np.isfinite(match.score) for match in matches)


def test_lyrics_without_words_match_by_name(catalogue, encoder):
    matches = find_matches(catalogue, encoder, Lyrics("", ()), 4)
    assert [match.closest for match in matches] == [None] * 4
    assert {match.similarity for match in matches} == {0}


@pytest.mark.parametrize("texts", [{"only": "the river"}, {"only": "the river", "empty": ""}])
def test_a_catalogue_of_one_or_two(texts, make_corpus, encoder_folder, encoder, tmp_path):
    embed_catalogue(make_corpus(tmp_path / "corpus", texts), encoder_folder, tmp_path / "out", CatalogueSettings())
    matches = find_matches(Catalogue.load(tmp_path / "out"), encoder, parse_lyrics("my river"), 5)
    assert [match.song_id for match in matches] == ["only"]
    assert matches[0].similarity > 0.5
    assert matches[0].closest.catalogue_line == "the river"


def test_another_encoder_is_refused(catalogue, other_encoder):
    with pytest.raises(InputError, match="another encoder"):
        find_matches(catalogue, other_encoder, parse_lyrics("snow"))


def test_filters_leave_songs_out_and_change_no_number(make_corpus, encoder_folder, encoder, songs, tmp_path):
    embed_catalogue(make_corpus(tmp_path / "corpus", songs), encoder_folder, tmp_path / "out", CatalogueSettings())
    catalogue, lyrics = Catalogue.load(tmp_path / "out"), parse_lyrics(songs["rail"])
    everything = {match.song_id: match for match in find_matches(catalogue, encoder, lyrics)}
    some = find_matches(catalogue, encoder, lyrics, accept=lambda track: track != "rail-a")
    assert [match.song_id for match in some] == [name for name in everything if name != "rail"]
    assert all(
        (match.score, match.confidence) == (everything[match.song_id].score, everything[match.song_id].confidence)
        for match in some
    )
    with pytest.raises(InputError, match="language xx leaves 0"):
        find_matches(catalogue, encoder, lyrics, filters=MatchFilters(language="xx"))


def test_a_match_has_the_licence_of_its_song(catalogue, encoder, songs):
    licences = pa.array(["CC0-1.0", *[None] * (catalogue.songs.num_rows - 1)], pa.string())
    column = catalogue.songs.schema.get_field_index("licence")
    licensed = replace(catalogue, songs=catalogue.songs.set_column(column, "licence", licences))
    matches = find_matches(licensed, encoder, parse_lyrics(songs["rail"]))
    first = catalogue.songs.column("song_id")[0].as_py()
    assert {match.song_id: match.licence for match in matches} == {
        song_id: "CC0-1.0" if song_id == first else None for song_id in songs
    }


def test_a_song_and_its_copy_count_once(make_corpus, encoder_folder, encoder, songs, tmp_path):
    texts = {**songs, "rail again": songs["rail"].replace("whistle", "kiss"), "sea again": songs["sea"] + "\nlove\n"}
    embed_catalogue(make_corpus(tmp_path / "corpus", texts), encoder_folder, tmp_path / "out", CatalogueSettings())
    matches = find_matches(Catalogue.load(tmp_path / "out"), encoder, parse_lyrics(songs["rail"]), 6)
    assert matches[0].song_id == "rail"
    found = [match.song_id for match in matches]
    assert "rail again" not in found
    assert len({"sea", "sea again"} & set(found)) == 1
    assert [match.rank for match in matches] == [1, 2, 3, 4]


def test_a_song_that_is_not_accepted_does_not_hide_its_copy(make_corpus, encoder_folder, encoder, songs, tmp_path):
    texts = {**songs, "rail again": songs["rail"].replace("whistle", "kiss")}
    embed_catalogue(make_corpus(tmp_path / "corpus", texts), encoder_folder, tmp_path / "out", CatalogueSettings())
    asked = []
    matches = find_matches(
        Catalogue.load(tmp_path / "out"),
        encoder,
        parse_lyrics(songs["rail"]),
        2,
        accept=lambda track: bool(asked.append(track)) or track != "rail-a",
    )
    assert matches[0].song_id == "rail again"
    assert asked[:2] == ["rail-a", "rail again-a"]
    assert len(asked) == 3


def test_a_confidence_is_what_the_songs_share_of_the_probability_is_worth(catalogue, encoder, songs, monkeypatch):
    monkeypatch.setattr("rhapsody_lib.retrieval.search.FEWEST_QUERIES", len(songs))
    doubtful = replace(catalogue, calibration=Calibration((1.0, 1.0, 0.0), 0.5, -1.0, 1000))
    matches = find_matches(doubtful, encoder, parse_lyrics(songs["rail"]))
    assert len(matches) == len(songs)
    weights = np.exp([match.score for match in matches])
    odds = weights / (weights.sum() - weights)
    told = np.sqrt(odds) * np.exp(-1.0)
    np.testing.assert_allclose([match.confidence for match in matches], told / (1 + told), atol=1e-4)
    assert matches[0].confidence > 0.5 > matches[1].confidence


@pytest.mark.parametrize("count", [1, 19, 20])
def test_too_few_songs_tell_no_confidence(make_corpus, encoder_folder, encoder, tmp_path, count):
    texts = {f"song {index}": f"river boat {index}\nsnow {index} ice" for index in range(count)}
    embed_catalogue(make_corpus(tmp_path / "corpus", texts), encoder_folder, tmp_path / "out", CatalogueSettings())
    matches = find_matches(Catalogue.load(tmp_path / "out"), encoder, parse_lyrics("love kiss"))
    assert {match.confidence is None for match in matches} == {count < 20}


@pytest.mark.parametrize("eligible", [1, 19, 20])
def test_too_few_songs_that_may_be_found_tell_no_confidence(make_corpus, encoder_folder, encoder, tmp_path, eligible):
    texts = {f"song {index}": f"river boat {index}\nsnow {index} ice" for index in range(22)}
    corpus = make_corpus(tmp_path / "corpus", texts, without_track=tuple(texts)[eligible:])
    embed_catalogue(corpus, encoder_folder, tmp_path / "out", CatalogueSettings())
    catalogue, lyrics = Catalogue.load(tmp_path / "out"), parse_lyrics("love kiss")
    matches = find_matches(catalogue, encoder, lyrics, require_track=True)
    assert {match.confidence is None for match in matches} == {eligible < 20}
    assert all(match.confidence is not None for match in find_matches(catalogue, encoder, lyrics))


def test_lyrics_of_fifty_thousand_words(catalogue, encoder):
    matches = find_matches(catalogue, encoder, parse_lyrics("the train on the rail and snow\n" * 7143), 2)
    assert matches[0].song_id == "rail"


def test_songs_without_words_are_passed_over(make_corpus, encoder_folder, encoder, tmp_path):
    texts = {"a": "", "b": "the train", "c": "", "d": "...", "e": "snow and ice"}
    card = embed_catalogue(make_corpus(tmp_path / "c", texts), encoder_folder, tmp_path / "o", CatalogueSettings())
    assert card["songs"] == 3
    matches = find_matches(Catalogue.load(tmp_path / "o"), encoder, parse_lyrics("the train"))
    assert [match.song_id for match in matches] == ["b", "e"]
    with pytest.raises(SourceError, match="none of its songs has words"):
        embed_catalogue(
            make_corpus(tmp_path / "n", {"a": "", "b": ""}), encoder_folder, tmp_path / "p", CatalogueSettings()
        )


def test_of_the_stanzas_only_those_of_the_matches_are_read(folder, encoder):
    read = []

    def read_part(number, name, start, end):
        read.append((name, end - start))
        return reading(in_folder(folder))(number, name, start, end)

    matches = find_matches(Catalogue.load(folder, read_part=read_part), encoder, parse_lyrics("a train"), 2)
    assert len(matches) == 2
    assert [name for name, _ in read] == ["stanzas.arrow"] * 2
    assert sum(size for _, size in read) < (folder / "segments/0000/stanzas.arrow").stat().st_size / 1.5
