"""The page and its tables hold what was measured, and nothing else decides their bytes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from rhapsody_lib.backing.copying import MelodyCopying
from rhapsody_lib.distances import FigureDistance
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.backing_figures import (
    GENERATED,
    HALVES,
    HELDOUT,
    BackingFigures,
    WrittenMusic,
    music_distances,
    nearest_control,
)
from rhapsody_lib.operations.backing_page import (
    copying_rows,
    distance_head,
    distance_rows,
    footnotes,
    likelihood_rows,
    priming_rows,
    write_page,
)

NAN = math.nan


def _distance(mean: float, wasserstein: float) -> FigureDistance:
    return FigureDistance(mean, 0.75, 0.25, 0.0, wasserstein, 0.5)


SHARED = {"longest_run_median": 6.0, "longest_run_p95": 8.0, "longest_run_max": 9.0, "songs": 2.0, "limit": 8.0}
FIGURES = BackingFigures(
    corpus={"train_songs": 1200, "heldout_songs": 3},
    heldout={"nats_per_token": 1.0, "nats_per_token_5gram": 1.6, "nats_per_note": 2.0, "tokens": 5000, "notes": 2500},
    priming={
        "songs": 3, "own": 1.0, "others": 1.5, "others_bars": 1.25, "none": 1.75,
        "better_than_others": 1.0, "better_than_others_bars": 0.5, "better_than_none": 1.0,
    },
    music={
        GENERATED: {"polyphony": _distance(0.7, 0.5)},
        HALVES: {"polyphony": _distance(0.8, 0.25)},
        "random pitches": {"polyphony": _distance(2.0, 4.0)},
        "random onsets": {"polyphony": _distance(1.0, 2.0)},
        "snapped to eighths": {"polyphony": _distance(0.7, 0.125)},
    },
    overall={
        GENERATED: 0.5, HALVES: 0.25, "random pitches": 4.0, "random onsets": 2.0, "snapped to eighths": 0.125,
    },
    copying={GENERATED: {**SHARED, "primer_run_max": 5.0, "beyond_limit": 1.0}, HELDOUT: SHARED},
    samples={
        HELDOUT: [{"polyphony": value} for value in (0.5, 0.75, NAN, 1.0)],
        GENERATED: [{"polyphony": 0.7}],
        "random onsets": [{"polyphony": 1.0}, {"polyphony": 1.2}],
    },
    songs=[WrittenMusic("The Sky", "songbook/folk/a", 7, {"polyphony": NAN}, MelodyCopying(9, 5, 8, 240))],
)  # fmt: skip


def test_the_tables() -> None:
    assert [row[1:] for row in likelihood_rows(FIGURES)] == [("1.000", "0.625", "2.000"), ("1.600", "1.000", "")]
    assert [row[2] for row in priming_rows(FIGURES)] == ["", "100.0%", "50.0%", "100.0%"]
    rows = distance_rows(FIGURES)
    assert rows[0][:3] == ("polyphony", "0.75 ± 0.25", "0.7 (0.50; 50%)")
    assert rows[-1][2:] == ("0.50", "0.25", "4.00", "2.00", "0.12")
    assert all(len(row) == len(distance_head(FIGURES)) for row in rows)
    assert copying_rows(FIGURES) == [(GENERATED, "6", "8", "9"), (HELDOUT, "6", "8", "9")]
    assert priming_rows(replace(FIGURES, priming={"songs": 0})) == []


def test_a_control_nearer_than_real_music_is_none() -> None:
    assert nearest_control(FIGURES) == "random onsets"
    told = " ".join(footnotes(FIGURES))
    assert "random onsets, at 2.00. What was written is at 0.25 of that" in told
    assert "No control on these songs, for other real songs are farther: snapped to eighths." in told
    assert "1 of 2 written melodies" in told
    assert nearest_control(replace(FIGURES, overall={**FIGURES.overall, HALVES: 5.0})) == ""


def test_halves_of_the_held_out_songs_are_compared() -> None:
    samples = {HELDOUT: [{"x": value} for value in (1.0, 5.0, 3.0, 7.0)], "random onsets": [{"x": 4.0}]}
    found = music_distances(samples)
    assert found[HALVES]["x"].mean == 6.0
    assert found[HALVES]["x"].reference == 2.0
    assert found["random onsets"]["x"].reference == 4.0
    assert GENERATED not in found
    assert HALVES not in music_distances({HELDOUT: samples[HELDOUT][:2]})


def test_a_figure_that_is_no_number_ends_in_one_error(tmp_path: Path) -> None:
    broken = replace(FIGURES, heldout={**FIGURES.heldout, "nats_per_token": NAN})
    with pytest.raises(InputError, match="no finite number"):
        write_page(broken, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_same_figures_are_the_same_files(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    first, second = (write_page(FIGURES, folder) for folder in folders)
    assert {path.name for path in first} == {
        "backing.md", "distances.png", "distances.svg", "figures.json", "songs.md", "spreads.png", "spreads.svg"
    }  # fmt: skip
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    page = (tmp_path / "a" / "backing.md").read_text(encoding="utf-8")
    assert "| network | 1.000 | 0.625 | 2.000 |" in page
    assert "1,200 songs" in page
    assert "| The Sky | songbook/folk/a | 7 | 240 | 9 | 5 |" in (tmp_path / "a" / "songs.md").read_text(
        encoding="utf-8"
    )
    told = json.loads((tmp_path / "a" / "figures.json").read_text(encoding="utf-8"))
    assert told["songs"][0]["figures"]["polyphony"] is None
    assert told["overall"]["random onsets"] == 2.0
    assert b"polyphony" in (tmp_path / "a" / "spreads.svg").read_bytes()
