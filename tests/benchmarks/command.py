"""What the commands of the benchmarks have in common: they measure some groups, show the rows and name the left out."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from flows.console import progress
from rhapsody_lib.progress import reporter
from tests.benchmarks.table import Row, show

Bench = TypeVar("Bench")


def found_in(modules: Mapping[str, str]) -> Callable[[str], Callable[[Any], list[Row]]]:
    """Finds the function that measures a group, by the group's name.

    Args:
        modules: the module of each group, where a function has the group's name. They are imported when they are asked
            for, for some need libraries that others do not.
    """

    def group(name: str) -> Callable[[Any], list[Row]]:
        found: Callable[[Any], list[Row]] = getattr(import_module(f"tests.benchmarks.{modules[name]}"), name)
        return found

    return group


def measure(
    stage: str,
    options: argparse.Namespace,
    make_bench: Callable[[Path], Bench],
    group: Callable[[str], Callable[[Bench], list[Row]]],
    *,
    keep: Path | None,
) -> Bench:
    """Measure the groups of `options.only`, one after another, and print their rows; the bench they were measured with.

    Args:
        stage: what is measured.
        options: of the command line, with `only` and `json`.
        make_bench: makes the bench, given the folder to work in.
        group: finds the function of a group.
        keep: the folder to work in; None: a scratch folder.
    """
    rows: list[Row] = []
    scratch = nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory()
    with scratch as folder, progress():
        bench = make_bench(Path(folder))
        told = reporter(f"{stage} benchmark")
        for number, name in enumerate(options.only):
            told(number, len(options.only), name)
            rows += group(name)(bench)
        told(len(options.only), len(options.only), "done")
    show(rows, as_json=options.json)
    return bench


def name_left_out(reasons: Sequence[str]) -> None:
    """Say what was not measured and why, each reason once."""
    for reason in dict.fromkeys(reasons):
        print(f"Left out: {reason}.", file=sys.stderr)
