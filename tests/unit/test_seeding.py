"""One root seed, split by name."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.seeding import MAX_SEED, generator, split_seed


@given(st.integers(0, MAX_SEED), st.text(), st.text())
def test_streams_differ_by_name_and_seed(seed, one, other):
    assert 0 <= split_seed(seed, one) <= MAX_SEED
    assert (split_seed(seed, one) == split_seed(seed, other)) == (one == other)
    assert split_seed(seed, one) != split_seed(seed + 1, one)


def test_the_same_names_give_the_same_numbers():
    assert (
        generator(7, "lyrics", 3).integers(1 << 30, size=4).tolist()
        == generator(7, "lyrics", 3).integers(1 << 30, size=4).tolist()
    )
    assert split_seed(0, "lyrics") == 1680438112318429429
