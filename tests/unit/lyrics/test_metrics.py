"""Each figure on a text where it is known, and the controls: what was spoilt on purpose comes out far from songs."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.songbook import read_song, songbook_files
from rhapsody_lib.corpus.songbook_reader import song_lyrics
from rhapsody_lib.lyrics.metrics import (
    distances,
    distinct,
    lines_of,
    longest_loop,
    looped,
    new_pairs,
    overall,
    repeated_lines,
    rhyme_density,
    shuffled,
    text_figures,
    wasserstein,
    word_pairs,
)
from rhapsody_lib.words.document import Lyrics, parse_lyrics
from tests.trained import SONGBOOK


def test_distinct() -> None:
    lines = [["a", "b", "a", "b"], ["a", "b"]]
    assert distinct(lines, 1) == pytest.approx(2 / 6)
    assert distinct(lines, 2) == pytest.approx(2 / 4)
    assert distinct([], 2) == 1


def test_repeated_lines() -> None:
    assert repeated_lines([["a"], ["b"], ["a"], ["a"]]) == pytest.approx(1 / 2)
    assert repeated_lines([]) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("one two three", 0),
        ("we wait and wait and go", 4),
        ("la la la la", 4),
        ("oh with a big man with a big man with a", 10),
        ("no no not so", 2),
    ],
)
def test_the_longest_loop(text: str, words: int) -> None:
    assert longest_loop(text.split()) == words


def test_rhyme_density() -> None:
    lines = [line.split() for line in ("all the night", "in the stone", "hold me tight", "we go night", "a lot")]
    assert rhyme_density(lines) == pytest.approx(2 / 5)  # tight: night; night: tight, not itself
    assert rhyme_density([["night"], ["night"]]) == 0
    assert rhyme_density([]) == 0


def test_the_figures_of_a_song() -> None:
    song = parse_lyrics("I see the night\nI see the light\n\nthou art alone\n")
    figures = text_figures(song)
    assert figures["words_per_line"] == pytest.approx(11 / 3)
    assert figures["syllables_per_line"] == pytest.approx(4)
    assert figures["syllables_spread"] == 0
    assert new_pairs(song, {("i", "see"), ("see", "the")}) == pytest.approx(4 / 8)
    assert new_pairs(parse_lyrics(""), set()) == 0
    assert figures["archaic_words"] == pytest.approx(1 / 11)
    assert figures["rhyme_density"] == pytest.approx(1 / 3)
    assert set(text_figures(parse_lyrics(""))) == set(figures)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9), st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_the_distance_of_two_samples(a: list[float], b: list[float]) -> None:
    first, second = np.array(a), np.array(b)
    # By quantiles of the same number of values each: another way to the same area.
    quantiles = [np.repeat(np.sort(sample), size) for sample, size in ((first, len(b)), (second, len(a)))]
    assert wasserstein(first, second) == pytest.approx(np.abs(quantiles[0] - quantiles[1]).mean(), abs=1e-9)
    assert wasserstein(first, first + 1) == pytest.approx(1)


def songbook() -> list[Lyrics]:
    paths = list(songbook_files(SONGBOOK))
    random.Random(0).shuffle(paths)
    return [song_lyrics(read_song(path)) for path in paths[:90]]


def test_spoilt_songs_are_farther_than_other_songs() -> None:
    songs = songbook()
    known = {pair for song in songs[60:] for pair in word_pairs(lines_of(song))}
    rng = np.random.default_rng(0)
    sets = {
        "songs": songs[30:60],
        "shuffled": [shuffled(song, rng) for song in songs[30:60]],
        "looped": [looped(song) for song in songs[30:60]],
    }
    reference = list(map(text_figures, songs[:30]))
    found = {name: distances(list(map(text_figures, of)), reference) for name, of in sets.items()}
    new = {name: np.mean([new_pairs(song, known) for song in of]) for name, of in sets.items()}
    far = {name: overall(distance) for name, distance in found.items()}
    assert far["shuffled"] > 1.5 * far["songs"]
    assert far["looped"] > 3 * far["songs"]
    assert found["shuffled"]["rhyme_density"].shift < -1
    assert new["shuffled"] > new["songs"] + 0.1
    assert found["looped"]["repeated_lines"].shift > 3
    assert found["songs"]["distinct_2"].mean == pytest.approx(found["songs"]["distinct_2"].reference, rel=0.1)


def test_spoilt_songs_keep_their_lines() -> None:
    song = songbook()[0]
    other = shuffled(song, np.random.default_rng(1))
    assert [len(line) for line in lines_of(other)] == [len(line) for line in lines_of(song)]
    words = [sorted(word for line in lines_of(text) for word in line) for text in (song, other)]
    assert words[0] == words[1]
    assert len(lines_of(looped(song))) == len(lines_of(song))
    assert len(set(looped(song).lines)) == 2
