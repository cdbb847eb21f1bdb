"""What sampling is built of: rows that are kept, a narrowed readout, sequences read at once, the draw itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.grammar import Grammar, GrammarState
from rhapsody_lib.backing.rules import BarRule, Place, Rules
from rhapsody_lib.backing.sampling import MIN_SHARE, _draw
from rhapsody_lib.errors import RhapsodyError
from rhapsody_lib.music.chords import Key
from tests.unit.backing.test_decoder import VOCABULARY, random_model

MODEL = random_model()
RULES = [BarRule(()), BarRule((), must_sing=True), BarRule((), is_cadence=True), BarRule((), is_final=True)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(RULES))
def test_a_kept_row_is_the_row(seed: int, rule: BarRule) -> None:
    random, rules = np.random.default_rng(seed), Rules(VOCABULARY, Key(0, "major"), 48)
    rules.prefer({"drums": {0: 1.0, 24: 0.7}, "piano": {0: 0.4}})
    for _ in range(3):
        state, fresh = GrammarState(Grammar(VOCABULARY)), Rules(VOCABULARY, Key(0, "major"), 48)
        fresh.prefer({"drums": {0: 1.0, 24: 0.7}, "piano": {0: 0.4}})
        for _ in range(30):
            place = Place(int(random.integers(7)), bool(random.integers(2)), bool(random.integers(2)), 5)
            row, again = rules.row(state, rule, place), fresh._row(state, rule, place)
            assert np.array_equal(row, again)
            allowed = np.flatnonzero(state.allowed())
            if not len(allowed):
                break
            state.advance(int(random.choice(allowed)))


def test_a_readout_gives_the_logits_of_its_tokens() -> None:
    random = np.random.default_rng(0)
    embedded = random.normal(size=(3, 8)).astype(np.float32)
    state = random.normal(size=(1, 3, 12)).astype(np.float32)
    logits = MODEL.logits(embedded, state)
    merged, tokens = np.arange(1, 10), np.array([1, 40, 41, 300])
    found = MODEL.readout(tokens, merged)(embedded, state[-1])
    np.testing.assert_allclose(found[:, 1:], logits[:, tokens[1:]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], np.log(np.exp(logits[:, merged]).sum(axis=1)), rtol=1e-5, atol=1e-6)


def test_a_sequence_read_at_once_ends_where_its_steps_end() -> None:
    rows = np.random.default_rng(1).integers(0, len(VOCABULARY), (20, COLUMNS))
    state = MODEL.start(1)
    for row in rows:
        state = MODEL.advance(MODEL.embed(row[None]), state)
    np.testing.assert_allclose(MODEL.read(rows, MODEL.start(1)[:, 0]), state[:, 0], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_follow_the_tempered_shares_of_what_is_likely_enough(temperature: float) -> None:
    shares = np.array([0.5, 0.0, 0.3, 0.19, 0.01])
    with np.errstate(divide="ignore"):
        scores = np.log(np.tile(shares, (20_000, 1))).astype(np.float32)
    chosen, chances = _draw(scores, temperature, np.random.default_rng(2))
    wanted = shares ** (1 / temperature)
    wanted[wanted < MIN_SHARE * wanted.max()] = 0
    found = np.bincount(chosen, minlength=5) / len(chosen)
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=0.012)
    np.testing.assert_allclose(np.exp(chances), shares[chosen], rtol=1e-5)


@pytest.mark.parametrize("forbidden", [-np.inf, np.nan])
def test_where_nothing_may_come_is_told(forbidden: float) -> None:
    scores = np.zeros((3, 4), dtype=np.float32)
    scores[1] = forbidden
    with pytest.raises(RhapsodyError, match=r"cannot go on.*rhapsody train"):
        _draw(scores, 1.0, np.random.default_rng(0))
