"""The page of a data card: one HTML file that says what a prepared corpus holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rhapsody_lib.operations.card_plots import NUMBERS, histogram
from rhapsody_lib.operations.html_page import bars, box, grid, page, picture, table, text, tiles

#: Headings of the names that are counted, and how many of each are shown.
NAMES: Mapping[str, tuple[str, int]] = {
    "language": ("Languages", 10),
    "genre": ("Genres", 16),
    "key": ("Keys", 24),
    "time_signature": ("Metres", 8),
    "licence": ("Licences", 8),
    "source": ("Sources", 10),
}
HEADINGS: Mapping[str, str] = {
    "words": "Words",
    "lines": "Lines",
    "seconds": "Length of the music",
    "tempo_bpm": "Tempo",
    "notes": "Notes",
    "year": "Years",
}
#: What a song may lack, in words.
_LACKING = {"title": "title", "artist": "artist", "year": "year", "genres": "genre", "licence": "licence"}
_DUPLICATES = {"duplicate": "the same words", "near_duplicate": "nearly the same words"}


def card_page(card: Mapping[str, Any], key: str) -> str:
    """The page of `corpus.card.describe_corpus`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    counts, title = card["counts"], f"Data card of corpus {key[:12]}"
    return page(
        title,
        [
            f"<h1>{text(title)}</h1>",
            f'<p class="soft">Of {text(", ".join(card["sources"]) or "no source")}. '
            "What the figures are is told in Rhapsody's docs/data-card.md.</p>",
            tiles(_first(counts, card)),
            _whole(card["checks"]),
            "<h2>The words and the music</h2>",
            grid(_numbers(card["numbers"])),
            "<h2>What they are</h2>",
            grid(_names(card["names"])),
            "<h2>What was kept and what was left out</h2>",
            *_rejects(card),
            "<h2>What is not known</h2>",
            _lacking(card),
            "<h2>Some of the songs</h2>",
            _samples(card["samples"]),
            "<h2>What was checked</h2>",
            _checks(card["checks"]),
        ],
    )


def _first(counts: Mapping[str, Any], card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "songs", f"{counts['songs']:,}"
    yield "with music", f"{counts['tracks']:,}"
    yield "artists", f"{counts['artists']:,}"
    yield "words", f"{counts['words']:,}"
    yield "notes", f"{counts['notes']:,}"
    yield "hours of music", f"{counts['seconds'] / 3600:,.1f}"
    yield "held out", f"{card['splits'].get('heldout', 0):,}"
    yield "left out", f"{counts['rejects']:,}"


def is_met(check: Mapping[str, Any]) -> bool:
    """Whether no row breaks a check; of one about what files state, some may."""
    return not check["broken"]


def _whole(checks: Sequence[Mapping[str, Any]]) -> str:
    broken = [check for check in checks if not is_met(check)]
    if not broken:
        return f'<p class="verdict">The corpus is whole: all {len(checks)} checks hold.</p>'
    hard = [check for check in broken if not check["lenient"]]
    told = "; ".join(f"{check['table']}: {check['what']} ({check['broken']:,} not)" for check in hard or broken)
    words = "is not whole" if hard else "is whole, but some files state what cannot be"
    return f'<p class="verdict{" no" if hard else ""}">The corpus {words}: {text(told)}.</p>'


def _numbers(numbers: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for figure, heading in HEADINGS.items():
        told = numbers[figure]
        if not told["n"]:
            yield box(heading, '<p class="soft">None is known.</p>')
            continue
        middle, low, high = (plain(told[name], figure) for name in ("median", "p5", "p95"))
        note = f"median {middle}, 90 in 100 from {low} to {high}"
        yield box(heading, picture(histogram(figure, told), f"Histogram of {NUMBERS[figure][0]}"), note)


def plain(value: float, figure: str) -> str:
    """A number without decimals; years without a comma."""
    return f"{value:.0f}" if figure == "year" else f"{value:,.0f}"


def _names(names: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, (heading, most) in NAMES.items():
        yield box(heading, bars(names[name], most))


def _rejects(card: Mapping[str, Any]) -> Iterator[str]:
    sources = card["sources"]
    rows = [[text(name), f"{of['songs']:,}", f"{of['rejects']:,}"] for name, of in sources.items()]
    yield table(["Source", "Songs kept", "Left out"], rows, (1, 2))
    found, examples = card["rejects"], card["reject_examples"]
    if not found:
        yield "<p>Nothing was left out.</p>"
        return
    for code, count in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        told = "".join(f"<li>{_example(row)}</li>" for row in examples.get(code, ()))
        by = ", ".join(f"{source} {of[code]:,}" for source, of in card["rejects_by_source"].items() if code in of)
        yield (
            f"<details><summary>{text(code.replace('_', ' '))}: <b>{count:,}</b> "
            f'<span class="soft">{text(by)}</span></summary><ul>{told}</ul></details>'
        )
    repeats = " and ".join(f"{found[code]:,} with {words}" for code, words in _DUPLICATES.items() if found.get(code))
    if repeats:
        yield f"<p>Songs that repeat one that stays: {text(repeats)}.</p>"


def _example(row: Mapping[str, Any]) -> str:
    return f'<code>{text(row["path"])}</code> <span class="soft">{text(row["detail"])}</span>'


def _lacking(card: Mapping[str, Any]) -> str:
    songs, lacking = max(1, card["counts"]["songs"]), card["lacking"]
    without = {"lyrics": "words (instrumentals)", **_LACKING}
    rows = [[f"no {words}", f"{lacking[name]:,}", f"{lacking[name] / songs:.1%}"] for name, words in without.items()]
    silent = card["counts"]["songs"] - card["counts"]["tracks"]
    return table(["Songs with", "", ""], [["no music", f"{silent:,}", f"{silent / songs:.1%}"], *rows], (1, 2))


def _samples(samples: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            text(row["title"]),
            text(row["artist"] or ""),
            text(row["year"] or ""),
            text(row["language"]),
            text(", ".join(row["genres"] or ())),
            f"{row['words'] or 0:,}",
        ]
        for row in samples
    ]
    return table(["Title", "Artist", "Year", "Language", "Genres", "Words"], rows, (5,))


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for check in checks:
        verdict = "holds" if is_met(check) else f"{check['broken']:,} not"
        kind = "good" if is_met(check) else "bad"
        such = f' <span class="soft">such as {text(", ".join(check["examples"]))}</span>' if check["examples"] else ""
        what = f"{text(check['what'])}{such}"
        rows.append([text(check["table"]), what, f"{check['rows']:,}", f'<span class="{kind}">{verdict}</span>'])
    return table(["Table", "Expected", "Rows", ""], rows, (2,))
