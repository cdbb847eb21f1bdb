"""What sampling is built of: places told by numbers, a narrowed readout, sequences read at once, the draw itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.context import COLUMNS, context_rows
from rhapsody_lib.backing.contexts import Contexts
from rhapsody_lib.backing.grammar import Grammar
from rhapsody_lib.backing.places import MAX_BAR_TOKENS, VOICES, Heard, Places
from rhapsody_lib.backing.rows import Rows
from rhapsody_lib.backing.rules import BarRule, Rules
from rhapsody_lib.backing.sampling import MIN_SHARE, Band, Mark, Phrase, Steps, Writer, draw
from rhapsody_lib.backing.sections import tune_of
from rhapsody_lib.backing.tokens import encode
from rhapsody_lib.errors import RhapsodyError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.seeding import generator
from tests.unit.backing.grammar_state import GrammarState
from tests.unit.backing.strategies import scores
from tests.unit.backing.test_decoder import VOCABULARY, ballad, random_model

MODEL = random_model()
RULES = [BarRule(()), BarRule((), must_sing=True), BarRule((), is_cadence=True), BarRule((), is_final=True)]
METRE = VOCABULARY.metre((4, 4))
HEADER = [VOCABULARY.style(""), METRE, VOCABULARY.tempo(100), VOCABULARY.starts["mode"]]
HEADER += [VOCABULARY.starts["program"]] * len(PARTS)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(RULES))
def test_sequences_side_by_side_stand_where_each_alone_would(seed: int, rule: BarRule) -> None:
    random, grammar, slots = np.random.default_rng(seed), Grammar(VOCABULARY), 3
    rules = Rules(VOCABULARY, Key(0, "major"), 48)
    rules.prefer({"drums": {0: 1.0, 24: 0.7}, "piano": {0: 0.4}})
    tokens = np.flatnonzero(~VOCABULARY.mask("pad", "program", "style", "mode"))
    places, rows = Places(VOCABULARY, slots, 48), Rows(VOCABULARY, tokens)
    states = [GrammarState(VOCABULARY) for _ in range(slots)]
    for state in states:
        for token in HEADER:
            state.advance(token)
    taken = [VOCABULARY.bar(1)] * slots
    bars: list[list[int]] = [[] for _ in range(slots)]
    for _ in range(60):
        places.push(np.arange(slots), np.array(taken))
        for slot, (state, token) in enumerate(zip(states, taken, strict=True)):
            state.advance(token)
            if VOCABULARY.family_of[token] == "bar":
                bars[slot] = []
                places.obey(slot, 5, must_sing=rule.must_sing)
            bars[slot].append(token)
        found = rows.of(places, np.arange(slots), {5: (rules, rule)})
        for slot, state in enumerate(states):
            heard = _heard(state, bars[slot], must_sing=rule.must_sing)
            assert np.array_equal(found[slot], rules.row(state.place, rule, heard, tokens))
            choice = np.flatnonzero(grammar.allowed(state.place) & ~VOCABULARY.mask("end", "section", "metre", "tempo"))
            taken[slot] = int(random.choice(choice))


def _heard(state: GrammarState, bar: list[int], *, must_sing: bool) -> Heard:
    """What of a bar the rules look at, counted anew."""
    families = [VOCABULARY.family_of[token] for token in bar]
    onset = len(families) - families[::-1].index("position") if "position" in families else 0
    struck = families[onset:].count(state.part) if state.part else 0
    full = bool(state.part) and struck >= VOICES[state.part]
    sounded = any(part in families for part in PARTS[2:])
    return Heard(full, "melody" in families or not must_sing, sounded, len(bar) > MAX_BAR_TOKENS)


@settings(max_examples=25, deadline=None)
@given(st.lists(scores(), min_size=1, max_size=3), st.integers(0, 3))
def test_contexts_side_by_side_tell_what_whole_sequences_tell(songs: list[Score], primed: int) -> None:
    told = [encode(VOCABULARY, song) for song in songs]
    contexts = Contexts(VOCABULARY, len(told))
    wanted = [context_rows(VOCABULARY, song.ids) for song in told]
    places = []
    for slot, song in enumerate(told):
        begin = [*song.headers[0], *(token for bar in song.bars[:primed] for token in bar)]
        mark, rows = contexts.read(begin)
        assert np.array_equal(rows, wanted[slot][: len(begin)])
        contexts.go_to(slice(slot, slot + 1), mark)
        places.append(len(begin))
    while True:
        live = np.array([slot for slot, song in enumerate(told) if places[slot] < len(song.ids) - 1], dtype=np.int64)
        if not len(live):
            break
        contexts.push(live, np.array([told[slot].ids[places[slot]] for slot in live]))
        for slot, row in zip(live.tolist(), contexts.rows(live), strict=True):
            assert np.array_equal(row, wanted[slot][places[slot]]), places[slot]
            places[slot] += 1
    frame = VOCABULARY.mask("bar", "section", "metre", "tempo", "line")
    for slot, song in enumerate(told):
        bodies = [tuple(token for token in bar if not frame[token]) for bar in song.bars[primed:]]
        assert contexts.bars(contexts.mark(slot), len(bodies)) == bodies


def test_a_writer_writes_what_it_would_write_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save by rounding, which does not show in a network this small."""
    song = encode(VOCABULARY, ballad())
    heard = [[*song.headers[0], *(token for bar in song.bars[:count] for token in bar)] for count in (0, 2, 3)]

    def written(places: list[int]) -> list[list[tuple[int, ...]]]:
        band = Band(MODEL, 48, 1.2)
        marks = band.heard([heard[place] for place in places])
        writers = []
        for place, mark in zip(places, marks, strict=True):
            rules = Rules(VOCABULARY, Key(0, "major"), 48).limited(PARTS[1 + place :], ())
            writers.append(Writer("", steps(mark), rules, generator(3, place), 3))
        found = band.write(writers)
        assert band.sampled > 3 * len(places)
        return found

    def steps(mark: Mark) -> Steps:
        rules = [BarRule((VOCABULARY.bar(2),)), BarRule((VOCABULARY.bar(1),), must_sing=False)]
        found = yield Phrase(mark, rules, 3)
        assert len(found) == 3
        bars = found[1].bars
        (again,) = yield Phrase(found[1].end, [BarRule((VOCABULARY.bar(1),), given=bars[0])], 1)
        assert again.bars == bars[:1]
        found = yield Phrase(again.end, rules, 3)
        return [*bars, *found[2].bars]

    monkeypatch.setattr("rhapsody_lib.backing.sampling._MOST_WRITERS", 2)
    together = written([0, 1, 2])
    assert together == [written([place])[0] for place in range(3)]
    assert all(len(bars) == 4 for bars in together)


def test_a_writer_begins_as_soon_as_what_it_waits_for_is_written() -> None:
    """Another's first phrase: it is gone on from while the other writes its second."""
    band, bar = Band(MODEL, 48, 1.2), BarRule((VOCABULARY.bar(1),))
    (mark,) = band.heard([HEADER])
    told: list[str] = []
    first: list[Mark] = []

    def leads() -> Steps:
        found = yield Phrase(mark, [bar], 2)
        first.append(found[0].end)
        told.append("first phrase")
        found = yield Phrase(found[0].end, [bar] * 3, 2)
        told.append("second phrase")
        return found[0].bars

    def follows() -> Steps:
        told.append("begins")
        return (yield Phrase(first[0], [bar], 1))[0].bars

    rules = Rules(VOCABULARY, Key(0, "major"), 48)
    writers = [
        Writer("", leads(), rules, generator(1, "leads"), 2),
        Writer("", follows(), rules, generator(1, "follows"), 1, lambda: bool(first)),
    ]
    assert [len(bars) for bars in band.write(writers)] == [3, 1]
    assert told == ["first phrase", "begins", "second phrase"]


@pytest.mark.parametrize("seed", range(3))
def test_a_tune_that_is_given_is_kept_and_its_accompaniment_is_new(seed: int) -> None:
    song = encode(VOCABULARY, ballad())
    frame = VOCABULARY.mask("bar", "section", "metre", "tempo", "line")
    bodies = [tuple(token for token in bar if not frame[token]) for bar in song.bars[8:12]]
    tunes = [tune_of(VOCABULARY, body) for body in bodies]
    assert sum(len(tune) for tune in tunes) > 8
    band, chance = Band(random_model(seed), 48, 1.5), generator(seed, "tune")
    (mark,) = band.heard([song.headers[0]])

    def steps() -> Steps:
        found = yield Phrase(mark, [BarRule((VOCABULARY.bar(2),), tune=tune) for tune in tunes], 2)
        assert found[0].bars != found[1].bars
        return found[0].bars

    (written,) = band.write([Writer("", steps(), Rules(VOCABULARY, Key(0, "major"), 48), chance, 2)])
    assert [tune_of(VOCABULARY, bar) for bar in written] == tunes
    assert written != bodies


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
    found = MODEL.read([rows[:7], rows, rows[:0]])
    np.testing.assert_allclose(found[:, 1], state[:, 0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], MODEL.read([rows[:7]])[:, 0], rtol=1e-4, atol=1e-6)
    assert not found[:, 2].any()


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_draws_follow_the_tempered_shares_of_what_is_likely_enough(temperature: float) -> None:
    shares = np.array([0.5, 0.0, 0.3, 0.19, 0.01])
    with np.errstate(divide="ignore"):
        scores = np.log(np.tile(shares, (20_000, 1))).astype(np.float32)
    chosen, chances = draw(scores, temperature, np.random.default_rng(2).random(len(scores)))
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
        draw(scores, 1.0, np.full(3, 0.5))
