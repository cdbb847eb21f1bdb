"""The page and its tables hold what was measured, and nothing else decides their bytes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.metrics import Distance
from rhapsody_lib.operations.lyrics_figures import GENERATED, HELDOUT, LOOPED, LyricsFigures, WrittenSong
from rhapsody_lib.operations.lyrics_page import (
    COPYING_HEAD,
    copying_rows,
    distance_head,
    distance_rows,
    footnotes,
    json_text,
    page_folder,
    perplexity_rows,
    write_page,
)

SHARED = {"longest_run_median": 4.0, "longest_run_max": 5.0, "shared_share_mean": 0.125, "new_pairs": 0.5}
FIGURES = LyricsFigures(
    corpus={
        "train_songs": 1200,
        "train_tokens": 9,
        "heldout_songs": 3,
        "heldout_tokens": 70,
        "measured_songs": 2,
        "measured_tokens": 60,
        "5gram_tokens": 9,
        "vocabulary": 50,
    },
    heldout={
        "heldout_perplexity": 90.0,
        "heldout_perplexity_with_cache": 60.0,
        "heldout_perplexity_5gram": 100.0,
        "bits_per_word": 8.5,
        "bits_per_word_with_cache": 8.0,
        "bits_per_word_5gram": 9.0,
        "heldout_perplexity_bilstm_seed": 110.0,
    },
    text={
        GENERATED: {"distinct_1": Distance(0.5, 0.6, -1.0, 1.25), "longest_loop": Distance(0, 2, -0.5, 0.5)},
        LOOPED: {"distinct_1": Distance(0.1, 0.6, -5.0, 5.0), "longest_loop": Distance(60, 2, 20, 20)},
    },
    overall={GENERATED: 0.875, LOOPED: 12.5},
    copying={GENERATED: SHARED, HELDOUT: {"new_pairs": 0.6}},
    songs=[WrittenSong("the sky", 0, "The Sky", "[verse 1]\nthe sky\n")],
)


def test_the_tables() -> None:
    assert perplexity_rows(FIGURES)[0] == ("network alone", "90.0", "0.900", "8.500")
    assert [row[2] for row in perplexity_rows(FIGURES)] == ["0.900", "0.600", "1.000", "1.100"]
    assert distance_head(FIGURES)[2:] == (GENERATED, LOOPED)
    assert distance_rows(FIGURES)[0] == ("distinct 1", "0.6", "0.5 (1.25)", "0.1 (5.00)")
    assert distance_rows(FIGURES)[-1][2:] == ("0.88", "12.50")
    assert all(len(row) == len(distance_head(FIGURES)) for row in distance_rows(FIGURES))
    assert len(COPYING_HEAD) == len(copying_rows(FIGURES)[0])
    assert copying_rows(FIGURES) == [(GENERATED, "4", "5", "12.5%", "50.0%")]


def test_where_the_5gram_has_read_less_it_is_told() -> None:
    def name(figures: LyricsFigures) -> str:
        return perplexity_rows(figures)[2][0]

    assert name(FIGURES) == "modified Kneser-Ney 5-gram"
    assert name(replace(FIGURES, from_base=True)).endswith("(has not read the base model's verse)")
    fewer = replace(FIGURES, corpus={**FIGURES.corpus, "train_tokens": 5000}, from_base=True)
    assert name(fewer).endswith("verse; made from 9 of 5,000 tokens)")


def test_it_is_told_what_the_perplexities_are_of() -> None:
    told = " ".join(footnotes(FIGURES))
    assert "2 held-out songs (60 tokens)" in told
    assert "bilstm-seed" in told
    without = {name: value for name, value in FIGURES.heldout.items() if "bilstm" not in name}
    assert "bilstm-seed" not in " ".join(footnotes(replace(FIGURES, heldout=without)))


def test_a_figure_that_is_no_number_ends_in_one_error(tmp_path: Path) -> None:
    broken = replace(FIGURES, heldout={**FIGURES.heldout, "heldout_perplexity": float("nan")})
    with pytest.raises(InputError, match="no finite number"):
        write_page(broken, tmp_path)
    assert not list(tmp_path.iterdir())
    assert json.loads(json_text(FIGURES.to_json()))["overall"] == FIGURES.overall


def _written(figures: LyricsFigures, folder: Path) -> list[Path]:
    with page_folder(folder):
        return write_page(figures, folder)


def test_the_same_figures_are_the_same_files(tmp_path: Path) -> None:
    first, second = (_written(FIGURES, tmp_path / name) for name in ("a", "b"))
    assert {path.name for path in first} == {
        "distances.png", "distances.svg", "figures.json", "lyrics.md", "songs.md"
    }  # fmt: skip
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    page = (tmp_path / "a" / "lyrics.md").read_text(encoding="utf-8")
    assert "| network alone | 90.0 | 0.900 | 8.500 |" in page
    assert "1,200 songs" in page
    assert "seed 0" in (tmp_path / "a" / "songs.md").read_text(encoding="utf-8")
    told = json.loads((tmp_path / "a" / "figures.json").read_text(encoding="utf-8"))
    assert told["text"][LOOPED]["longest_loop"]["wasserstein"] == 20
    assert b"longest loop" in (tmp_path / "a" / "distances.svg").read_bytes()


def test_a_page_of_other_figures_is_another(tmp_path: Path) -> None:
    other = replace(FIGURES, overall={GENERATED: 1.0, LOOPED: 2.0})
    pages = [_written(of, tmp_path / str(index))[-1].read_text() for index, of in enumerate((FIGURES, other))]
    assert pages[0] != pages[1]


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out"), page_folder(tmp_path / "file" / "below"):
        raise AssertionError("it was measured")


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "mine", tmp_path / "mine" / "new" / "page"):
        with pytest.raises(RuntimeError), page_folder(folder):
            assert folder.is_dir()
            raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
    with pytest.raises(RuntimeError), page_folder(tmp_path / "kept"):
        (tmp_path / "kept" / "lyrics.md").write_text("half a page")
        raise RuntimeError
    assert (tmp_path / "kept" / "lyrics.md").is_file()
