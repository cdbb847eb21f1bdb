"""`rhapsody base`: make the base models that trainings of lyrics and of backing tracks start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from flows import console
from flows.options import JsonOption, SetOption, StoreOption, store_address

base_app = typer.Typer(help="Make a base model, from which later trainings start.", no_args_is_help=True)


@base_app.command()
def lyrics(
    sources: Annotated[list[str], typer.Argument(help="'songbook', then files or folders of verse that is free.")],
    out: Annotated[Path, typer.Option(help="New or empty folder to write the base model to.")],
    profile: Annotated[str, typer.Option(help="The path of a .toml file; by default one made for base models.")] = "",
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
    command = _again("lyrics", sources, out, profile, change)
    with console.progress():
        figures = make_base(store_address(store), settings, sources, out, command)
    console.show_base(figures, out, as_json=as_json)


@base_app.command()
def backing(
    sources: Annotated[list[str], typer.Argument(help="'songbook', and folders of MIDI files, with words or without.")],
    out: Annotated[Path, typer.Option(help="New or empty folder to write the base model to.")],
    profile: Annotated[str, typer.Option(help="The path of a .toml file; by default one made for base models.")] = "",
    change: SetOption = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Train a base model of music on songs and MIDI files; later trainings start from it.

    With --set backing.base=FOLDER a training starts from the one in that folder.
    """
    from rhapsody_lib.operations.base_backing import BASE_PROFILE, make_backing_base
    from rhapsody_lib.settings import load_settings

    settings = load_settings(profile or str(BASE_PROFILE), change)
    command = _again("backing", sources, out, profile, change)
    with console.progress():
        figures = make_backing_base(store_address(store), settings, sources, out, command)
    console.show_backing_base(figures, out, as_json=as_json)


def _again(stage: str, sources: list[str], out: Path, profile: str, change: list[str] | None) -> str:
    """The command that makes the model again, without the folders of this machine."""
    named = [Path(source).name if Path(source).exists() else source for source in sources]
    options = ["--profile", profile] if profile else []
    changes = [part for text in change or [] for part in ("--set", text)]
    return shlex.join(["rhapsody", "base", stage, *named, "--out", out.name, *options, *changes])
