import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.retrieval.stanzas import (
    StanzaEmbedder,
    lexical_text,
    mean_vector,
    song_stanzas,
    split_to_fit,
)
from rhapsody_lib.words.document import parse_lyrics


@given(st.text(st.sampled_from("ab \n"), max_size=200), st.integers(1, 30))
def test_split_loses_no_letter_and_every_piece_fits(text, limit):
    pieces = split_to_fit(text, lambda piece: len(piece) <= limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_split_prefers_line_breaks_then_spaces():
    text = "one two three\nfour five six\nseven eight nine\nten eleven"
    assert split_to_fit(text, lambda piece: len(piece.split()) <= 6) == [
        "one two three\nfour five six",
        "seven eight nine\nten eleven",
    ]
    assert split_to_fit("one two three four", lambda piece: len(piece.split()) <= 2) == ["one two", "three four"]


def test_a_chorus_that_returns_is_one_stanza(encoder, songs):
    assert [name for name, _ in song_stanzas(parse_lyrics(songs["sea"]), encoder)] == ["verse 1", "chorus", "verse 2"]
    assert lexical_text(parse_lyrics(songs["sea"])).count("tide") == 1


def test_a_stanza_past_the_limit_is_embedded_in_pieces(encoder):
    stanza = "\n".join(["the river and the boat"] * 3 + ["snow and ice and frost"])
    pieces = song_stanzas(parse_lyrics(stanza), encoder)
    assert len(pieces) == 2
    assert {name for name, _ in pieces} == {"verse 1"}
    assert pieces[-1][1].endswith("frost")
    assert all(encoder.fits(text) for _, text in pieces)


def test_mean_vector_is_of_unit_length_or_zero():
    np.testing.assert_allclose(mean_vector(np.eye(2, dtype=np.float32)), [0.5**0.5] * 2, rtol=1e-6)
    assert not mean_vector(np.zeros((0, 3), np.float32)).any()
    assert not mean_vector(np.array([[1, 0], [-1, 0]], np.float32)).any()


def test_a_song_is_the_mean_of_its_stanzas(encoder):
    embedder = StanzaEmbedder(encoder)
    songs = [[("verse 1", "river boat"), ("verse 2", "snow")], [], [("verse 1", "train")]]
    means, stanzas = embedder.songs(songs)
    np.testing.assert_allclose(means[0], mean_vector(encoder.encode(["river boat", "snow"])), atol=1e-6)
    assert not means[1].any()
    np.testing.assert_allclose(means[2], stanzas[2], atol=1e-6)


def test_known_texts_are_not_embedded_again(encoder, monkeypatch):
    asked = []
    plain = type(encoder).encode
    monkeypatch.setattr(
        type(encoder), "encode", lambda self, texts, **rest: asked.extend(texts) or plain(self, texts, **rest)
    )
    monkeypatch.setattr("rhapsody_lib.retrieval.stanzas.REMEMBERED_TEXTS", 2)
    embedder = StanzaEmbedder(encoder)
    first = embedder.encode(["snow", "river", "snow", "train"])
    second = embedder.encode(["train", "snow", "river"])
    assert asked == ["snow", "river", "train", "train"]
    np.testing.assert_allclose(second, first[[3, 0, 1]], atol=1e-6)


def test_half_a_surrogate_pair_is_embedded_as_a_question_mark(encoder):
    ((_, text),) = song_stanzas(parse_lyrics("the river \ud83d and the boat"), encoder)
    assert text == "the river ? and the boat"
    assert StanzaEmbedder(encoder).encode([text]).shape == (1, encoder.dimension)
