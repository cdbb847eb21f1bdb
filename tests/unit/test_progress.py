"""Who listens hears progress and figures; who does not is not disturbed."""

from __future__ import annotations

from collections.abc import Mapping

from rhapsody_lib.progress import recorder, recording, reporter, reporting


def test_a_recorder_hears_the_figures_of_its_training_and_only_within_the_block() -> None:
    heard: list[tuple[str, int, Mapping[str, float]]] = []

    def factory(what: str):  # type: ignore[no-untyped-def]
        return lambda step, figures: heard.append((what, step, figures))

    recorder("before")(1, {"loss": 9.0})
    with recording(factory):
        recorder("Training lyrics")(1, {"train perplexity": 151.2})
    recorder("after")(2, {"loss": 9.0})
    assert heard == [("Training lyrics", 1, {"train perplexity": 151.2})]


def test_a_reporter_is_told_by_name() -> None:
    heard: list[tuple[str, int, int]] = []
    with reporting(lambda what: lambda done, total, note="": heard.append((what, done, total))):
        reporter("Composing")(1, 2)
    reporter("Composing")(2, 2)
    assert heard == [("Composing", 1, 2)]
