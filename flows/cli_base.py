"""`rhapsody base`: make the base model that trainings of lyrics start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from flows import console
from flows.options import JsonOption, SetOption, StoreOption, store_address


def base(
    sources: Annotated[list[str], typer.Argument(help="'songbook', then files or folders of verse that is free.")],
    out: Annotated[Path, typer.Option(help="Folder to write the base model to.")],
    profile: Annotated[str, typer.Option(help="The path of a .toml file; by default the packaged model's own.")] = "",
    change: SetOption = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Train a base model of lyrics on songs and public-domain verse; later trainings start from it.

    With --set lyrics.base=FOLDER a training starts from the one in that folder.
    """
    from rhapsody_lib.operations.base_model import BASE_PROFILE, make_base
    from rhapsody_lib.settings import load_settings

    settings = load_settings(profile or str(BASE_PROFILE), change)
    named = [Path(source).name if Path(source).exists() else source for source in sources]
    options = ["--profile", profile] if profile else []
    changes = [part for text in change or [] for part in ("--set", text)]
    command = shlex.join(["rhapsody", "base", *named, "--out", out.name, *options, *changes])
    with console.progress():
        figures = make_base(store_address(store), settings, sources, out, command)
    console.show_base(figures, out, as_json=as_json)
