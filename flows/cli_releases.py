"""`rhapsody releases`: list, show and roll back the models that songs are made from."""

from __future__ import annotations

import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated

import typer

from flows import console
from flows.options import JsonOption, StoreOption, store_address
from rhapsody_lib.errors import StoreError

if TYPE_CHECKING:
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.release import Release

#: Each is a request or two on S3.
_READ_AT_ONCE = 16

releases_app = typer.Typer(help="List, show and roll back releases: the models that songs are made from.")


@releases_app.callback()
def releases(context: typer.Context, store: StoreOption = "", as_json: JsonOption = False) -> None:
    """List, show and roll back releases: the models that songs are made from. Without a command: the list."""
    if context.invoked_subcommand is None:
        list_releases(store, as_json)


@releases_app.command("list")
def list_releases(store: StoreOption = "", as_json: JsonOption = False) -> None:
    """All releases, the live one last."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.inspection import sources_of
    from rhapsody_lib.release import readable_releases, release_times

    opened = Store(store_address(store))
    (releases, problems), times = readable_releases(opened), release_times(opened)
    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        sources = dict(pool.map(lambda release: (release.number, sources_of(opened, release)), releases))
    console.show_releases(releases, times=times, sources=sources, as_json=as_json)
    for problem in problems:
        console.fail(problem)
    if problems:
        raise typer.Exit(StoreError.exit_code)


@releases_app.command("show")
def show_release(
    number: Annotated[int | None, typer.Argument(help="Number; the live one by default.")] = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """One release: its artifacts, its held-out figures, where it came from."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.errors import DamagedArtifactError
    from rhapsody_lib.operations.inspection import settings_of, sources_of
    from rhapsody_lib.release import live_release, read_release, release_times

    opened = Store(store_address(store))
    release = live_release(opened) if number is None else read_release(opened, number)
    try:
        settings = shlex.join(settings_of(opened, release))
    except DamagedArtifactError:
        settings = "cannot be told"
    facts = {"sources": ", ".join(sources_of(opened, release)) or "cannot be told", "settings": settings}
    when = release_times(opened).get(release.number)
    console.show_release(release, facts={"published": console.moment(when), **facts}, as_json=as_json)


@releases_app.command("rollback")
def rollback_release(
    number: Annotated[
        int | None, typer.Argument(help="Release to go back to; by default the one before the models that are live.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Publish it even if its models are gone, damaged or of an older format.")
    ] = False,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Publish an older release again, under a new number, if songs can be made from it. Nothing is removed."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.release import rollback

    release = rollback(Store(store_address(store)), number, check=_unchecked if force else _check)
    console.say(f"Release {release.parent} was live before. Release {release.number} is {release.restores} again.")
    console.show_release(release, as_json=as_json)


def _unchecked(store: Store, release: Release) -> None:
    """Publish it, whatever it is."""


def _check(store: Store, release: Release) -> None:
    from rhapsody_lib.operations.usable import check_usable

    for kind in check_usable(store, release).not_opened:
        console.say(f"Compared with its digests, but not opened: {kind}")
