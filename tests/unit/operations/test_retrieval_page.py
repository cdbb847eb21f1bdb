"""The page of retrieval figures: the same figures give the same bytes, and nothing that was measured is left out."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rhapsody_lib.operations.agreement import Agreement
from rhapsody_lib.operations.retrieval_figures import RetrievalFigures
from rhapsody_lib.operations.retrieval_page import agreement_rows, confidence_rows, footnotes, write_page
from rhapsody_lib.retrieval.calibration import Reliability
from rhapsody_lib.retrieval.yardsticks import OURS, TFIDF

pytest.importorskip("matplotlib")


def told(mrr: float) -> dict[str, object]:
    shares = {"recall_at_1": mrr - 0.1, "recall_at_10": mrr + 0.1, "ndcg_at_10": mrr}
    return {"mrr": mrr, **shares, "interval": (mrr - 0.02, mrr + 0.03)}


FIGURES = RetrievalFigures(
    corpus={"songs": 224, "queries": 200, "tuned": False},
    finding={TFIDF: told(0.4), OURS: told(0.55)},
    shared={TFIDF: told(0.8), OURS: told(0.9)},
    ratio=(1.375, (1.3, 1.45)),
    reliability=Reliability(((0.04, 0.05, 800), (0.9, 0.88, 20)), 0.06, 0.1, 0.011),
    agreement={
        "same mode": Agreement(224, 0.62, 0.54, (0.48, 0.6)),
        "mood": Agreement(176, 0.04, 0.04, (-0.05, 0.14)),
    },
)


def test_the_page_is_the_same_bytes_and_holds_every_method(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = write_page(FIGURES, tmp_path / name)
    assert {file.name for file in files} == {
        *("figures.json", "retrieval.md", "finding.png", "finding.svg", "confidence.png", "confidence.svg")
    }
    for file in files:
        assert file.read_bytes() == (tmp_path / "one" / file.name).read_bytes()
    page = (tmp_path / "one" / "retrieval.md").read_text(encoding="utf-8")
    assert f"| {OURS} | 0.550 | 0.530 to 0.580 | 0.450 | 0.650 | 0.550 |" in page
    assert f"| {OURS} | 0.900 |" in page
    assert json.loads((tmp_path / "one" / "figures.json").read_text(encoding="utf-8"))["corpus"]["songs"] == 224


def test_of_few_songs_is_told_that_they_tell_nothing_and_no_confidence(tmp_path: Path) -> None:
    few = replace(FIGURES, corpus={**FIGURES.corpus, "queries": 19})
    assert "too few for the figures to mean anything" in " ".join(footnotes(few))
    assert "too few" not in " ".join(footnotes(FIGURES))
    assert confidence_rows(few) == []
    assert "confidence.png" not in {file.name for file in write_page(few, tmp_path)}
    assert json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["reliability"] is None
    page = (tmp_path / "retrieval.md").read_text(encoding="utf-8")
    assert "too few" in page
    assert not re.search(r"confidence told|Brier|!\[Confidences\]", page)


def test_what_is_no_more_than_chance_is_called_so() -> None:
    assert [row[-1] for row in agreement_rows(FIGURES)] == ["yes", "no"]
    assert "1.38 x (1.30 to 1.45)" in footnotes(FIGURES)[1] or "1.37 x (1.30 to 1.45)" in footnotes(FIGURES)[1]
