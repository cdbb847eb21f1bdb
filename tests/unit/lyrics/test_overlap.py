"""What is shared is found however songs are cut into blocks, and is the same as by looking at every run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.lyrics import overlap
from rhapsody_lib.lyrics.overlap import Overlap, copying_reference, longest_shared_run, overlaps, words_of
from rhapsody_lib.words.document import Lyrics, parse_lyrics

WORDS = st.lists(st.sampled_from(["ay", "bee", "sea"]), max_size=12)


def test_the_longest_shared_run() -> None:
    song = parse_lyrics("I walk along the shore\nand never look behind\n")
    new = words_of(parse_lyrics("she said and never look behind you walk along the shore"))
    assert longest_shared_run(new, [song]) == 4
    assert longest_shared_run(new, [song], but_within=new[2:6]) == 4
    assert longest_shared_run(new, [song], but_within=new) == 0
    assert longest_shared_run(new, []) == 0
    # Lines of a song follow one another: a run may go over their end.
    assert longest_shared_run(["the", "shore", "and", "never"], [song]) == 4


@given(WORDS, WORDS)
def test_the_longest_run_is_that_of_all_runs(new: list[str], old: list[str]) -> None:
    runs = {tuple(old[i:j]) for i in range(len(old)) for j in range(i + 1, len(old) + 1)}
    mine = [tuple(new[i:j]) for i in range(len(new)) for j in range(i + 1, len(new) + 1)]
    song = parse_lyrics(" ".join(old))
    assert longest_shared_run(new, [song]) == max((len(run) for run in mine if run in runs), default=0)


@given(st.lists(WORDS, max_size=4), st.lists(WORDS, max_size=4))
def test_all_songs_at_once_give_what_each_gives_alone(new: list[list[str]], old: list[list[str]]) -> None:
    training = [parse_lyrics(" ".join(words)) for words in old]
    found = overlaps(new, training)
    assert [song.longest_run for song in found] == [longest_shared_run(words, training) for words in new]
    known = {tuple(words[i : i + 5]) for words in old for i in range(len(words) - 4)}
    for words, song in zip(new, found, strict=True):
        runs = [tuple(words[i : i + 5]) for i in range(len(words) - 4)]
        assert song.shared_share == pytest.approx(sum(run in known for run in runs) / len(runs) if runs else 0)


def test_blocks_change_nothing(songs: list[Lyrics], monkeypatch: pytest.MonkeyPatch) -> None:
    words = [words_of(song) for song in songs]
    whole = overlaps(words, songs[1:])
    monkeypatch.setattr(overlap, "_BLOCK_SONGS", 1)
    assert overlaps(words, iter(songs[1:])) == whole
    assert whole[1] == Overlap(len(words[1]), 1.0)


def test_a_run_is_followed_so_far_and_no_farther() -> None:
    """To look for longer ones would take a pass for each word more: minutes for a poem."""
    for count, told in ((63, 63), (64, 64), (4000, 64)):
        song = parse_lyrics(" ".join(["la"] * count))
        assert overlaps([["la"] * count], [song])[0].longest_run == told
        assert longest_shared_run(["la"] * count, [song]) == told


def test_the_reference_of_copying(songs: list[Lyrics]) -> None:
    found = copying_reference(songs[2:], songs[:2])
    assert found["longest_run_median"] == found["longest_run_max"] == longest_shared_run(words_of(songs[2]), songs[:2])
    assert 0 <= found["shared_share_mean"] < 0.2
    assert copying_reference([], songs) == {}
