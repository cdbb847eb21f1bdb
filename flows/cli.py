"""The `rhapsody` command.

Exit codes: 0 done, 1 failed, 2 bad input, 3 something is not installed, 4 store, 5 nothing trained, 6 refused,
130 interrupted.
Nothing heavy is imported here: `rhapsody --help` must be quick, and a song must not pay for what it does not use.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flows import console, interrupts
from flows.cli_artifacts import artifacts_app
from flows.cli_base import base_app
from flows.cli_data import card, prepare, sources_app
from flows.cli_evaluate import evaluate_app
from flows.cli_releases import releases_app
from flows.deploy import deploy
from flows.options import (
    JsonOption,
    ProfileOption,
    SetOption,
    SourcesArgument,
    StoreOption,
    VersionOption,
    store_address,
    through_prefect,
    told_of,
)
from flows.serve import serve
from rhapsody_lib.errors import RefusedError, RhapsodyError
from rhapsody_lib.optional import require


class Command(TyperGroup):
    """The command group: every error a user can meet is one message on stderr and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except RhapsodyError as error:
            console.fail(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            console.fail("Interrupted. What was finished is kept: the same command goes on from there.")
            raise typer.Exit(130) from error
        except Exception as error:
            # typer's own (usage, exit) are its to show. Others were met by nobody before: still one message.
            if type(error).__module__.startswith(("typer", "click")) or os.environ.get("RHAPSODY_DEBUG"):
                raise
            console.fail(told_of(error))
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=Command,
    help="A prompt becomes a song: lyrics, a matched song, a new backing track, files to read, sing, play and edit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 failed, 2 bad input, 3 not installed, 4 store, 5 nothing trained, 6 refused, "
    "130 interrupted.",
)
app.add_typer(artifacts_app, name="artifacts")
app.add_typer(base_app, name="base")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(releases_app, name="releases", invoke_without_command=True)
app.add_typer(sources_app, name="sources", invoke_without_command=True)


@app.callback()
def _options_of_all(version: VersionOption = False) -> None:
    """What is asked for without a command."""


def _train(
    store: str, profile: str, changes: list[str] | None, sources: list[str], reason: str, *, gate: bool = False
) -> Any:
    from rhapsody_lib.settings import load_settings

    settings = load_settings(profile or "fast", changes)
    if through_prefect():
        require("prefect")
        from flows.retrain import retrain

        return retrain(
            sources=sources, profile=profile or "fast", changes=changes or [], gate=gate, reason=reason, store=store
        )
    from rhapsody_lib import operations
    from rhapsody_lib.operations.pipelines import train_all

    return train_all(operations, store, settings, sources, reason, gate=gate)


def _release_for(store: str, profile: str, changes: list[str] | None, sources: list[str] | None) -> Any:
    """The live release, or the newest one made as asked for; what is not there yet is trained.

    Raises:
        RefusedError: what was trained would become live, and is worse than what is.
    """
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.releasing import release_made_from
    from rhapsody_lib.release import live_release, release_numbers
    from rhapsody_lib.settings import load_settings

    opened, wanted = Store(store), sources or ["songbook"]
    released = bool(release_numbers(opened))
    if not (profile or changes or sources) and released:
        return live_release(opened)
    release = release_made_from(opened, load_settings(profile or "fast", changes), wanted)
    if release is not None:
        return release
    # In a folder of one's own, models of a few songs are what was asked for; a bucket's live release is everybody's.
    gate = released and not opened.is_local
    how = f" with profile {profile or 'fast'}" + (" and your settings" if changes else "")
    console.say(f"No models of {', '.join(wanted)}{how} yet. Training them now, once; this takes some minutes ...")
    try:
        return _train(store, profile, changes, wanted, "a song" if released else "first song", gate=gate)
    except RefusedError as refusal:
        again = shlex.join(["rhapsody", "train", *wanted, *_options(store, profile, changes), "--no-gate"])
        raise RefusedError(
            f"{refusal} The song was not made: '{again}' makes these models live for everybody, and then the same "
            "command sings with them."
        ) from refusal


def _options(store: str, profile: str, changes: list[str] | None) -> list[str]:
    given = [("--store", store), ("--profile", profile), *(("--set", change) for change in changes or [])]
    return [part for name, value in given if value for part in (name, value)]


@app.command()
def song(
    prompt: Annotated[
        str,
        typer.Argument(
            help="The line that opens the song, word for word; at most 300 words, in as many lines as you like. "
            "'-' reads it from stdin."
        ),
    ],
    seed: Annotated[int, typer.Option(help="Another seed, another song.", min=0, max=2**31 - 1)] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the files. Default: songs/TITLE-SEED.")] = None,
    title: Annotated[str, typer.Option(help="Title; by default the hook of the chorus.")] = "",
    candidates: Annotated[int, typer.Option(help="Lyrics written, of which the best is kept.", min=1, max=256)] = 16,
    temperature: Annotated[float, typer.Option(help="Low is plain, high is daring.", min=0.1, max=2.0)] = 0.8,
    max_lines: Annotated[
        int, typer.Option(help="At most so many lines; a --form decides itself.", min=4, max=120)
    ] = 24,
    form: Annotated[str, typer.Option(help="Sections, e.g. 'verse chorus verse chorus bridge chorus'.")] = "",
    lines_per_section: Annotated[int, typer.Option(help="Lines of each section.", min=2, max=8)] = 4,
    syllables_per_line: Annotated[
        int | None, typer.Option(help="Give or take one. Default: as the prompt has them.", min=4, max=16)
    ] = None,
    words_per_line: Annotated[int | None, typer.Option(help="Instead of syllables.", min=3, max=12)] = None,
    key: Annotated[str, typer.Option(help="Key, e.g. 'G major' or Am. Default: the primer's.")] = "",
    tempo_bpm: Annotated[
        float | None, typer.Option(help="Quarters a minute. Default: the primer's.", min=40, max=240)
    ] = None,
    primer: Annotated[
        str, typer.Option(help="A MIDI or MusicXML file to prime the music, instead of the matched song; or 'none'.")
    ] = "",
    with_primer: Annotated[
        bool,
        typer.Option("--with-primer/--without-primer", help="Open with the primer's own bars, or only with new music."),
    ] = True,
    match_language: Annotated[str, typer.Option(help="Match only songs in this language, e.g. en.")] = "",
    match_style: Annotated[str, typer.Option(help="Match only songs of this genre.")] = "",
    match_tempo: Annotated[str, typer.Option(help="Match only songs in these quarters a minute, e.g. 90-120.")] = "",
    match_key: Annotated[str, typer.Option(help="Match only songs in this key, e.g. 'G major'.")] = "",
    match_licence: Annotated[str, typer.Option(help="Match only songs whose licence begins so, e.g. CC0.")] = "",
    match_melody: Annotated[bool, typer.Option("--match-melody", help="Match only songs with a melody.")] = False,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Render song.mp3, and each part alone.")] = True,
    vocal: Annotated[bool, typer.Option("--vocal", help="Let a synthesizer sing; needs the extra 'vocal'.")] = False,
    show_score: Annotated[bool, typer.Option("--show-score", help="Show how the lyrics were ranked.")] = False,
    source: Annotated[
        list[str] | None, typer.Option(help="Use models trained on this source. May be repeated.")
    ] = None,
    profile: ProfileOption = "",
    change: SetOption = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a song from a prompt. The first one on a machine trains the models; later ones take seconds."""
    from rhapsody_lib.operations.requests import check_out, check_request, default_folder

    request = check_request(
        prompt=sys.stdin.buffer.read(800_001).decode("utf-8", "replace") if prompt == "-" else prompt,
        seed=seed,
        title=title,
        candidates=candidates,
        temperature=temperature,
        max_lines=max_lines,
        form=form,
        lines_per_section=lines_per_section,
        syllables_per_line=syllables_per_line,
        words_per_line=words_per_line,
        key=key,
        tempo_bpm=tempo_bpm,
        primer=primer,
        with_primer=with_primer,
        match_language=match_language,
        match_style=match_style,
        match_tempo=match_tempo,
        match_key=match_key,
        match_licence=match_licence,
        match_melody=match_melody,
        audio=audio,
        vocal=vocal,
    )
    address, folder = store_address(store), check_out(out or default_folder(request), audio=audio, vocal=vocal)
    with console.progress():
        release = _release_for(address, profile, change, source)
        result = _make_song(address, release, request, folder)
    console.show_song(result, as_json=as_json, show_score=show_score)


def _make_song(store: str, release: Any, request: Any, out: Path) -> Any:
    if through_prefect():
        require("prefect")
        from flows.generate_song import generate_song

        return generate_song(**request.model_dump(), store=store, release=release.number, out=str(out))
    from rhapsody_lib.operations.ahead import steps_ahead
    from rhapsody_lib.operations.pipelines import make_song

    with steps_ahead(store, release) as steps:
        return make_song(steps, store, release, request, out)


@app.command()
def train(
    sources: SourcesArgument = None,
    profile: ProfileOption = "",
    change: SetOption = None,
    gate: Annotated[
        bool, typer.Option("--gate/--no-gate", help="Refuse what is worse than the live release on held-out songs.")
    ] = True,
    accept_drift: Annotated[
        bool, typer.Option("--accept-drift", help="Train on songs however far they are from the live release's.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Said of the release in the list of releases.")] = "rhapsody train",
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Prepare songs, train the three stages, release what is no worse. What was built before from the same is kept."""
    from rhapsody_lib.artifacts import Store, built
    from rhapsody_lib.release import release_numbers

    address = store_address(store)
    change = [*(change or []), "drift.accept=true"] if accept_drift else change
    before, built_before = release_numbers(Store(address)), built.copy()
    with console.progress():
        release = _train(address, profile, change, sources or ["songbook"], reason, gate=gate)
    again = sorted(built - built_before)
    console.show_training(release, unchanged=release.number in before, built=again, as_json=as_json)


@app.command()
def doctor(
    verify: Annotated[
        bool, typer.Option("--verify", help="Fetch the live release, compare every digest, open what a song opens.")
    ] = False,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what is installed, which extra is missing, where store and data are, and what the live release lacks.

    Exits 4 if the store or the live release cannot be used, else 3 if songs lack an extra.
    """
    from rhapsody_lib.operations.health import examine

    report = examine(store_address(store), verify=verify)
    console.show_health(report, as_json=as_json)
    if report.store_error or report.release_problems:
        raise typer.Exit(4)
    if report.missing_extras:
        raise typer.Exit(3)


app.command()(prepare)
app.command()(card)
app.command()(serve)
app.command()(deploy)


def main() -> None:
    """Entry point."""
    # One BLAS thread: two are no faster here and far slower on a busy machine. TensorFlow's start-up chatter is noise.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Private by default: no server that is started from here tells its maker of it.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    console.configure_logging()
    interrupts.watch()
    app()


if __name__ == "__main__":
    main()
