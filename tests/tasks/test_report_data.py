"""The data card and the drift of a corpus in the UI: what strangers wrote stays text there too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rhapsody_lib.drift import judge_corpus
from rhapsody_lib.settings import DriftSettings
from tasks import report, report_data
from tests.tasks.test_report import HOSTILE, structure
from tests.unit.corpus.corpus_tables import whole, write_corpus

pytest.importorskip("dataframely")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """What is handed to Prefect, by its key."""
    found: dict[str, dict[str, Any]] = {}
    for module in (report, report_data):
        for name in ("create_markdown_artifact", "create_table_artifact"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda **values: found.update({values["key"]: values}))
    return found


def card_of(folder: Path, **changes: Any) -> dict[str, Any]:
    from rhapsody_lib.corpus.card import describe_corpus

    return describe_corpus(write_corpus(folder, *whole(100, **changes)))


def test_hostile_names_change_no_structure_of_either_page(tmp_path: Path, pages: dict[str, dict[str, Any]]) -> None:
    plain = card_of(tmp_path / "plain", genres=["folk"], licence="free")
    hostile = card_of(tmp_path / "hostile", genres=[HOSTILE], licence=HOSTILE)
    seen = []
    for card in (plain, hostile):
        report_data.report_card(card, HOSTILE)
        report_data.report_drift(judge_corpus(card, plain, DriftSettings(), number=3))
        seen.append({key: structure(pages[key]["markdown"]) for key in ("data-card", "corpus-drift")})
    assert seen[0] == seen[1]
    assert "image" in seen[0]["data-card"]
    assert "nothing is trained on it" in pages["corpus-drift"]["description"]
    assert {row["broken"] for row in pages["corpus-checks"]["table"]} == {0}


def test_a_corpus_with_nothing_to_compare_has_a_page(tmp_path: Path, pages: dict[str, dict[str, Any]]) -> None:
    report_data.report_drift(judge_corpus(card_of(tmp_path), None, DriftSettings()))
    assert "no other corpus" in pages["corpus-drift"]["markdown"]
