"""Where a base model is written to is looked at before it is trained, and what stands there is never mixed or lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.errors import InputError, StoreError
from rhapsody_lib.operations.base_backing import make_backing_base
from rhapsody_lib.operations.base_folder import check_out, copy_base
from rhapsody_lib.operations.base_model import make_base
from rhapsody_lib.settings import load_settings
from tests.trained import TINY

FILES = ("weights", "card.md")


def test_an_absent_an_empty_and_an_earlier_folder_are_taken_and_left_as_they_are(tmp_path: Path) -> None:
    check_out(tmp_path / "deep" / "base", FILES)
    assert not (tmp_path / "deep").exists()
    check_out(tmp_path, FILES)
    (tmp_path / "card.md").write_text("card")
    (tmp_path / ".weights.partial").write_text("of a killed run")
    check_out(tmp_path, FILES)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".weights.partial", "card.md"]


@pytest.mark.parametrize("make", [make_base, make_backing_base])
def test_what_cannot_be_written_is_told_before_anything_is_made(tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    store, settings = tmp_path / "store", load_settings(TINY)
    for out, reason in (
        (tmp_path / "full", r"holds files that are no base model's \(thesis.txt\)"),
        (tmp_path / "full" / "thesis.txt", "cannot be written"),
        (tmp_path / "full" / "thesis.txt" / "base", "cannot be written"),
        (tmp_path / "lost", "cannot be written"),
        (tmp_path / ("long" * 100), "cannot be written"),
    ):
        with pytest.raises(InputError, match=f"--out .*{reason}.*Name a"):
            make(str(store), settings, ["songbook"], out, "rhapsody base")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "lost"]
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_files_are_replaced_and_a_refusal_says_that_nothing_is_lost(tmp_path: Path) -> None:
    made, out = tmp_path / "made", tmp_path / "deep" / "out"
    made.mkdir()
    for name in FILES:
        (made / name).write_text("old")
    copy_base(made, out)
    (made / "card.md").write_text("new")
    copy_base(made, out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {"weights": "old", "card.md": "new"}
    with pytest.raises(StoreError, match="The base model is in the store"):
        copy_base(made, out / "card.md")
