"""How far a task is, in words: the time left from the speed so far."""

from __future__ import annotations

import pytest

from tasks.live import Curves, Work, time_words


def work(*reports: tuple[float, int], total: int = 20) -> Work:
    """Work begun at 100 s, with reports of (seconds later, done)."""
    found = Work("Training", 100.0)
    for seconds, done in reports:
        found.report(done, total, "", 100.0 + seconds)
    return found


@pytest.mark.parametrize(
    ("reports", "left_s"),
    [
        ([], None),
        ([(6.0, 1)], 6.0 * 19),  # nothing else is known
        ([(60.0, 1), (66.0, 2)], 6.0 * 18),  # what came before the first was loading
        ([(6.0, 11)], None),  # goes on from a saved state: 10 were done before
        ([(6.0, 11), (10.0, 12)], 4.0 * 8),
        ([(6.0, 1), (12.0, 20)], None),
    ],
)
def test_the_time_left_follows_the_speed_so_far(reports: list[tuple[float, int]], left_s: float | None) -> None:
    assert work(*reports).left_s == left_s


def test_words_tell_all_that_is_known() -> None:
    found = work((5.0, 1))
    found.report(3, 20, "perplexity 151", 116.0)
    assert found.words() == "Training: 3 of 20, perplexity 151, about 1:34 left"
    assert found.words(lambda text: f"<{text}>") == "<Training>: 3 of 20, <perplexity 151>, about 1:34 left"
    assert found.percent == 15.0
    found.over = True
    assert found.percent == 100.0
    assert found.words().endswith("ended early")


def test_work_that_has_not_begun_is_starting() -> None:
    assert work().words() == "Training: starting"
    assert work().percent == 0.0


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0:00"), (59.6, "1:00"), (100.0, "1:40"), (7500.0, "2:05:00")])
def test_seconds_read_as_minutes(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


def test_curves_tell_the_last_epoch() -> None:
    curves = Curves("train-curves", "Training")
    curves.history.update({2: {"heldout_perplexity": 80.123}, 1: {"heldout_perplexity": 99.0}})
    data, description = curves.content()
    assert data.startswith("data:image/svg+xml;base64,")
    assert description.replace("\\", "") == "Training, epoch 2: held-out perplexity 80.12"
