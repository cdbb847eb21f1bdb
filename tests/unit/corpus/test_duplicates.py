from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus import duplicates
from rhapsody_lib.corpus.duplicates import DuplicateFinder
from rhapsody_lib.corpus.signatures import (
    PERMUTATIONS,
    Hashes,
    bands,
    jaccard,
    music_key,
    rows_per_band,
    shingles,
    signature,
    words_key,
)

word_lists = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g"]), min_size=1, max_size=30)
#: What a song repeats (-1: nothing), how alike they are, and whether its words are the same.
Verdict = tuple[int, float, bool]


def _song(seed: int, length: int = 120) -> list[str]:
    return [f"w{number}" for number in np.random.default_rng(seed).integers(0, 400, length)]


def _found(songs: Sequence[Sequence[str]], threshold: float, at_once: int = 3) -> list[Verdict]:
    """What each song repeats, by the finder. One without words is music: the same, if its list is the same object."""
    with DuplicateFinder(threshold) as finder:
        for start in range(0, len(songs), at_once):
            some = songs[start : start + at_once]
            keys = [words_key(words) if words else music_key(str(id(words)).encode()) for words in some]
            finder.add(keys, [signature(shingles(words)).tobytes() if words else None for words in some])
        alike = finder.alike()
        assert alike == sorted(set(alike))
        repeats = finder.compare(songs[number] for number in alike)
    return list(zip(repeats.of.tolist(), repeats.similarity.tolist(), repeats.exact.tolist(), strict=True))


def _one_by_one(songs: Sequence[Sequence[str]], threshold: float) -> list[Verdict]:
    """What each song repeats, by comparing it with every song kept so far."""
    verdicts, kept = list[Verdict](), list[int]()
    for number, words in enumerate(songs):
        same = [other for other in kept if songs[other] == words]
        near = ((other, jaccard(shingles(words), shingles(songs[other]))) for other in kept)
        alike = next(((other, similarity) for other, similarity in near if similarity >= threshold), None)
        if same:
            verdicts.append((same[0], 1.0, True))
        elif alike:
            verdicts.append((*alike, False))
        else:
            verdicts.append((-1, 1.0, False))
            kept.append(number)
    return verdicts


@given(word_lists, word_lists)
def test_hashed_shingles_have_the_jaccard_similarity_of_the_real_ones(one: list[str], other: list[str]) -> None:
    def real(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}

    expected = len(real(one) & real(other)) / len(real(one) | real(other))
    assert abs(jaccard(shingles(one), shingles(other)) - expected) < 1e-9


@st.composite
def repetitive(draw: st.DrawFn) -> list[list[str]]:
    """Songs of which many are changed copies, or copies of copies, of others."""
    songs: list[list[str]] = [_song(draw(st.integers(0, 3)), 40)]
    for number in range(draw(st.integers(0, 12))):
        song = list(songs[draw(st.integers(0, len(songs) - 1))])
        for place in draw(st.lists(st.integers(0, 39), max_size=3)):
            song[place] = f"new{number % 3}"
        songs.append(song)
    return songs


@given(repetitive(), st.sampled_from([0.5, 0.8, 1.0]), st.integers(1, 5))
def test_what_is_found_is_what_comparing_all_with_all_finds(
    songs: list[list[str]], threshold: float, at_once: int
) -> None:
    assert _found(songs, threshold, at_once) == _one_by_one(songs, threshold)


def test_every_near_duplicate_above_the_threshold_is_found_and_none_below() -> None:
    songs = [_song(seed) for seed in range(60)]
    for seed in range(60):
        changed = _song(seed)
        for place in range(0, 5 * (1 + seed % 8), 5):
            changed[place] = f"new{place}"
        songs.append(changed)
    found = _found(songs, 0.6, at_once=17)
    assert {of for of, _, _ in found[:60]} == {-1}
    for seed, (of, similarity, exact) in enumerate(found[60:]):
        expected = jaccard(shingles(songs[60 + seed]), shingles(songs[seed]))
        assert (of, exact) == ((seed, False) if expected >= 0.6 else (-1, False)), (seed, expected)
        assert of < 0 or abs(similarity - expected) < 1e-9


def test_one_word_songs_are_compared_too() -> None:
    assert [of for of, _, _ in _found([["la"], ["lo"], ["la"]], 0.8)] == [-1, -1, 0]


def test_music_without_words_repeats_the_same_music_alone() -> None:
    one, other = list[str](), list[str]()
    assert _found([one, other, ["la"], one], 0.8) == [(-1, 1.0, False)] * 3 + [(0, 1.0, True)]


def test_a_thousand_copies_are_not_compared_with_one_another() -> None:
    found = _found([_song(1)] * 1000 + [_song(2)], 0.8, at_once=100)
    assert found == [(-1, 1.0, False)] + [(0, 1.0, True)] * 999 + [(-1, 1.0, False)]


def test_songs_of_one_template_cost_what_their_number_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share bands, and yet none repeats another; a true repeat among them is found all the same."""
    monkeypatch.setattr(duplicates, "_MOST_OF_A_BAND", 10)
    compared = Counter[str]()

    def counted(one: Hashes, other: Hashes) -> float:
        compared["pairs"] += 1
        return jaccard(one, other)

    monkeypatch.setattr(duplicates, "jaccard", counted)
    template = _song(0, 60)
    songs = [[*template, *_song(number, 40)] for number in range(1, 200)]
    songs.append([*songs[150], "la"])
    found = _found(songs, 0.8)
    assert [of for of, _, _ in found] == [-1] * 199 + [150]
    bands = PERMUTATIONS // rows_per_band(0.8)
    assert 200 < compared["pairs"] <= 10 * bands * len(songs)


def test_no_songs_repeat_nothing() -> None:
    assert _found([], 0.8) == []


def test_a_signature_agrees_as_often_as_the_songs_are_alike() -> None:
    one, other = _song(1, 400), [*_song(1, 400)[:300], *_song(2, 100)]
    agreeing = (signature(shingles(one)) == signature(shingles(other))).mean()
    assert abs(agreeing - jaccard(shingles(one), shingles(other))) < 0.15
    assert bands(signature(shingles(one))[None], 5).shape == (1, 25)


def test_bands_are_as_selective_as_the_recall_allows() -> None:
    assert rows_per_band(1.0) == 16
    assert 1 <= rows_per_band(0.3) < rows_per_band(0.6) < rows_per_band(0.9)


def test_nothing_lies_in_the_temporary_folder_of_the_system_if_another_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    songs = [_song(1), _song(2), _song(1)]
    with DuplicateFinder(0.8, tmp_path) as finder:
        finder.add([words_key(words) for words in songs], [signature(shingles(words)).tobytes() for words in songs])
        assert finder.compare(songs[number] for number in finder.alike()).of.tolist() == [-1, -1, 0]
