"""`rhapsody evaluate`: how good the models of a release are, beside yardsticks and beside what people wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from flows import console
from flows.options import JsonOption, ProfileOption, SetOption, StoreOption, store_address
from flows.output import stdout
from rhapsody_lib.errors import NoReleaseError

if TYPE_CHECKING:
    from rhapsody_lib.operations.backing_figures import BackingFigures
    from rhapsody_lib.operations.lyrics_figures import LyricsFigures
    from rhapsody_lib.operations.retrieval_figures import RetrievalFigures

evaluate_app = typer.Typer(
    help="Measure the models of a release on songs that they have not seen.", no_args_is_help=True
)
SourceOption = Annotated[
    list[str] | None, typer.Option("--source", help="The newest release trained on this source. May be repeated.")
]


@evaluate_app.callback()
def evaluate() -> None:
    """Measure the models of a release on songs that they have not seen."""


@evaluate_app.command()
def lyrics(
    songs: Annotated[int, typer.Option(help="Songs written, to be measured beside held-out ones.", min=1)] = 50,
    number: Annotated[int | None, typer.Option("--release", help="Number; the live one by default.")] = None,
    source: SourceOption = None,
    profile: ProfileOption = "",
    change: SetOption = None,
    with_seed_network: Annotated[
        bool, typer.Option("--with-seed-network", help="Train the notebooks' network too, to be measured beside.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, a picture and every song.")] = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Words: perplexity beside a 5-gram, written songs beside held-out ones and spoilt ones, copying."""
    from rhapsody_lib.operations.lyrics_figures import measure_lyrics
    from rhapsody_lib.operations.lyrics_page import json_text, page_folder, write_page

    address = store_address(store)
    with page_folder(out):
        release = _release(address, number, source, profile, change)
        with console.progress():
            figures = measure_lyrics(address, release.refs, songs, with_seed_network=with_seed_network)
        files = write_page(figures, out) if out else []
    if as_json:
        sys.stdout.write(json_text({"release": release.number, **figures.to_json()}))
        return
    _show_lyrics(release.number, figures)
    if files:
        stdout.print(f"Written: {escape(', '.join(map(str, files)))}")


@evaluate_app.command()
def backing(
    songs: Annotated[int, typer.Option(help="Pieces written, to be measured beside held-out music.", min=1)] = 50,
    number: Annotated[int | None, typer.Option("--release", help="Number; the live one by default.")] = None,
    source: SourceOption = None,
    profile: ProfileOption = "",
    change: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables, pictures and a list of the pieces.")] = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Music: likelihood beside a 5-gram, primers, written pieces beside held-out music and spoilt music, copying."""
    from rhapsody_lib.operations.backing_figures import measure_backing
    from rhapsody_lib.operations.backing_page import json_text, write_page
    from rhapsody_lib.operations.lyrics_page import page_folder

    address = store_address(store)
    with page_folder(out):
        release = _release(address, number, source, profile, change)
        with console.progress():
            figures = measure_backing(address, release.refs, songs)
        files = write_page(figures, out) if out else []
    if as_json:
        sys.stdout.write(json_text({"release": release.number, **figures.to_json()}))
        return
    _show_backing(release.number, figures)
    if files:
        stdout.print(f"Written: {escape(', '.join(map(str, files)))}")


@evaluate_app.command()
def retrieval(
    number: Annotated[int | None, typer.Option("--release", help="Number; the live one by default.")] = None,
    source: SourceOption = None,
    profile: ProfileOption = "",
    change: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables and pictures.")] = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Search: halves of songs that look for each other, beside words alone and the plain encoder; and the music."""
    from rhapsody_lib.operations.lyrics_page import page_folder
    from rhapsody_lib.operations.retrieval_figures import measure_retrieval
    from rhapsody_lib.operations.retrieval_page import json_text, write_page

    address = store_address(store)
    with page_folder(out):
        release = _release(address, number, source, profile, change)
        with console.progress():
            figures = measure_retrieval(address, release.refs)
        files = write_page(figures, out) if out else []
    if as_json:
        sys.stdout.write(json_text({"release": release.number, **figures.to_json()}))
        return
    _show_retrieval(release.number, figures)
    if files:
        stdout.print(f"Written: {escape(', '.join(map(str, files)))}")


def _release(store: str, number: int | None, sources: list[str] | None, profile: str, changes: list[str] | None) -> Any:
    """The release that was named, or the newest one made as asked for, or the live one."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.releasing import release_made_from
    from rhapsody_lib.release import live_release, read_release
    from rhapsody_lib.settings import load_settings

    opened = Store(store)
    if number is not None:
        return read_release(opened, number)
    if not (sources or profile or changes):
        return live_release(opened)
    wanted = sources or ["songbook"]
    release = release_made_from(opened, load_settings(profile or "fast", changes), wanted)
    if release is None:
        raise NoReleaseError(
            f"{store}: no release was trained on {', '.join(wanted)} with these settings. Run 'rhapsody train' with "
            "them first."
        )
    return release


def _show_lyrics(release: int, figures: LyricsFigures) -> None:
    from rhapsody_lib.operations import lyrics_page as page

    corpus = figures.corpus
    stdout.print(
        f"[bold]Lyrics of release {release}[/], trained on {corpus['train_songs']:,} songs; "
        f"{corpus['heldout_songs']:,} others are held out ({corpus['heldout_tokens']:,} tokens)\n"
    )
    _print_table(page.PERPLEXITY_HEAD, page.perplexity_rows(figures))
    for note in page.footnotes(figures):
        stdout.print(escape(note))
    stdout.print(f"\n{len(figures.songs)} songs written; in brackets the distance to held-out songs (0 is alike)\n")
    _print_table(page.distance_head(figures), page.distance_rows(figures))
    stdout.print()
    _print_table(page.COPYING_HEAD, page.copying_rows(figures))


def _show_backing(release: int, figures: BackingFigures) -> None:
    from rhapsody_lib.operations import backing_page as page

    corpus = figures.corpus
    stdout.print(
        f"[bold]Backing of release {release}[/], trained on {corpus['train_songs']:,} songs; "
        f"{corpus['heldout_songs']:,} others are held out\n"
    )
    _print_table(page.LIKELIHOOD_HEAD, page.likelihood_rows(figures))
    stdout.print(f"\nBeginnings of {figures.priming['songs']:.0f} held-out songs\n")
    _print_table(page.PRIMING_HEAD, page.priming_rows(figures))
    stdout.print(
        f"\n{len(figures.songs)} pieces written; in brackets the distance to held-out songs (0 is alike), the overlap\n"
    )
    _print_table(page.distance_head(figures), page.distance_rows(figures))
    for note in page.footnotes(figures):
        stdout.print(escape(note))
    stdout.print()
    _print_table(page.COPYING_HEAD, page.copying_rows(figures))


def _show_retrieval(release: int, figures: RetrievalFigures) -> None:
    from rhapsody_lib.operations import retrieval_page as page

    stdout.print(f"[bold]Retrieval of release {release}[/]\n")
    _print_table(page.FINDING_HEAD, page.finding_rows(figures.finding))
    for note in page.footnotes(figures):
        stdout.print(escape(note))
    stdout.print("\nWith lines that return left in both halves\n")
    _print_table(page.FINDING_HEAD, page.finding_rows(figures.shared))
    if figures.tells:
        stdout.print()
        _print_table(page.CONFIDENCE_HEAD, page.confidence_rows(figures))
    if figures.agreement:
        stdout.print()
        _print_table(page.AGREEMENT_HEAD, page.agreement_rows(figures))


def _print_table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(box=None, padding=(0, 2))
    for index, column in enumerate(head):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    stdout.print(table)
