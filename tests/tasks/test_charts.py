"""Pictures of the run pages: small, the same for the same figures, and showing what they should."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from rhapsody_lib.gate import Row
from tasks import charts

HISTORY = {
    1: {"train_perplexity": 296.0, "heldout_perplexity": 4771.2},
    2: {"train_perplexity": 168.7, "heldout_perplexity": 120.7},
    3: {"train_perplexity": 121.4, "heldout_perplexity": 98.0},
    4: {"train_perplexity": 98.3, "heldout_perplexity": 101.5},
}
MAX_BYTES = 75_000  # 100 kB as base64


def words(svg: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode())


def test_curves_are_named_and_the_lowest_is_marked() -> None:
    svg = charts.loss_curves(HISTORY, {"5-gram": 105.5})
    assert {"held-out", "training", "epoch", "perplexity", "5-gram 105.5", "lowest: 98, epoch 3"} <= set(words(svg))
    assert len(svg) < MAX_BYTES


def test_a_hopeless_first_epoch_does_not_flatten_the_rest() -> None:
    ticks = [float(word) for word in words(charts.loss_curves(HISTORY)) if re.fullmatch(r"\d+", word)]
    assert max(ticks) < 300


def test_each_thing_measured_has_a_panel() -> None:
    svg = charts.loss_curves({1: {"train nll": 2.0, "heldout nll": 1.9, "heldout accuracy": 0.4}})
    assert words(svg).count("epoch") == 2
    assert {"nll", "accuracy"} <= set(words(svg))


def test_the_same_figures_are_the_same_bytes() -> None:
    assert charts.loss_curves(HISTORY) == charts.loss_curves(dict(reversed(HISTORY.items())))


def test_without_figures_there_is_no_picture() -> None:
    assert charts.loss_curves({}) == b""
    assert charts.changes([Row("x", "x", None, 1.0, None, 0.0, "lower", met=True)]) == b""


def test_two_thousand_epochs_are_still_small() -> None:
    assert len(charts.loss_curves({epoch: {"heldout nll": 1 / epoch} for epoch in range(1, 2001)})) < 4 * MAX_BYTES


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("heldout_perplexity", ("held-out", "perplexity")),
        ("train nll", ("training", "nll")),
        ("epochs", ("", "epochs")),
        ("", ("", "")),
    ],
)
def test_names_tell_whose_figure_it_is(name: str, parts: tuple[str, str]) -> None:
    assert charts.split_name(name) == parts


def test_changes_are_labelled() -> None:
    rows = [
        Row("a", "lyrics: perplexity", 88.0, 86.0, -0.0227, 0.02, "lower", met=True),
        Row("b", "retrieval: rank 1", 0.3, 0.2, -0.333, 0.05, "higher", met=False),
    ]
    svg = charts.changes(rows)
    assert {"lyrics: perplexity", "retrieval: rank 1"} <= set(words(svg))
    assert charts.WORSE.lower() in svg.decode().lower()
    assert charts.WORSE.lower() not in charts.changes(rows[:1]).decode().lower()


def test_a_picture_is_made_smaller_in_its_proportions() -> None:
    source = io.BytesIO()
    Image.effect_noise((1600, 900), 40).convert("RGB").save(source, format="PNG")
    small = charts.smaller_picture(source.getvalue())
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (1200, 675)
    with Image.open(io.BytesIO(charts.smaller_picture(small))) as image:
        assert image.size == (1200, 675)
