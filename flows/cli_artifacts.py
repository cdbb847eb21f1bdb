"""`rhapsody artifacts`: what the store holds, where it comes from, why it was built, and what nobody needs any more."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from flows.options import JsonOption, ProfileOption, SetOption, SourcesArgument, StoreOption, store_address
from flows.output import stdout

if TYPE_CHECKING:
    from rhapsody_lib.garbage import Item
    from rhapsody_lib.operations.inspection import Input, Inspected, Step

artifacts_app = typer.Typer(
    help="Show what the store holds, where it comes from and why it was built; remove what nobody needs.",
    no_args_is_help=True,
)
#: Each is a request or two on S3.
_READ_AT_ONCE = 16


@artifacts_app.command("list")
def list_artifacts(
    kind: Annotated[str, typer.Option(help="Only of this kind, e.g. lyrics.")] = "",
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Every artifact: kind, key, size, when it was built, and which releases name it."""
    from rhapsody_lib.artifacts import ArtifactRef, Store
    from rhapsody_lib.release import readable_releases

    opened, named = Store(store_address(store)), dict[ArtifactRef, list[int]]()
    for release in readable_releases(opened)[0]:
        for ref in release.refs.values():
            named.setdefault(ref, []).append(release.number)

    def row_of(ref: ArtifactRef) -> dict[str, Any]:
        facts = {"kind": ref.kind, "key": ref.key, "releases": named.get(ref, [])}
        return {**_size_and_time(opened, ref), **facts}

    with ThreadPoolExecutor(_READ_AT_ONCE) as pool:
        rows = list(pool.map(row_of, opened.artifacts(kind)))
    if as_json:
        _print_json(rows)
        return
    table = Table("kind", "key", "size", "built", "releases", box=None, padding=(0, 2))
    for row in rows:
        numbers = ", ".join(map(str, row["releases"]))
        table.add_row(row["kind"], row["key"][:12], _size(row["bytes"]), row["built_at"], numbers)
    stdout.print(table if rows else "Nothing is there yet. 'rhapsody train' makes the first artifacts.")


def _size_and_time(opened: Any, ref: Any) -> dict[str, Any]:
    from rhapsody_lib.errors import DamagedArtifactError

    story = opened.provenance(ref)
    try:
        size_bytes = sum(entry["bytes"] for entry in opened.manifest(ref)["files"].values())
    except DamagedArtifactError:
        size_bytes = None
    return {"bytes": size_bytes, "built_at": story.built_at if story else ""}


@artifacts_app.command("show")
def show_artifact(
    key: Annotated[str, typer.Argument(help="Its key, the first letters of it, or kind/key.")],
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """One artifact: recipe, files, inputs back to the sources, who built it and why, which releases name it."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.inspection import find_artifact, inspect

    opened = Store(store_address(store))
    found = inspect(opened, find_artifact(opened, key))
    if as_json:
        _print_json({**asdict(found), "ref": found.ref.model_dump(), "bytes": found.size_bytes})
    else:
        _show(found)


def _show(found: Inspected) -> None:
    stdout.print(f"[bold]{escape(found.ref.kind)} {found.ref.key}[/]")
    stdout.print(f"in {escape(found.ref.uri)}, {_size(found.size_bytes)}")
    story = found.provenance
    if story is None:
        stdout.print("Built by nobody knows whom: its builder ended before it could say, or was an older Rhapsody.")
    else:
        stdout.print(f"Built {story.built_at} in {story.seconds:.0f} s, because: {escape(story.because)}.")
        stdout.print(_facts(f"{name} {value}" for name, value in story.built_by.items()))
        stdout.print(_facts(f"{name} {value}" for name, value in story.versions.items()))
    if found.last_use:
        by = _facts(f"{name} {value}" for name, value in found.last_use.items() if name != "at")
        stdout.print(f"Last found and used {found.last_use.get('at', '?')}: {by}")
    named = ", ".join(map(str, found.releases))
    stdout.print(f"Named by release {named}." if named else "No release names it.")
    recipe = Table(show_header=False, box=None, padding=(0, 2), title="Recipe", title_justify="left")
    recipe.add_row("stage version", str(found.recipe.version))
    for name, value in found.recipe.settings.items():
        recipe.add_row(escape(name), escape(json.dumps(value, ensure_ascii=False)))
    stdout.print(recipe)
    tree = Tree("Made from" if found.inputs else "Made from nothing but its recipe")
    _grow(tree, found.inputs)
    stdout.print(tree)
    files = Table("file", "size", "sha256", box=None, padding=(0, 2))
    for name, entry in found.files.items():
        files.add_row(escape(name), _size(entry["bytes"]), entry["sha256"][:12])
    stdout.print(files)


def _grow(tree: Tree, inputs: Sequence[Input]) -> None:
    for each in inputs:
        what = f"artifact {each.key[:12]}" if each.key else f"sha256 {each.sha256[:12]}"
        _grow(tree.add(escape(f"{each.name}: {what}")), each.inputs)


@artifacts_app.command("explain")
def explain(
    sources: SourcesArgument = None,
    profile: ProfileOption = "",
    change: SetOption = None,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """What 'rhapsody train' with the same arguments would find in the store, what it would build, and why."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.operations.inspection import explain_training
    from rhapsody_lib.settings import load_settings

    settings = load_settings(profile or "fast", change)
    steps = explain_training(Store(store_address(store)), settings, sources or ["songbook"])
    if as_json:
        _print_json([{**asdict(step), "hit": step.key is not None} for step in steps])
        return
    table = Table(show_header=False, box=None, padding=(0, 2))
    for step in steps:
        table.add_row(*_explained(step))
    stdout.print(table)


def _explained(step: Step) -> tuple[str, str, str]:
    if step.key is None:
        return step.kind, "[yellow]is built[/]", escape(step.because)
    return step.kind, "[green]is found[/]", f"{step.key[:12]}: made from the same settings, inputs and stage version"


@artifacts_app.command("gc")
def collect_garbage(
    keep_releases: Annotated[
        int | None, typer.Option(help="Only so many of the newest releases keep their models. Default: all.", min=1)
    ] = None,
    older_than: Annotated[
        float, typer.Option(help="Keep what was used within so many days, by the store's clock.", min=0)
    ] = 7.0,
    shards_older_than: Annotated[
        float, typer.Option(help="The same for shards, which spare the next run most of its reading.", min=0)
    ] = 90.0,
    songs: Annotated[bool, typer.Option("--songs", help="Remove old songs too.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would go, and why the rest is kept.")
    ] = False,
    store: StoreOption = "",
    as_json: JsonOption = False,
) -> None:
    """Remove what no release names and nobody has used for a week. Songs are kept."""
    from rhapsody_lib.artifacts import Store
    from rhapsody_lib.garbage import Policy, collect, find_garbage

    opened, shard_grace = Store(store_address(store)), timedelta(days=shards_older_than)
    policy = Policy(timedelta(days=older_than), keep_releases, songs, shard_grace)
    items = find_garbage(opened, policy)
    kept = [item for item in items if item.keep]
    gone = [item for item in items if not item.keep] if dry_run else collect(opened, policy, items)
    if as_json:
        _print_json({"dry_run": dry_run, "removed": _plain(gone), "kept": _plain(kept)})
        return
    if dry_run:
        _show_items(kept, "kept")
    _show_items(gone, "would go" if dry_run else "removed")
    total = _size(sum(item.size_bytes for item in gone))
    stdout.print(f"{len(gone)} {'would be' if dry_run else 'were'} removed, {total}; {len(kept)} are kept.")


def _show_items(items: Sequence[Item], verdict: str) -> None:
    from rhapsody_lib.garbage import What

    for item in items:
        if item.what is not What.USE:  # one is left with every artifact, and says nothing to a person
            why = item.keep or f"last used {item.last_used:%Y-%m-%d %H:%M} UTC"
            stdout.print(f"{verdict}  {_size(item.size_bytes):>9}  {escape(_short(item.parts))}  ({escape(why)})")


def _short(parts: tuple[str, ...]) -> str:
    return "/".join(part[:12] if len(part) == 64 else part for part in parts)


def _plain(items: Sequence[Item]) -> list[dict[str, Any]]:
    return [
        {
            "what": item.what.value,
            "name": item.name,
            "bytes": item.size_bytes,
            "last_used": item.last_used.isoformat(),
            "kept_because": item.keep,
        }
        for item in items
    ]


def _facts(words: Iterable[str]) -> str:
    return escape(", ".join(words))


def _size(size_bytes: int | None) -> str:
    if size_bytes is None:
        return "damaged"
    if size_bytes < 1e6:
        return f"{size_bytes / 1e3:.1f} kB"
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:.2f} GB"


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")
