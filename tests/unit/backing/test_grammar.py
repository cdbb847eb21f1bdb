"""Whatever the grammar allows can be decoded, and all that the encoder writes is allowed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.backing.context import COLUMNS, context_rows
from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.tokens import decode, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import PART_RANGES, PARTS, Score

sys.path.insert(0, str(Path(__file__).parent))
from tests.unit.backing.grammar_state import GrammarState
from tests.unit.backing.strategies import scores

VOCABULARY = Vocabulary(("rock", "waltz"))


@settings(max_examples=60, deadline=None)
@given(scores())
def test_encoder_keeps_the_grammar(score: Score) -> None:
    state = GrammarState(VOCABULARY)
    for token in encode(VOCABULARY, score).ids:
        assert state.allowed()[token], VOCABULARY.names[token]
        state.advance(token)
    assert state.ended


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 11), st.integers(20, 200))
def test_any_grammatical_sequence_decodes(seed: int, tonic: int, length: int) -> None:
    random, state, ids = np.random.default_rng(seed), GrammarState(VOCABULARY), []
    while not state.ended:
        allowed = state.allowed()
        assert allowed.any()
        if len(ids) > length and allowed[VOCABULARY.starts["end"]]:
            ids.append(VOCABULARY.starts["end"])
        else:
            ids.append(int(random.choice(np.flatnonzero(allowed))))
        state.advance(ids[-1])
    key = Key(tonic, "major")
    score = decode(VOCABULARY, ids, key)
    assert quantise(score) == score
    for part in PARTS:
        low, high = PART_RANGES[part]
        assert all(low <= note.pitch <= high for note in score.parts[part])
    again = decode(VOCABULARY, encode(VOCABULARY, score).ids, key)
    assert again == score


def test_hints_say_what_the_bars_before_did_here() -> None:
    names = VOCABULARY.names.index
    bar = [names("Bar_1"), names("Position_0"), names("Drums_36"), names("Velocity_5"), names("Position_12")]
    bar += [names("Drums_38"), names("Velocity_5")]
    rows = context_rows(VOCABULARY, bar * 3)
    assert rows.shape == (21, COLUMNS)
    one_back, two_back, four_back, same_chord = rows[14:, -4:].T
    assert one_back[:-1].tolist() == two_back[:-1].tolist() == bar[1:]
    assert one_back[-1] == VOCABULARY.starts["end"]
    assert not rows[:7, -4:].any() and not four_back.any() and not same_chord.any()
