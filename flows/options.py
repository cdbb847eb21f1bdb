"""Options that several commands have in common."""

from __future__ import annotations

import os
from importlib import metadata
from typing import Annotated

import typer

StoreOption = Annotated[
    str,
    typer.Option("--store", envvar="RHAPSODY_STORE", help="Where artifacts are kept: a folder or s3://bucket/prefix."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
ProfileOption = Annotated[
    str, typer.Option(help="Training profile: fast (the default), full, or the path of a .toml file.")
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change a setting, e.g. --set lyrics.max_epochs=4. May be repeated.")
]
SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Folders, files or source files (.toml); 'songbook' is the embedded one (the default)."),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rhapsody {metadata.version('rhapsody')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
]


def store_address(given: str) -> str:
    """The store that was named, or the default one."""
    from rhapsody_lib.artifacts import default_root

    return given or default_root()


def through_prefect() -> bool:
    """Whether runs go to a Prefect server: only where one is set up, since an ephemeral one costs 10 s a process."""
    return bool(os.environ.get("PREFECT_API_URL"))


def told_of(error: Exception) -> str:
    """What to say of an error that nobody met before; Prefect's own, that its server is away, is known."""
    _, away, address = str(error).partition("Failed to reach API at ")
    if away and through_prefect():
        return (
            f"{address.rstrip('./')} cannot be reached. Is the server running? Start it ('rhapsody serve'), or unset "
            "PREFECT_API_URL to run without a server."
        )
    return f"{type(error).__name__}: {error} (RHAPSODY_DEBUG=1 shows where.)"
