"""What the `rhapsody` command shows: progress on stderr, results on stdout, as text or as one JSON object."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from flows import interrupts
from flows.output import stdout
from rhapsody_lib.progress import Progress as ProgressCallback
from rhapsody_lib.progress import reporting
from rhapsody_lib.release import flat_figures

if TYPE_CHECKING:
    from rhapsody_lib.artifacts import ArtifactRef
    from rhapsody_lib.operations.generation import SongResult
    from rhapsody_lib.operations.health import Health
    from rhapsody_lib.release import Release

#: Columns of the table of scores.
_CANDIDATES_SHOWN = 6

_err = Console(stderr=True, highlight=False)


def configure_logging() -> None:
    """The library's own log lines go to stderr, plainly."""
    handler = RichHandler(console=_err, show_time=False, show_level=False, show_path=False, markup=False)
    log = logging.getLogger("rhapsody_lib")
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def say(text: str) -> None:
    """A remark for the person who waits."""
    _err.print(escape(text))


def fail(text: str) -> None:
    """One error message."""
    _err.print(f"[bold red]Error:[/] {escape(text)}", soft_wrap=True)


@contextmanager
def progress() -> Iterator[None]:
    """Bars on stderr for all work within the block, where stderr is a terminal. Ctrl-C ends it in any case."""
    if not _err.is_terminal:
        with reporting(lambda _: _interruptible):
            yield
        return
    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=_err, transient=False) as bars:

        def factory(what: str) -> ProgressCallback:
            task = bars.add_task(what, total=None, note="")

            def report(done: int, total: int, note: str = "") -> None:
                bars.update(task, completed=done, total=total, note=escape(note))
                interrupts.check()

            return report

        with reporting(factory):
            yield


def _interruptible(done: int, total: int, note: str = "") -> None:  # noqa: ARG001  (as a reporter is called)
    interrupts.check()


def _print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def _show_matches(result: SongResult) -> None:
    """The most similar songs, each with how sure the match is and the two lines that are closest."""
    if result.matches:
        stdout.print("Most similar songs (how sure, of 1):")
    for match in result.matches:
        artist = f" by {escape(match.artist)}" if match.artist else ""
        sure = "   -" if match.confidence is None else f"{match.confidence:.2f}"
        stdout.print(f"  {sure}  [bold]{escape(match.title)}[/]{artist}")
        if match.closest:
            stdout.print(f"        {escape(match.closest.generated_line)} / {escape(match.closest.catalogue_line)}")


def show_song(result: SongResult, *, as_json: bool, show_score: bool = False) -> None:
    """The lyrics, the most similar songs with how sure each is, and the files; if asked for, the lyrics' score."""
    if as_json:
        _print_json(
            {
                "title": result.title,
                "lyrics": result.lyrics,
                "matches": [asdict(match) for match in result.matches],
                "duration_s": round(result.duration_s, 3),
                "release": result.release,
                "scores": result.scores,
                "folder": str(result.folder.resolve()),
                "files": {name: str(path.resolve()) for name, path in result.files.items()},
            }
        )
        return
    stdout.print(f"\n[bold]{escape(result.title)}[/]\n")
    stdout.print(escape(result.lyrics))
    if show_score:
        _show_score(result.scores)
    _show_matches(result)
    minutes, seconds = divmod(round(result.duration_s), 60)
    stdout.print(f"Length {minutes}:{seconds:02d}, release {result.release}. Files in {escape(str(result.folder))}:")
    for name in result.files:
        stdout.print(f"  {name}")
    page = result.files.get("index.html")
    if page is not None:
        stdout.print(f"Open {escape(page.resolve().as_uri())} to play it.")


def _show_score(scores: Mapping[str, Any]) -> None:
    """A column for each candidate, the best first; the score is the sum of the parts by their weights."""
    found = [scores, *scores["alternatives"]][:_CANDIDATES_SHOWN]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("part of the score", "weight", *map(str, range(1, len(found) + 1))):
        table.add_column(heading, no_wrap=True)
    for name, weight in scores["weights"].items():
        table.add_row(name.replace("_", " "), f"{weight:g}", *(f"{one['parts'][name]:.2f}" for one in found))
    table.add_row("total", "", *(f"{one['total']:.2f}" for one in found))
    stdout.print(table)
    stdout.print(f"The best of {scores['candidates']} lyrics.\n")


def _release_json(release: Release) -> dict[str, Any]:
    return {
        "number": release.number,
        "parent": release.parent,
        "restores": release.restores,
        "reason": release.reason,
        "artifacts": {kind: ref.model_dump() for kind, ref in release.refs.items()},
        "figures": flat_figures(release.figures),
    }


def show_training(release: Release, *, unchanged: bool, built: Sequence[str], as_json: bool) -> None:
    """The release that training ended in, and whether there was anything to do; `built` are the kinds that were."""
    if as_json:
        _print_json({**_release_json(release), "unchanged": unchanged, "built": list(built)})
        return
    if unchanged and built:
        stdout.print(f"Built again: {', '.join(built)}. Release {release.number} is these very models already.")
    elif unchanged:
        stdout.print(f"Nothing to do: release {release.number} is these very models.")
    else:
        show_release(release, as_json=False)


def moment(when: datetime | None) -> str:
    """A moment to the minute; empty where it is not known."""
    return "" if when is None else f"{when.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def show_release(release: Release, *, facts: Mapping[str, str] = MappingProxyType({}), as_json: bool) -> None:
    """One release in full; `facts` are what else is known of it."""
    if as_json:
        _print_json({**_release_json(release), **facts})
        return
    parent = "the first" if release.parent is None else f"after release {release.parent}"
    stdout.print(f"[bold]Release {release.number}[/] ({escape(release.reason)}, {parent})")
    for name, fact in facts.items():
        stdout.print(f"  {name:<9}  {escape(fact)}")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for kind, ref in release.refs.items():
        table.add_row(kind, ref.key[:12])
    for name, value in flat_figures(release.figures).items():
        table.add_row(name, f"{value:.4g}")
    stdout.print(table)


def show_releases(
    releases: Sequence[Release],
    *,
    times: Mapping[int, datetime],
    sources: Mapping[int, Sequence[str]],
    as_json: bool,
) -> None:
    """A line a release: when it was published, its reason, its sources; the newest is live, unless it is damaged."""
    if as_json:
        known = {each.number: {"published": moment(times.get(each.number))} for each in releases}
        _print_json(
            [
                {**_release_json(each), **known[each.number], "sources": ", ".join(sources[each.number])}
                for each in releases
            ]
        )
        return
    if not releases:
        stdout.print("No releases yet. 'rhapsody train' makes the first.")
        return
    for release in releases:
        live = " [bold](live)[/]" if release.number == max(times) else ""
        of = ", ".join(sources[release.number])
        stdout.print(
            f"{release.number:>4}  {moment(times.get(release.number)):<20}  {escape(release.reason)}{live}"
            + (f", trained on {escape(of)}" if of else "")
        )


def show_corpus(store: str, ref: ArtifactRef, card: Path | None, *, as_json: bool) -> None:
    """The summary of a prepared corpus: what was kept, what was rejected and why; and where its data card is."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.corpus.schema import SUMMARY_FILE

    folder = Store(store).fetch(ref)
    summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    if as_json:
        _print_json({"key": ref.key, "folder": str(folder), "card": str(card or ""), **summary})
        return
    stdout.print(f"[bold]Corpus {ref.key[:12]}[/] in {escape(str(folder))}")
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in summary.items():
        if isinstance(value, dict):
            for inner, count in value.items():
                table.add_row(f"{name}: {inner}", f"{count:,}" if isinstance(count, (int, float)) else str(count))
        else:
            table.add_row(name, f"{value:,}" if isinstance(value, (int, float)) else str(value))
    stdout.print(table)
    if card is not None:
        stdout.print(f"Open {escape(card.resolve().as_uri())} to see what is in it.")


def show_base(figures: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    """What a base model was measured with; its model card tells the rest."""
    if as_json:
        _print_json({"folder": str(folder), **figures})
        return
    megabytes = figures["bytes"]["all"] / 1e6
    stdout.print(f"[bold]Base model {figures['digest'][:12]}[/] ({megabytes:.1f} MB) in {escape(str(folder))}")
    table = Table("held-out songs", "number", "perplexity per word", "with 8 bits", box=None, padding=(0, 2))
    for source, found in figures["heldout"].items():
        plain, stored = (found[name].get("word_perplexity", float("nan")) for name in ("float32", "stored"))
        table.add_row(escape(source), str(found["stored"]["songs"]), f"{plain:.1f}", f"{stored:.1f}")
    stdout.print(table)


def show_backing_base(figures: Mapping[str, Any], folder: Path, *, as_json: bool) -> None:
    """What a base model of music was measured with."""
    if as_json:
        _print_json({"folder": str(folder), **figures})
        return
    megabytes, told = figures["bytes"]["all"] / 1e6, figures["heldout_nll"]
    stdout.print(f"[bold]Base model {figures['digest'][:12]}[/] ({megabytes:.1f} MB) in {escape(str(folder))}")
    plain, stored = f"{told['float32']:.4f}", f"{told['stored']:.4f}"
    stdout.print(f"{figures['heldout_songs']} held-out songs: {plain} nats a token, {stored} with 8 bits")


def show_health(report: Health, *, as_json: bool) -> None:
    """What `rhapsody doctor` found."""
    if as_json:
        _print_json(report.to_json())
        return
    table = Table("extra", "installed", "needed for", box=None, padding=(0, 2))
    for extra in report.extras:
        missing = f"[red]missing: {escape(', '.join(extra.missing))}[/]"
        table.add_row(extra.name, missing if extra.missing else escape(", ".join(extra.found)), extra.purpose)
    stdout.print(table)
    for name, value in report.facts.items():
        stdout.print(f"{name:<10} {escape(value)}")
    for problem in filter(None, (report.store_error, *report.release_problems)):
        stdout.print(f"[red]{escape(problem)}[/]")
    for extra in report.extras:
        if extra.remedy:
            stdout.print(f"Install what is missing of {extra.name}: {escape(extra.remedy)}")
