"""The page that tells how far a corpus is from the live release's: one HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rhapsody_lib.drift import CorpusVerdict, Row
from rhapsody_lib.operations.card_plots import NUMBERS, histogram
from rhapsody_lib.operations.data_card_page import HEADINGS, NAMES
from rhapsody_lib.operations.html_page import box, grid, page, paired_bars, picture, table, text

HEAD = ("Figure", "Live", "This corpus", "Distance", "Limit", "By chance", "")
_COMPARED = ("language", "genre", "key", "time_signature")


def outcome(verdict: CorpusVerdict) -> str:
    """What came of it, in a sentence."""
    if verdict.broken:
        return "The corpus is not what it must be: nothing is trained on it."
    if not verdict.rows:
        return "There is no other corpus to compare with."
    far = ", ".join(row.label for row in verdict.drifted)
    if not far:
        return f"The corpus is near {verdict.before}: it may be trained on."
    if verdict.accepted:
        return f"The corpus is far from {verdict.before} ({far}), and this was accepted."
    return f"The corpus drifted too far from {verdict.before} ({far}): nothing is trained on it."


def row_cells(row: Row) -> tuple[str, ...]:
    """A row as text: figure, live, candidate, distance with its measure, limit, chance, verdict."""
    distance = "not compared" if row.distance is None else f"{row.distance:.2f} ({row.measure})"
    chance = f"{row.chance:.2f}" if row.chance else ""
    if row.distance is None:
        return row.label, row.live, row.candidate, distance, f"{row.limit:g}", chance, ""
    verdict = "near" if row.distance <= row.limit else "as chance has it" if row.met else "too far"
    return row.label, row.live, row.candidate, distance, f"{row.limit:g}", chance, verdict


def drift_page(verdict: CorpusVerdict, card: Mapping[str, Any], live: Mapping[str, Any], key: str) -> str:
    """The page of a verdict, with the figures of both data cards.

    Args:
        verdict: of `drift.judge_corpus`.
        card: of the corpus.
        live: of the one it is compared with.
        key: of the corpus.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    title = f"Drift of corpus {key[:12]}"
    rows = [[*map(text, row_cells(row)[:6]), _verdict(row)] for row in verdict.rows]
    return page(
        title,
        [
            f"<h1>{text(title)}</h1>",
            '<p class="soft">Grey is the corpus of the live release, blue this one. Limits are the settings '
            "<code>drift.*</code>; by chance is what two draws from the same songs stay below in 99 of 100.</p>",
            f'<p class="verdict{"" if verdict.passed else " no"}">{text(outcome(verdict))}</p>',
            "".join(f"<p>{text(sentence)}</p>" for sentence in (*verdict.broken, *verdict.notes)),
            table(HEAD, rows, (4, 5)),
            "<h2>Numbers</h2>",
            grid(_numbers(card["numbers"], live["numbers"])),
            "<h2>Names</h2>",
            grid(
                box(NAMES[name][0], paired_bars(card["names"][name], live["names"][name], NAMES[name][1]))
                for name in _COMPARED
            ),
        ],
    )


def _verdict(row: Row) -> str:
    told = row_cells(row)[6]
    return f'<span class="{"good" if row.met else "bad"}">{told}</span>' if told else ""


def _numbers(numbers: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    for figure, heading in HEADINGS.items():
        if numbers[figure]["n"] and before[figure]["n"]:
            drawn = histogram(figure, numbers[figure], before[figure])
            yield box(heading, picture(drawn, f"Histograms of {NUMBERS[figure][0]}"))
