from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.chunking import most_in_shard, stable_runs

NAMES = st.lists(st.text(max_size=8), unique=True, max_size=200).map(sorted)


@given(NAMES, st.integers(1, 40))
def test_runs_cover_all_names_in_order_and_keep_their_size(names: list[str], size: int) -> None:
    runs = stable_runs(names, size)
    assert [index for run in runs for index in run] == list(range(len(names)))
    assert all(1 <= len(run) <= most_in_shard(size) for run in runs)
    assert all(len(run) >= max(1, size // 2) for run in runs[:-1])


def _cuts(names: list[str], size: int) -> set[str]:
    """The name that each shard but the first begins with."""
    return {names[run.start] for run in stable_runs(names, size)[1:]}


def test_names_added_anywhere_move_the_bounds_near_them_alone() -> None:
    names = [f"{number:06}.mid" for number in range(20_000)]
    before = _cuts(names, 500)
    assert 36 <= len(before) <= 44
    for place in range(0, 20_000, 500):
        grown = sorted([*names, f"{place:06}a.mid"])
        assert len(before - _cuts(grown, 500)) <= 4
    scattered = sorted([*names, *(f"{place:06}b.mid" for place in range(37, 20_000, 200))])
    assert len(before & _cuts(scattered, 500)) >= len(before) // 2


def test_few_names_are_one_run_and_none_are_no_run() -> None:
    assert stable_runs(["a", "b", "c"], 2) == [range(0, 3)]
    assert stable_runs([], 2) == []
