"""What the rows of the backing benchmark hold a target against."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from rhapsody_lib.backing.controls import CONTROLS
from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.operations.backing_figures import GENERATED, HALVES
from tests.benchmarks import backing_reading
from tests.benchmarks.backing_judged import distances
from tests.benchmarks.backing_writing import speeds

HOSTILE = (sys.executable, str(Path(__file__).parents[1] / "corpus" / "hostile_child.py"))


def _figures(ours: float, halves: float, controls: list[float]) -> SimpleNamespace:
    return SimpleNamespace(overall={GENERATED: ours, HALVES: halves, **dict(zip(CONTROLS, controls, strict=True))})


def test_the_distance_has_a_target_with_and_without_a_control() -> None:
    many = [4.0 + number for number in range(len(CONTROLS) - 1)]
    rows = distances("distance", _figures(2.0, 1.5, [1.0, *many]))  # type: ignore[arg-type]
    (target,) = (row for row in rows if row.target)
    assert (target.ratio, target.met) == (0.5, True)
    (nearest,) = (row for row in rows if "nearest of all" in row.what)
    assert nearest.ratio == 2.0
    (target,) = (row for row in distances("distance", _figures(2.0, 50.0, [1.0, *many])) if row.target)  # type: ignore[arg-type]
    assert target.met is False


def test_the_target_is_on_what_is_sampled_and_what_is_kept_stands_beside_it() -> None:
    rows = speeds(128, {"kept": 60.0, "sampled": 480.0, "events": 90.0}, 100.0)
    assert [(row.ratio, row.met) for row in rows] == [(4.8, False), (0.9, None), (0.6, None)]
    assert "sampled/s, all" in rows[0].what and "kept/s, one candidate" in rows[2].what


def test_a_bad_file_that_takes_too_much_memory_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backing_reading, "Sandbox", partial(Sandbox, command=HOSTILE))
    paths = [tmp_path / name for name in ("refuse", "eat 600 MB")]
    every, slowest, _ = backing_reading._refusals("bad files", "midi", paths)
    assert "1 memory" in every.what
    assert (every.ours, every.peer, every.met) == (1, 2, False)
    assert slowest.met


def test_the_time_of_loading_is_no_files_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def outcome(_: object, job: Job) -> str:
        asked.append(job.name)
        return found[job.name]

    found = {"bad": "bad_midi", "good": "used", "other": "used"}
    monkeypatch.setattr(backing_reading, "outcome", outcome)
    backing_reading._refusals("bad files", "midi", [Path(name) for name in found])
    assert asked == ["bad", "good", "bad", "good", "other"]
