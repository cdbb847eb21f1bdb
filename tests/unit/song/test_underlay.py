from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.music.score import Metre, Note
from rhapsody_lib.song.sung_words import sung_syllables
from rhapsody_lib.song.underlay import SHARE_LIMIT, Line, align, learnt, likeliest, rows_of, share_limit
from rhapsody_lib.song.underlay_features import NOTE_FEATURES, SYLLABLE_FEATURES, metre_weight, usual_places
from rhapsody_lib.song.underlay_lattice import Lattice, Rows, Weights
from rhapsody_lib.song.underlay_parallels import parallel_groups, told_by_parallels
from tests.unit.song.song_samples import BEAT

COMMON = Metre(0, 4, 4)
BARS = tuple((start, COMMON) for start in range(0, 64 * BEAT, 4 * BEAT))


def melody_of(*notes: tuple[int, float]) -> list[Note]:
    """Notes one after another from (pitch, beats); pitch 0 is a rest."""
    melody, tick = [], 0
    for pitch, beats in notes:
        if pitch:
            melody.append(Note(tick, pitch, int(beats * BEAT), 90))
        tick += int(beats * BEAT)
    return melody


def line_of(melody: list[Note], text: str) -> Line:
    return Line(tuple(melody), BARS, sung_syllables(text))


def random_weights(seed: int) -> Weights:
    size = 4 * len(NOTE_FEATURES) * len(SYLLABLE_FEATURES) + 2 * len(NOTE_FEATURES)
    return Weights.of_vector(np.random.default_rng(seed).normal(size=size) * 0.3)


def total_of(weights: Weights, rows: Rows) -> dict[tuple[int, ...], float]:
    """The summed likelihood of each way to begin the syllables, by trying all that notes can do."""
    begin, share, hold, leave = (
        rows.notes @ matrix @ rows.words.T for matrix in (weights.begin, weights.share, weights.hold, weights.leave)
    )
    begin = begin + rows.told[:, None]
    found: dict[tuple[int, ...], float] = {}
    for acts in product(range(SHARE_LIMIT + 2), repeat=len(rows.notes)):  # 0 unsung, 1 held, else syllables begun + 1
        score, begun, mode, placed = 0.0, 0, "unsung", list[int]()
        for note, act in enumerate(acts):
            if act > 1:
                new = range(begun, begun + act - 1)
                if new.stop > len(rows.words):
                    break
                score += begin[note, begun] + sum(share[note, word] for word in new[1:])
                begun, mode = new.stop, "begun"
                placed += [note] * len(new)
            elif act == 1:
                if mode == "unsung":
                    break
                score += hold[note, begun - 1] + (rows.notes[note] @ weights.again if mode == "held" else 0.0)
                mode = "held"
            else:
                score += rows.notes[note] @ weights.rest if mode == "unsung" else leave[note, begun - 1]
                mode = "unsung"
        else:
            if begun == len(rows.words):
                found[tuple(placed)] = found.get(tuple(placed), 0.0) + np.exp(score)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_those_of_all_ways_counted_one_by_one(seed: int) -> None:
    line = line_of(melody_of((60, 1), (62, 0.5), (64, 0.5), (0, 1), (65, 1), (60, 2)), "over the")
    rows = replace(rows_of([line])[0], told=np.array([0.3, -1.0, 0.0, 2.0, -0.5]))
    ways = total_of(random_weights(seed), rows)
    (expected,) = Lattice(random_weights(seed), [rows], SHARE_LIMIT).expected()
    wanted = np.zeros((5, 3))
    for placed, weight in ways.items():
        wanted[list(placed), range(3)] += weight / sum(ways.values())
    np.testing.assert_allclose(expected.begin + expected.share, wanted, atol=1e-9)
    done = [table.sum(axis=1) for table in (expected.begin, expected.hold, expected.leave)]
    np.testing.assert_allclose(sum(done) + expected.rest, 1.0, atol=1e-9)


def test_texts_side_by_side_are_as_each_alone() -> None:
    texts = rows_of(
        [
            line_of(melody_of((60, 1), (62, 1), (64, 2)), "my love"),
            line_of(melody_of(*[(60 + i % 5, 0.5) for i in range(12)]), "wonderful, wonderful rain"),
        ]
    )
    together = Lattice(learnt(opens=False), texts, SHARE_LIMIT).expected()
    for text, found in zip(texts, together, strict=True):
        (alone,) = Lattice(learnt(opens=False), [text], SHARE_LIMIT).expected()
        np.testing.assert_allclose(found.begin, alone.begin, atol=1e-9)
        np.testing.assert_allclose(found.rest, alone.rest, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(48, 84), st.sampled_from([0.25, 0.5, 1.0, 1.5, 4.0])), min_size=1, max_size=12),
    st.lists(st.sampled_from(["the", "wonderful", "sky,", "Oh", "небо", "—", "1999"]), min_size=1, max_size=12),
    st.booleans(),
)
def test_every_syllable_gets_a_note_and_none_stands_before_another(
    notes: list[tuple[int, float]], text: list[str], opens: bool
) -> None:
    melody, words = melody_of(*notes), sung_syllables(" ".join(text))
    (landed,) = align([Line(tuple(melody), BARS, words)], opens=opens)
    assert len(landed) == len(words)
    assert all(0 <= a <= b < len(melody) for a, b in pairwise([*landed, len(melody) - 1]))
    assert max(landed.count(note) for note in landed) <= share_limit(len(melody), len(words))
    assert not opens or landed[0] == 0


def test_a_phrase_begins_after_the_rest() -> None:
    line = [(67, 1.0), (72, 1.0), (71, 0.5), (69, 0.5), (67, 2.0), (0, 2.0)]
    (landed,) = align([line_of(melody_of(*line, *line), "My love is gone, my love is gone.")])
    assert landed[4] == 5


def test_what_returns_is_sung_as_a_line_that_leaves_no_choice() -> None:
    figure = [(67, 0.5), (69, 0.5), (71, 0.5), (72, 0.5), (74, 1.0), (71, 1.0)]
    melody = melody_of(*figure, *figure, (67, 2.0), (72, 2.0))
    question = line_of(melody[6:], "over the river we go")
    plain = line_of(melody[:6], "la la la la la la")
    (alone,) = align([question], opens=True)
    _, beside = align([plain, question], opens=True)
    assert beside[:6] == [0, 1, 2, 3, 4, 5]
    assert alone != beside


def test_parallel_notes_stand_alike_in_their_bars() -> None:
    melody = melody_of((60, 1), (62, 1), (64, 2), (60, 1), (62, 1), (65, 2), (60, 1), (62, 1), (64, 2))
    offsets = [note.start_ticks % (4 * BEAT) for note in melody]
    groups = parallel_groups(melody, offsets)
    assert [1, 7] in groups
    assert not any({1, 4} <= set(group) for group in groups)
    assert parallel_groups(melody, list(range(9))) == []


def test_the_others_tell_a_note_what_it_does_and_it_tells_itself_nothing() -> None:
    told = told_by_parallels([[0, 2, 3]], np.array([0.0, 0.5, 1.0, 1.0]))
    assert told[0] > 2
    assert told[1] == 0
    assert told[2] == pytest.approx(0.0)


def test_usual_places_are_shares_of_the_bars_that_have_notes() -> None:
    melody = melody_of((60, 2), (62, 2), (64, 1), (65, 3), (0, 4), (67, 4))
    assert usual_places([(melody, BARS)]) == {0: 1.0, 2 * BEAT: pytest.approx(1 / 3), BEAT: pytest.approx(1 / 3)}


def test_likeliest_takes_the_greatest_sum_not_the_greatest_chance() -> None:
    chances = np.array([[0.1, 0.5], [0.9, 0.4], [0.0, 0.1]])
    assert likeliest(chances, 1) == [1, 2]
    assert likeliest(chances, 2) == [1, 1]


@pytest.mark.parametrize(
    ("metre", "tick", "weight"),
    [
        (COMMON, 0, 3.0),
        (COMMON, 2 * BEAT, 2.0),
        (COMMON, BEAT, 1.0),
        (COMMON, BEAT // 2, 0.0),
        (COMMON, BEAT // 4, -0.7),
        (Metre(0, 3, 4), 2 * BEAT, 1.0),
        (Metre(0, 6, 8), 3 * BEAT // 2, 2.0),
        (Metre(0, 6, 8), BEAT, 0.0),
    ],
)
def test_weight_of_a_place_in_the_bar(metre: Metre, tick: int, weight: float) -> None:
    assert metre_weight(tick, 0, metre) == weight
