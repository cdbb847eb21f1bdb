"""`rhapsody prepare`, `card` and `sources`: songs into tables, what is in them, and where they come from."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from flows import console
from flows.options import JsonOption, ProfileOption, SetOption, StoreOption, store_address, through_prefect
from flows.output import stdout
from rhapsody_lib.errors import InputError, MissingExtraError, SourceError
from rhapsody_lib.optional import require

if TYPE_CHECKING:
    from rhapsody_lib.artifacts import ArtifactRef, Store
    from rhapsody_lib.corpus.source_check import Checked
    from rhapsody_lib.drift import CorpusVerdict

sources_app = typer.Typer(help="Where corpora come from, and whether a folder is one, before hours are spent on it.")


def prepare(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Folders or files of songs, or a source file (.toml) that names them; 'songbook' is the embedded one. "
            "Lead sheets (.mxl .musicxml), MIDI with words (.mid .kar), songbook texts; words alone in tables (.csv "
            ".tsv), JSON lines (.jsonl), ABC tunes (.abc) and plain texts (.txt); Lakh's piano rolls and MIDI. "
            "docs/data.md says how each is read."
        ),
    ],
    profile: ProfileOption = "",
    change: SetOption = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Read, clean and split songs into tables, and say what was left out and why; write their data card."""
    from rhapsody_lib import operations
    from rhapsody_lib.settings import load_settings

    address, settings = store_address(store), load_settings(profile or "fast", change)
    with console.progress():
        if through_prefect():
            require("prefect")
            from flows.prepare_corpus import prepare_corpus

            ref = prepare_corpus(sources=sources, profile=profile or "fast", changes=change or [], store=address)
        else:
            ref = operations.prepare_corpus(address, settings, tuple(sources))
        try:
            page: Path | None = _page_of(address, ref)
        except MissingExtraError as missing:  # the corpus is there all the same
            console.say(f"No data card was written: {missing}")
            page = None
    console.show_corpus(address, ref, page, as_json=as_json)


def _page_of(store: str, corpus: ArtifactRef) -> Path:
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.data_card import PAGE_FILE, make_card

    return Store(store).fetch(make_card(store, corpus)) / PAGE_FILE


def card(
    corpus: Annotated[
        str, typer.Argument(help="Key of a prepared corpus, or the first letters of it. Default: the live release's.")
    ] = "",
    against: Annotated[str, typer.Option(help="Key of another corpus, to tell how far they are apart.")] = "",
    out: Annotated[Path | None, typer.Option(help="Copy the page to this file.")] = None,
    change: SetOption = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """What a prepared corpus holds, as a page; or how far it drifted from another one."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.data_card import card_of, compare_corpora
    from rhapsody_lib.settings import load_settings

    address, settings = store_address(store), load_settings("fast", change)
    opened = Store(address)
    ref = _corpus(opened, corpus)
    verdict: CorpusVerdict | None = None
    with console.progress():
        if against:
            verdict = compare_corpora(address, settings, ref, _corpus(opened, against))
            told, page = verdict.to_json(), Path(verdict.report)
        else:
            told, page = card_of(address, ref), _page_of(address, ref)
    if out is not None:
        page = _copied(page, out)
    if as_json:
        _print_json({"page": str(page), **told})
        return
    if verdict is not None:
        _show_drift(verdict)
    stdout.print(f"Open {escape(page.resolve().as_uri())} to see it.")


def _copied(page: Path, out: Path) -> Path:
    try:
        shutil.copyfile(page, out)
    except OSError as error:
        raise InputError(
            f"--out '{out}' cannot be written: {error.strerror or error}. Name a file in a folder of yours."
        ) from error
    return out


def _corpus(store: Store, key: str) -> ArtifactRef:
    from rhapsody_lib.operations.inspection import find_artifact
    from rhapsody_lib.release import live_release

    if key:
        return find_artifact(store, f"corpus/{key.removeprefix('corpus/')}")
    return live_release(store).refs["corpus"]


def _show_drift(verdict: CorpusVerdict) -> None:
    from rhapsody_lib.operations.drift_page import HEAD, outcome, row_cells

    table = Table(*HEAD, box=None, padding=(0, 2, 0, 0))
    for row in verdict.rows:
        table.add_row(*map(escape, row_cells(row)))
    stdout.print(table)
    stdout.print(escape(outcome(verdict)))


@sources_app.callback()
def sources(
    context: typer.Context,
    example: Annotated[bool, typer.Option("--example", help="Print a source file to start from.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The corpora that are read: where each comes from, its licence, its size, how its folder must look."""
    if context.invoked_subcommand is not None:
        return
    from rhapsody_lib.corpus.source_file import EXAMPLE
    from rhapsody_lib.corpus.source_guide import GUIDE

    if example:
        sys.stdout.write(EXAMPLE)
    elif as_json:
        _print_json([asdict(entry) for entry in GUIDE])
    else:
        for entry in GUIDE:
            stdout.print(f"[bold]{escape(entry.name)}[/]")
            facts = Table(show_header=False, box=None, padding=(0, 2))
            for name in ("holds", "origin", "licence", "size", "layout", "source_file"):
                facts.add_row(name.replace("_", " "), escape(getattr(entry, name)))
            stdout.print(facts)
        stdout.print("'rhapsody sources check FOLDER' looks at one; 'rhapsody sources --example' prints a source file.")


@sources_app.command("check")
def check(
    place: Annotated[str, typer.Argument(help="A folder, a file, a source file (.toml), or 'songbook'.")],
    files: Annotated[
        int, typer.Option(help="Files of each kind that are read to see whether they can be.", min=1)
    ] = 20,
    change: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at a source before hours are spent on it: what it is, what is missing or odd. Exits 1 if it is unusable."""
    from rhapsody_lib.corpus.source_check import check_source
    from rhapsody_lib.settings import load_settings

    settings = load_settings("fast", change)
    with console.progress():
        checked = check_source(place, settings.corpus, files)
    if as_json:
        _print_json([{**asdict(one), "usable": one.usable} for one in checked])
    else:
        for one in checked:
            _show_checked(one)
    if not all(one.usable for one in checked):
        raise typer.Exit(SourceError.exit_code - 1)


def _show_checked(one: Checked) -> None:
    stdout.print(f"[bold]{escape(one.name)}[/]: {escape(one.what)}, in {escape(one.place)}")
    facts = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in one.facts.items():
        facts.add_row(escape(name), escape(value))
    stdout.print(facts)
    for finding in one.findings:
        colour = {"error": "red", "warning": "yellow"}[finding.level]
        stdout.print(
            f"  [{colour}]{finding.level}[/] {escape(finding.what)}"
            + (f" {escape(finding.remedy)}" if finding.remedy else "")
        )
    stdout.print("[green]It can be prepared.[/]" if one.usable else "[red]It cannot be used as it is.[/]")


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
