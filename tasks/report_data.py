"""What a run shows of a corpus: its data card, and how far it is from the live release's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prefect.artifacts import create_table_artifact

from rhapsody_lib.drift import CorpusVerdict
from rhapsody_lib.operations.card_plots import NUMBERS, histogram
from rhapsody_lib.operations.data_card_page import HEADINGS, NAMES, plain
from rhapsody_lib.operations.drift_page import HEAD, outcome, row_cells
from tasks.charts import SVG
from tasks.live import time_words
from tasks.markup import cell, picture, table
from tasks.report import harmless, write_page

#: So many names of each kind: the page of a run is read at a glance, the data card has them all.
_MOST_NAMES = 8


def report_card(card: Mapping[str, Any], place: str) -> None:
    """The data card of a corpus as a page with its histograms, and its checks as a table.

    Args:
        card: its figures.
        place: where the whole page is.
    """
    counts = card["counts"]
    facts = [[name, f"{counts[name]:,}"] for name in ("songs", "tracks", "artists", "words", "notes", "rejects")]
    parts = [
        "# Data card",
        f"The whole page: {cell(place)}",
        table(["What", "Count"], [*facts, ["length of the music", time_words(counts["seconds"])]]),
        *_histograms(card["numbers"]),
        *_names(card["names"]),
    ]
    write_page("data-card", f"{counts['songs']:,} songs, {counts['rejects']:,} left out", parts)
    rows = [
        {"table": check["table"], "expected": check["what"], "rows": check["rows"], "broken": check["broken"]}
        for check in card["checks"]
    ]
    broken = sum(bool(check["broken"]) for check in card["checks"])
    with harmless("corpus-checks"):
        create_table_artifact(table=rows, key="corpus-checks", description=f"{len(rows)} checks, {broken} broken")


def _histograms(numbers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for figure, heading in HEADINGS.items():
        told = numbers[figure]
        if told["n"]:
            yield f"## {heading}: median {plain(told['median'], figure)}"
            yield picture(histogram(figure, told), SVG, f"Histogram of {NUMBERS[figure][0]}")


def _names(names: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, (heading, _) in NAMES.items():
        counts = names[name]
        if counts:
            yield f"## {heading}"
            rows = [[cell(each), f"{count:,}"] for each, count in list(counts.items())[:_MOST_NAMES]]
            yield table([heading, "Count"], rows)


def report_drift(verdict: CorpusVerdict) -> None:
    """Whether a corpus may be trained on, and every figure beside that of the live release's."""
    rows = [[cell(text) for text in row_cells(row)] for row in verdict.rows]
    sentence = outcome(verdict)
    parts = [
        f"**{cell(sentence)}**",
        *(cell(reason) for reason in verdict.broken),
        table(HEAD, rows) if rows else "",
        "\n".join(f"- {cell(note)}" for note in verdict.notes),
        f"The whole page: {cell(verdict.report)}" if verdict.report and not verdict.where else "",
    ]
    write_page("corpus-drift", sentence, parts)
