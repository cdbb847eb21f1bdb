from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.errors import InputError, MissingExtraError
from rhapsody_lib.operations.requests import check_out, check_request
from rhapsody_lib.song import render


def test_a_place_that_can_be_written_comes_back_untouched(tmp_path: Path) -> None:
    assert check_out(tmp_path / "song", audio=False) == tmp_path / "song"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_out(tmp_path / "file" / "song", audio=False)


def test_only_a_song_with_audio_needs_what_renders_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "is_installed", lambda name: False)
    check_out(tmp_path / "song", audio=False)
    with pytest.raises(MissingExtraError, match="tinysoundfont"):
        check_out(tmp_path / "song", audio=True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"form": "verse chorale"}, "'chorale', which is no section"),
        ({"form": "verse " * 20, "lines_per_section": 8}, "160 lines; at most 120"),
        ({"syllables_per_line": 8, "words_per_line": 6}, "give one of them"),
        ({"syllables_per_line": 40}, "syllables_per_line: input should be less than or equal to 16"),
        ({"lines_per_section": 1}, "lines_per_section: input should be greater than or equal to 2"),
    ],
)
def test_a_form_that_cannot_be_written_is_refused_at_once(asked: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_request(prompt="the sky", **asked)
