"""What the search is measured beside, and the intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rhapsody_lib.retrieval.stanzas import StanzaEmbedder
from rhapsody_lib.retrieval.yardsticks import (
    ANCESTOR,
    BASE,
    BM25,
    ENCODER,
    OURS,
    TFIDF,
    KnownItems,
    bm25,
    compare_methods,
    interval,
    with_shared_lines,
)
from rhapsody_lib.words.document import parse_lyrics

CHORUS = "[verse 1]\nriver boat\n\n[chorus]\nlove kiss\n\n[verse 2]\ntide train\n\n[chorus]\nlove kiss\n"


def test_bm25_is_the_textbook_formula() -> None:
    score = bm25(["snow snow ice", "ice", "rain on the rail"])
    idf = math.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    length = 1 - 0.75 + 0.75 * 3 / (8 / 3)
    assert score("snow")[0] == pytest.approx(idf * 2 * 2.5 / (2 + 1.5 * length), rel=1e-5)
    assert score("snow snow")[0] == pytest.approx(2 * score("snow")[0])
    assert score("unheard").tolist() == [0, 0, 0]


def test_a_chorus_stays_in_both_halves_where_lines_are_shared() -> None:
    first, second = with_shared_lines(parse_lyrics(CHORUS)) or pytest.fail("cut")
    assert first.lines + second.lines == parse_lyrics(CHORUS).lines
    assert set(first.lines) & set(second.lines) == {"love kiss"}
    assert with_shared_lines(parse_lyrics("snow")) is None


def test_a_song_that_is_too_short_is_no_query_and_no_other() -> None:
    items = KnownItems.of([parse_lyrics(CHORUS), parse_lyrics("snow")], [parse_lyrics("ice"), parse_lyrics("a b\nc d")])
    assert (len(items.queries), len(items.songs)) == (1, 2)


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(3, 2, 400)
    low, high = interval([values], lambda means: means[0])
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_paired_methods_have_a_narrow_ratio() -> None:
    one = np.random.default_rng(1).uniform(0.1, 1, 300)
    assert interval([2 * one, one], lambda means: means[0] / means[1]) == (2, 2)


def test_every_method_ranks_the_same_queries(encoder, songs) -> None:  # type: ignore[no-untyped-def]
    texts = [parse_lyrics(text) for text in songs.values()]
    found = compare_methods(KnownItems.of(texts, []), StanzaEmbedder(encoder), None, base=StanzaEmbedder(encoder))
    assert {TFIDF, BM25, ANCESTOR, ENCODER, BASE, OURS} <= set(found.ranks)
    assert {len(ranks) for ranks in found.ranks.values()} == {4}
    assert all(1 <= rank <= 4 for ranks in found.ranks.values() for rank in ranks)
    assert found.ranks[BASE].tolist() == found.ranks[ENCODER].tolist()
    # What was before tuning is not measured by the tuned one.
    assert not {ANCESTOR, BASE} & set(compare_methods(KnownItems.of(texts, []), StanzaEmbedder(encoder), None).ranks)
    same = StanzaEmbedder(encoder)
    untuned = set(compare_methods(KnownItems.of(texts, []), same, None, base=same).ranks)
    assert ANCESTOR in untuned
    assert BASE not in untuned
    assert found.better_words in {TFIDF, BM25}
    low, high = found.ratio()[1]
    assert low <= found.ratio()[0] <= high
    assert found.table()[OURS]["mrr"] == pytest.approx(float(np.mean(1 / found.ranks[OURS])), abs=1e-4)
