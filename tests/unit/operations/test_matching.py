"""What a songwriter asks of the matched song, and whether a match's music suits the words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rhapsody_lib.artifacts import Recipe, Store
from rhapsody_lib.errors import InputError
from rhapsody_lib.operations.agreement import Agreement, _compared, _same_mode, valence
from rhapsody_lib.operations.matching import check_filters, filters_of, tell_unsearched, tempo_range
from rhapsody_lib.operations.pipelines import make_song
from rhapsody_lib.operations.requests import check_request
from rhapsody_lib.release import live_release
from rhapsody_lib.settings import SongSettings
from tests.trained import Trained


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("90-120", (90, 120)), (" 90 - 120.5 ", (90, 120.5)), ("96", (95.5, 96.5)), ("90-", (90, 400))],
)
def test_tempo_ranges(text: str, expected: tuple[float, float] | None) -> None:
    assert tempo_range(text) == expected


@pytest.mark.parametrize("text", ["fast", "120-90", "-5", "90-120-150", "0-1000", "nan-100", "inf"])
def test_what_is_no_tempo_range_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--match-tempo"):
        tempo_range(text)


def test_a_request_names_filters_and_is_checked_before_any_work() -> None:
    request = check_request(prompt="the sky", match_key="Am", match_style="folk", match_tempo="80-100")
    found = filters_of(request)
    assert (found.key, found.style, found.tempo_bpm, found.melody) == ("A minor", "folk", (80, 100), False)
    assert filters_of(check_request(prompt="the sky", match_melody=True)).melody
    assert request.filters_match
    assert not check_request(prompt="the sky").filters_match
    with pytest.raises(InputError, match="--match-key"):
        check_request(prompt="the sky", match_key="H dur")


def test_filters_that_no_song_passes_are_refused_before_words_are_written(trained: Trained, tmp_path: Path) -> None:
    release = live_release(Store(trained.store))
    with pytest.raises(InputError, match=r"style polka leaves 0.*there is: .*waltz"):
        make_song(
            SimpleNamespace(), trained.store, release, SongSettings(prompt="the sky", match_style="polka"), tmp_path
        )
    check_filters(trained.store, release, SongSettings(prompt="the sky", match_style="waltz"))
    gone = replace(release, refs={})
    check_filters(trained.store, gone, SongSettings(prompt="the sky"))  # nothing is opened where nothing is asked for


@pytest.mark.parametrize(("searched", "told"), [(1200, "300 of 1,500 songs have no music and are not"), (1500, "")])
def test_songs_without_music_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, searched: int, told: str
) -> None:
    card = json.dumps({"songs": 1500, "songs_with_track": searched})
    store = Store(str(tmp_path))
    ref = store.build(Recipe("catalogue", 1, {}, {}), lambda out: bool((out / "catalogue.json").write_text(card)))
    release: Any = SimpleNamespace(refs={"catalogue": ref})
    caplog.clear()
    with caplog.at_level("INFO", "rhapsody_lib.operations.matching"):
        tell_unsearched(str(tmp_path), release)
        tell_unsearched(str(tmp_path), SimpleNamespace(refs={}))  # type: ignore[arg-type]
    assert len(caplog.messages) == bool(told)
    assert told in caplog.text


def test_valence() -> None:
    assert valence("Happy, happy and SAD") == pytest.approx(1 / 3)
    assert valence("the table") == 0


def test_matches_in_the_same_mode_are_told_from_a_shuffled_pairing() -> None:
    import numpy as np

    songs = [{"key": "G major" if row % 2 else "E minor"} for row in range(60)]
    rows = np.arange(60)
    found = _compared(rows, (rows + 2) % 60, songs, [0.0] * 60, _same_mode)
    assert isinstance(found, Agreement)
    assert (found.matched, found.pairs, found.told_apart) == (1.0, 60, True)
    assert found.shuffled == pytest.approx(0.5, abs=0.05)
    # Beside itself a song always agrees; no shuffling of three makes it so.
    three = _compared(np.arange(3), np.array([1, 2, 1]), [{"key": f"{n} m{n}"} for n in "abc"], [0.0] * 3, _same_mode)
    assert three is None
    chance = _compared(rows, (rows * 7 + 3) % 60, [{"key": None}] * 60, [0.0] * 60, _same_mode)
    assert chance is None
