"""Real virtual environments of chosen extras, made in a second and without network.

The packages are links to those of the environment the tests run in: for the extras asked for, the distributions that
they need are found through their metadata (markers and extras evaluated), and exactly their files are linked. What is
not needed cannot be imported. Rhapsody itself is a copy of the working tree, as a worker's own checkout would be.
"""

from __future__ import annotations

import re
import shutil
import sys
import sysconfig
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parent.parent.parent
#: What a worker's checkout holds; tests and documents are no part of it.
CHECKOUT = ("flows", "tasks", "rhapsody_lib", "deployments", "prefect.yaml", "pyproject.toml")
GPU_EXTRAS = ("lyrics", "retrieval", "orchestrate")
CPU_EXTRAS = ("backing", "song", "retrieval", "orchestrate")


@dataclass(frozen=True)
class Environment:
    """A virtual environment and the checkout of Rhapsody that it runs."""

    folder: Path
    checkout: Path

    @property
    def bin(self) -> Path:
        """Folder of its Python and of the console scripts of its packages."""
        return self.folder / "bin"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.bin / "python"


def make_environment(folder: Path, extras: Iterable[str]) -> Environment:
    """A virtual environment with the packages of some extras, and a checkout beside it."""
    extras = tuple(extras)
    environment = Environment(folder / "venv", copy_checkout(folder / "checkout"))
    venv.EnvBuilder(with_pip=False, symlinks=True).create(environment.folder)
    chosen = needed_distributions(extras) | _installed_without_its_requirements(extras)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment.folder)}))
    _link_files(chosen, packages)
    _copy_own_metadata(packages)
    (packages / "rhapsody.pth").write_text(f"{environment.checkout}\n")
    scripts = {"rhapsody": "flows.cli:main"}
    for distribution in chosen.values():
        points = distribution.entry_points.select(group="console_scripts")
        scripts |= {point.name: point.value for point in points}
    for name, target in scripts.items():
        _write_script(environment, name, target)
    return environment


def copy_checkout(target: Path) -> Path:
    """The working tree's part that a worker runs, compiled files and all."""
    target.mkdir(parents=True)
    for name in CHECKOUT:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, target / name)
        elif source.is_file():
            shutil.copy2(source, target / name)
    return target


def needed_distributions(extras: Iterable[str]) -> dict[str, Distribution]:
    """The installed distributions that Rhapsody with some extras needs, by normalised name.

    Raises:
        LookupError: one that is needed is not installed here.
    """
    installed = {canonicalize_name(found.metadata["Name"]): found for found in distributions()}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    chosen: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [*_own_requirements(project, extras)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in installed:
            raise LookupError(f"{requirement} is needed by the extras {', '.join(extras)} and is not installed here")
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            chosen[name] = installed[name]
            waiting += _requirements(installed[name].requires or [], extra)
    return chosen


def _installed_without_its_requirements(extras: Iterable[str]) -> dict[str, Distribution]:
    """The synthesizer of `song`, which the Makefile installs with `--no-deps` (docs/decisions/0005)."""
    name = "tinysoundfont"
    found = next(iter(distributions(name=name)), None)
    return {name: found} if found and "song" in extras else {}


def _requirements(lines: Iterable[str], extra: str) -> list[Requirement]:
    """Requirements whose markers hold in this interpreter for one extra ('' for none)."""
    parsed = [Requirement(line) for line in lines]
    return [found for found in parsed if found.marker is None or found.marker.evaluate({"extra": extra})]


def _own_requirements(project: Mapping[str, Any], extras: Iterable[str]) -> list[Requirement]:
    """Rhapsody's own requirements, as pyproject.toml says them now; an extra may name others of its own."""
    found = _requirements(project["dependencies"], "")
    waiting, seen = list(extras), set()
    while waiting:
        extra = waiting.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in _requirements(project["optional-dependencies"][extra], ""):
            if canonicalize_name(requirement.name) == "rhapsody":
                waiting += requirement.extras
            else:
                found.append(requirement)
    return found


@dataclass
class _Node:
    """A file or folder of the environment the tests run in, and whose it is."""

    owners: set[str] = field(default_factory=set)
    children: dict[str, _Node] = field(default_factory=dict)


def _link_files(chosen: Mapping[str, Distribution], packages: Path) -> None:
    """Link what the chosen distributions installed: whole folders where nobody else has a part in them."""
    roots: dict[Path, _Node] = {}
    for distribution in distributions():
        owner = canonicalize_name(distribution.metadata["Name"])
        root = roots.setdefault(Path(str(distribution.locate_file(""))), _Node())
        for file in distribution.files or []:
            if ".." in file.parts or file.is_absolute():
                continue  # scripts are written anew
            node = root
            for part in file.parts:
                node = node.children.setdefault(part, _Node())
                node.owners.add(owner)
    for folder, node in roots.items():
        for name, child in node.children.items():
            _link(child, folder / name, packages / name, chosen)


def _link(node: _Node, source: Path, target: Path, chosen: Mapping[str, Distribution]) -> None:
    mine = node.owners & chosen.keys()
    if not mine or target.exists():
        return
    if mine == node.owners or not node.children:
        target.symlink_to(source)
        return
    target.mkdir()
    for name, child in node.children.items():
        _link(child, source / name, target / name, chosen)


def _copy_own_metadata(packages: Path) -> None:
    """Rhapsody's own version and extras, without the link of an editable installation to the working tree."""
    for found in distributions(name="rhapsody"):
        metadata = found.read_text("METADATA") or found.read_text("PKG-INFO")
        if metadata:
            version = re.search(r"^Version: (\S+)", metadata, re.MULTILINE)
            folder = packages / f"rhapsody-{version.group(1) if version else '0'}.dist-info"
            folder.mkdir(exist_ok=True)
            (folder / "METADATA").write_text(metadata, encoding="utf-8")
            return


def _write_script(environment: Environment, name: str, target: str) -> None:
    module, _, function = target.partition(":")
    function = function.split(" ")[0].strip()
    path = environment.bin / name
    path.write_text(
        f"#!{environment.python}\nimport sys\nfrom {module} import {function.split('.')[0]}\n"
        f"if __name__ == '__main__':\n    sys.exit({function}())\n"
    )
    path.chmod(0o755)
