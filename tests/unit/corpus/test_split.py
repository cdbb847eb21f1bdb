from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.split import song_group, split_position, split_sides

groups = st.lists(st.text(max_size=20), max_size=40)
shares = st.floats(min_value=0.001, max_value=0.499)


def _splits(names: list[str], seed: int, share: float) -> dict[str, str]:
    sides = split_sides(np.array([split_position(name, seed) for name in names]), share)
    return {name: "heldout" if heldout else "train" for name, heldout in zip(names, sides, strict=True)}


@given(groups, st.integers(0, 2**32), shares)
def test_both_sides_hold_a_group_where_there_are_two(names: list[str], seed: int, share: float) -> None:
    found = set(_splits(names, seed, share).values())
    assert found <= {"train", "heldout"}
    assert len(set(names)) < 2 or found == {"train", "heldout"}


@given(st.text(max_size=20), st.integers(0, 2**32), shares)
def test_a_single_group_is_trained_on(name: str, seed: int, share: float) -> None:
    assert _splits([name, name], seed, share) == {name: "train"}


@given(groups, st.integers(0, 2**32), shares)
def test_order_and_repetition_of_groups_change_nothing(names: list[str], seed: int, share: float) -> None:
    assert _splits(names, seed, share) == _splits([*reversed(names), *names], seed, share)


@given(groups, st.integers(0, 2**32), shares, st.text(max_size=20))
def test_a_further_group_moves_at_most_those_the_guarantee_moved(
    names: list[str], seed: int, share: float, more: str
) -> None:
    before, after = _splits(names, seed, share), _splits([*names, more], seed, share)
    moved = {name for name in before if before[name] != after[name]}
    fallen = {name: "heldout" if split_position(name, seed) < share else "train" for name in moved}
    assert all(fallen[name] != before[name] or fallen[name] != after[name] for name in moved)
    assert len(moved) <= 2


def test_shares_are_kept_in_large_corpora_and_seeds_differ() -> None:
    names = [str(number) for number in range(4000)]
    sides = _splits(names, 1, 0.1)
    assert 320 < list(sides.values()).count("heldout") < 480
    assert sides != _splits(names, 2, 0.1)


def test_versions_of_a_song_are_one_group() -> None:
    assert song_group("Blue Sky (Live)", "The Müllers", "a") == song_group("BLUE SKY!", "the mullers", "b")
    assert song_group("Blue Sky", "Ann", "a") != song_group("Blue Sky", "Bob", "b")
    assert song_group("", "", "a") != song_group("", "", "b")
    assert song_group("(Интро)", "", "a") == song_group("интро", "", "b")
