"""Encoding keeps what `quantise` says it keeps."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings

from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.tokens import decode, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.music.score import Score

sys.path.insert(0, str(Path(__file__).parent))
from tests.unit.backing.strategies import scores

VOCABULARY = Vocabulary(("rock", "waltz"))


@settings(max_examples=80, deadline=None)
@given(scores())
def test_decode_inverts_encode_up_to_the_grid(score: Score) -> None:
    grid = quantise(score)
    assert quantise(grid) == grid
    assert decode(VOCABULARY, encode(VOCABULARY, score).ids, score.key, score.title) == grid
