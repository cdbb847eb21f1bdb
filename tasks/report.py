"""What a run shows in the Prefect UI: figures beside their yardsticks, the gate's verdict, a song with its player.

Keys are stable, so that the UI keeps a history of each. A page that cannot be written fails no run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from rhapsody_lib.gate import LIMITED, Row, Verdict
from rhapsody_lib.lineage import flat
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.release import Release, flat_figures
from tasks.charts import PNG, SVG, changes, loss_curves, smaller_picture, split_name
from tasks.live import logged_progress, run_page, time_words
from tasks.markup import block, cell, links, mp3_uri, opened, picture, player, table
from tasks.names import shortened

__all__ = [
    "harmless",
    "logged_progress",
    "report_cached",
    "report_corpus",
    "report_release",
    "report_song",
    "report_training",
    "report_verdict",
    "run_page",
    "verdict_markdown",
    "write_page",
]

# Workers send these lines to the run's page (PREFECT_LOGGING_EXTRA_LOGGERS); without a level, only warnings.
logging.getLogger("rhapsody_lib").setLevel(logging.INFO)

#: Figures of a training in the order shown, each with the name a person knows it by; yardsticks last.
FIGURES: Mapping[str, Mapping[str, str]] = {
    "lyrics": {
        "heldout_perplexity": "Perplexity per word",
        "heldout_perplexity_with_cache": "The same, with the song's own words in mind (cache)",
        "heldout_perplexity_5gram": "Yardstick: 5-gram",
    },
    "encoder": {
        "heldout_mrr": "Mean reciprocal rank: the tuned encoder alone",
        "heldout_mrr_sum": "Mean reciprocal rank: the tuned encoder and TF-IDF together",
        "heldout_mrr_before": "Yardstick: mean reciprocal rank of the encoder as it came",
        "heldout_mrr_sum_before": "Yardstick: the same with TF-IDF",
    },
    "backing": {"heldout_nll": "Nats per token", "ngram_nll": "Yardstick: 5-gram"},
    "catalogue": {
        "sum.mrr": "Mean reciprocal rank: SBERT, TF-IDF and lengths of lines together",
        "sum.recall_at_1": "Found at rank 1: SBERT, TF-IDF and lengths of lines together",
        "sbert_centred.mrr": "Mean reciprocal rank: SBERT alone, about the mean",
        "tfidf.mrr": "Yardstick: mean reciprocal rank of TF-IDF",
        "tfidf.recall_at_1": "Yardstick: found at rank 1 by TF-IDF",
    },
}
#: What a 5-gram reaches on the same held-out songs, in the unit of the curves.
_FIVE_GRAM = {"lyrics": "heldout_perplexity_5gram", "backing": "ngram_nll"}
#: So much of an MP3 is kept in the page where no address can be played: MP3 may be cut anywhere.
OPENING_BYTES = 400_000
MAX_PROMPT_CHARACTERS = 400


def report_cached(kind: str, key: str) -> None:
    """Say that nothing is to be made."""
    get_run_logger().info("%s: nothing to do, the store has it from the same settings and inputs (%s).", kind, key[:12])


def report_training(kind: str, figures: Mapping[str, Any]) -> None:
    """The held-out figures of a training beside their yardsticks, and its curves."""
    flat, known = flat_figures(figures), FIGURES.get(kind, {})
    rows = [[name, _number(flat[figure])] for figure, name in known.items() if figure in flat]
    others = [[cell(_spelled(figure)), _number(value)] for figure, value in flat.items() if figure not in known]
    history = dict(enumerate(figures.get("history") or [], start=1))
    five_gram = flat.get(_FIVE_GRAM.get(kind, ""))
    curves = loss_curves(history, {} if five_gram is None else {"5-gram": five_gram})
    # A corpus of a few songs may hold none out.
    heldout = figures.get("measured_on") != "training songs"
    told_of = "songs it has not seen" if heldout else "its own training songs: none were held out"
    if kind == "encoder":
        told_of = "songs it stopped by"
    elif kind == "catalogue":
        told_of = "halves of songs that look for each other"
    parts = [
        f"# {kind.capitalize()}: how it does on {told_of}",
        table(["Figure", "Value"], rows) if rows else "",
        picture(curves, SVG, "Curves of the training") if curves else "",
        "## Also measured",
        table(["Figure", "Value"], others) if others else "Nothing.",
    ]
    first = f": {rows[0][0].lower()} {rows[0][1]}" if rows else ""
    write_page(f"{kind}-figures", f"{'Held-out figures' if heldout else 'Figures'} of {kind}{first}", parts)


def _spelled(figure: str) -> str:
    return " ".join(part for part in split_name(figure) if part)


def report_corpus(summary: Mapping[str, Any]) -> None:
    """Songs kept and rejected, from a corpus's summary.json."""
    rejects, sources = summary.get("rejects") or {}, summary.get("sources") or {}
    counts = {name: summary.get(name, 0) for name in ("songs", "tracks", "words", "notes")}
    music = [["length of the music", time_words(summary.get("seconds", 0.0))]]
    splits = [[f"songs: {cell(name)}", f"{count:,}"] for name, count in (summary.get("splits") or {}).items()]
    by_reason = sorted(rejects.items(), key=lambda item: (-item[1], item[0]))
    parts = [
        "# Corpus",
        table(["What", "Count"], [*([name, f"{count:,}"] for name, count in counts.items()), *music, *splits]),
        "## Sources",
        table(
            ["Source", "Songs", "Rejects"],
            [[cell(name), f"{of['songs']:,}", f"{of['rejects']:,}"] for name, of in sources.items()],
        ),
        "## Rejects, by reason",
        table(["Reason", "Count"], [[cell(code.replace("_", " ")), f"{count:,}"] for code, count in by_reason])
        if rejects
        else "None.",
    ]
    description = f"{counts['songs']:,} songs kept, {sum(rejects.values()):,} rejected"
    write_page("corpus", description, parts)


def report_release(release: Release) -> None:
    """Every held-out figure of a release as a table artifact."""
    rows = [{"figure": name, "value": round(value, 4)} for name, value in flat_figures(release.figures).items()]
    with harmless("release-figures"):
        create_table_artifact(
            table=rows,
            key="release-figures",
            description=f"Held-out figures of release {release.number} ({cell(release.reason)})",
        )


def verdict_markdown(verdict: Verdict) -> str:
    """The gate's verdict: in the first line what came of it and why, then every figure."""
    rows = [
        [cell(row.label), _number(row.live), _number(row.candidate), _share(row.change), _allowed(row), _words(row)]
        for row in verdict.rows
    ]
    head = ["Figure", "Live", "Candidate", "Change", "Tolerated", "Verdict"]
    notes = "\n".join(f"- {cell(note)}" for note in verdict.notes)
    parts = [_outcome(verdict), table(head, rows) if rows else "", notes]
    return "\n\n".join(part for part in parts if part)


def report_verdict(verdict: Verdict) -> None:
    """The gate's verdict as a page, with a chart of what is better and what is worse than live."""
    chart = changes(verdict.rows)
    parts = [verdict_markdown(verdict), picture(chart, SVG, "Better or worse than live") if chart else ""]
    write_page("gate", _outcome(verdict).replace("**", ""), parts)


def _outcome(verdict: Verdict) -> str:
    if not verdict.passed:
        return f"**Refused by the gate.** {' '.join(cell(reason) for reason in verdict.reasons)}"
    if not verdict.live:
        return "**Passed the gate.** There is no live release to compare with."
    if not verdict.compared:
        return "**Passed the gate.** Nothing of the live release could be measured; the notes say why."
    return "**Passed the gate.** No figure is worse than the live release's by more than is tolerated."


def _words(row: Row) -> str:
    if row.change is None:
        return ("within the limit" if row.figure in LIMITED else "not compared") if row.met else "**refused**"
    if not row.met:
        return "**worse**"
    gain = row.change if row.better == "higher" else -row.change
    return "the same" if gain == 0 else "better" if gain > 0 else "worse, tolerated"


def _allowed(row: Row) -> str:
    return "" if row.figure in LIMITED else f"{row.tolerance:.1%} {'higher' if row.better == 'lower' else 'lower'}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"


#: What the number beside a match says.
MATCH_NOTE = (
    "The number is how sure the match is: of halves of songs of this catalogue that got it, that share had found the "
    "song they were cut from, among at most 1,000; '-' where too few songs could tell."
)


def report_song(result: SongResult, place: str, addresses: Mapping[str, str] | None = None) -> None:
    """A song: words, matches, piano roll, player, how it was made, where its files are.

    Args:
        result: the song, its files on this machine.
        place: where its files are kept.
        addresses: of its files, by name, where a browser can open them.
    """
    info = json.loads((result.folder / "song.json").read_text(encoding="utf-8"))
    found = links(addresses or {})
    parts = [
        f"# {cell(result.title)}",
        _player(result, (addresses or {}).get("song.mp3", "")),
        f"Files: {cell(place)}" + (f" ({found}; the links work for a week at most)" if found else ""),
        block(result.lyrics),
        "## Most similar songs",
        _matches(result),
        _pianoroll(result),
        _music(result, info),
        "## How it was made",
        _making(result, info),
    ]
    write_page("song", f"{cell(result.title)}, release {result.release}", parts)


def _player(result: SongResult, address: str) -> str:
    """A player of the whole song where it has an address, or else of its opening; nothing without audio."""
    if opened(address):
        return player(opened(address))
    path = result.files.get("song.mp3")
    if path is None:
        return ""
    data = path.read_bytes()
    opening = data[:OPENING_BYTES]
    seconds = result.duration_s * len(opening) / max(1, len(data))
    words = "" if len(opening) == len(data) else f"\n\nThe first {seconds:.0f} seconds."
    return player(mp3_uri(opening)) + words


def _matches(result: SongResult) -> str:
    """A list and no table, for the UI wraps no table's cells."""
    lines = [MATCH_NOTE + "\n"] if result.matches else []
    for match in result.matches:
        closest = match.closest
        pair = f": {cell(closest.generated_line)} / {cell(closest.catalogue_line)}" if closest else ""
        sure = "-" if match.confidence is None else f"{match.confidence:.2f} of 1"
        lines.append(f"- **{cell(match.title)}**, sure by {sure}{pair}")
    return "\n".join(lines)


def _pianoroll(result: SongResult) -> str:
    path = result.files.get("pianoroll.png")
    return picture(smaller_picture(path.read_bytes()), PNG, "Piano roll") if path else ""


def _music(result: SongResult, info: Mapping[str, Any]) -> str:
    music = info.get("music") or {}
    facts = [
        ["Length", time_words(result.duration_s)],
        ["Key", music.get("key", "")],
        ["Tempo", f"{music['tempo_bpm']:.0f} quarter notes a minute" if "tempo_bpm" in music else ""],
        ["Metre", music.get("metre", "")],
        ["Bars", str(music.get("bars", ""))],
        ["Style", music.get("style", "")],
        ["Primed with", str(info.get("primer", ""))],
    ]
    return table(["Music", ""], [[name, cell(value)] for name, value in facts if value])


def _making(result: SongResult, info: Mapping[str, Any]) -> str:
    facts: Sequence[tuple[str, object]] = [
        ("Prompt", shortened(str(info.get("prompt", "")), MAX_PROMPT_CHARACTERS)),
        ("Seed", info.get("seed", "")),
        ("Release", result.release),
        *(fact for fact in (info.get("settings") or {}).items() if fact[1] not in ("", None)),
        *_figures("copying", info.get("copying")),
        *_figures("melody copying", info.get("melody_copying")),
    ]
    return "\n".join(f"- {cell(name.replace('_', ' ').capitalize())}: {cell(str(value))}" for name, value in facts)


def _figures(what: str, figures: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Figures of song.json, a name and a rounded number each."""
    for name, value in flat(figures or {}).items():
        known = isinstance(value, int | float) and not isinstance(value, bool)
        yield f"{what}: {name.replace('.', ': ')}", _number(value) if known else str(value)


@contextmanager
def harmless(key: str) -> Iterator[None]:
    """Within the block, a server that does not answer, after the client's own patience of a minute, is a warning."""
    try:
        yield
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("The page '%s' could not be written (%s). All else is as it was.", key, error)


def write_page(key: str, description: str, parts: Sequence[str]) -> None:
    """A markdown artifact of this run, from its parts; empty ones are left out."""
    text = "\n\n".join(part for part in parts if part) + "\n"
    with harmless(key):
        create_markdown_artifact(key=key, description=description, markdown=text)
