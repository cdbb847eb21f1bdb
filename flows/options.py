"""Options that several commands have in common."""

from __future__ import annotations

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
    list[str] | None, typer.Argument(help="Folders or files of songs; 'songbook' is the embedded one (the default).")
]


def store_address(given: str) -> str:
    """The store that was named, or the default one."""
    from rhapsody_lib.artifacts import default_root

    return given or default_root()
