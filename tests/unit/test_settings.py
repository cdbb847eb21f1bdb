"""Settings are frozen, know their names, and come from profiles."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rhapsody_lib.errors import InputError
from rhapsody_lib.settings import LyricsSettings, SongSettings, explain, load_settings, profile_names


def test_every_profile_loads():
    assert profile_names() == ["fast", "full"]
    for name in profile_names():
        assert load_settings(name).lyrics.max_epochs >= 1


def test_changes_are_typed_and_local():
    base = load_settings("fast")
    changed = load_settings("fast", ["lyrics.max_epochs=3", "encoder.model=some/model", "corpus.heldout_share=0.2"])
    assert changed.lyrics.max_epochs == 3
    assert changed.encoder.model == "some/model"
    assert changed.corpus.heldout_share == 0.2
    assert changed.backing == base.backing


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("lyrics.epochs=3", "lyrics.epochs"),
        ("lyrics.max_epochs=0", "max_epochs"),
        ("nonsense", "nonsense"),
        ("=3", "=3"),
    ],
)
def test_a_wrong_change_names_itself(change, named):
    with pytest.raises(InputError, match=named):
        load_settings("fast", [change])


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(InputError, match="fast, full"):
        load_settings("fastest")


def test_a_profile_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[lyrics]\nmax_epochs = 2\n")
    assert load_settings(str(path)).lyrics.max_epochs == 2
    path.write_text("[lyrics\n")
    with pytest.raises(InputError, match=r"mine\.toml: is not valid TOML"):
        load_settings(str(path))


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        LyricsSettings().max_epochs = 5  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        SongSettings(prompt="x", tempo=120)  # type: ignore[call-arg]


def test_complaints_are_told_without_pydantic_s_own_words():
    with pytest.raises(ValidationError) as caught:
        SongSettings(prompt="x", syllables_per_line=8, words_per_line=5)
    assert explain(caught.value).startswith("settings: lines are measured by syllables_per_line or by words_per_line")
