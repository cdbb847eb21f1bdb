"""Filters leave songs out before the match, change no number, and say which of them leaves nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rhapsody_lib.errors import InputError
from rhapsody_lib.retrieval.filters import MatchFilters

SONGS = pa.table(
    {
        "track_id": ["t1", "t2", None, "t4"],
        "language": ["en", "en", "de", None],
        "genres": [["Folk", "Waltz"], ["rock"], ["folk"], None],
        "tempo_bpm": [92.0, 140.0, None, 60.0],
        "key": ["G major", "E minor", None, "G major"],
        "licence": ["CC0-1.0", "public domain", None, "CC0"],
        "has_melody": [True, False, False, True],
    }
)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (MatchFilters(), [0, 1, 2, 3]),
        (MatchFilters(language="EN"), [0, 1]),
        (MatchFilters(style="folk"), [0, 2]),
        (MatchFilters(tempo_bpm=(60, 92)), [0, 3]),
        (MatchFilters(key="g major"), [0, 3]),
        (MatchFilters(licence="cc0"), [0, 3]),
        (MatchFilters(key="G major", language="en", style="waltz"), [0]),
        (MatchFilters(melody=True), [0, 3]),
    ],
)
def test_what_passes(filters: MatchFilters, expected: list[int]) -> None:
    assert filters.passing(SONGS).nonzero()[0].tolist() == expected


def test_nothing_that_passes_is_an_error_that_counts() -> None:
    with pytest.raises(
        InputError, match=r"of 4 songs language en leaves 2, tempo 55 to 65 leaves 1\. Leave out"
    ) as told:
        MatchFilters(language="en", tempo_bpm=(55, 65)).passing(SONGS)
    assert "there is" not in str(told.value)
    with pytest.raises(InputError, match=r"style polka leaves 0.*Of styles there is: Folk, Waltz, folk, rock\."):
        MatchFilters(style="polka").passing(SONGS)
    with pytest.raises(InputError, match=r"No song has a licence\."):
        MatchFilters(licence="CC").passing(SONGS.set_column(5, "licence", pa.array([None] * 4, pa.string())))


def test_a_style_that_no_song_has_is_called_one() -> None:
    genres = pa.array([[], []], pa.list_(pa.string()))
    songs = SONGS.slice(0, 2).set_column(SONGS.schema.get_field_index("genres"), "genres", genres)
    with pytest.raises(InputError, match=r"No song has a style\."):
        MatchFilters(style="polka").passing(songs)


def test_of_many_styles_the_others_are_counted() -> None:
    for count, told in ((20, r"s18, s19\.$"), (23, r"s18, s19 and 3 more\.$")):
        genres = pa.array([[f"s{number:02d}" for number in range(count)]], pa.list_(pa.string()))
        songs = SONGS.slice(0, 1).set_column(SONGS.schema.get_field_index("genres"), "genres", genres)
        with pytest.raises(InputError, match=rf"Of styles there is: s00, .*{told}"):
            MatchFilters(style="polka").passing(songs)


def test_of_each_filter_that_leaves_nothing_is_told_what_there_is() -> None:
    with pytest.raises(
        InputError,
        match=r"one of them\. Of languages there is: de, en\. Of keys there is: E minor, G major\. "
        r"Of licences there is: CC0, CC0-1\.0, public domain\.$",
    ):
        MatchFilters(language="fr", style="folk", key="C major", licence="GPL").passing(SONGS)
    with pytest.raises(InputError, match=r"Of tempos there is: 60\.0 to 140\.0 quarter notes a minute\.$"):
        MatchFilters(tempo_bpm=(10, 20), melody=True).passing(SONGS)
    with pytest.raises(InputError, match=r"No song has a tempo\.$"):
        MatchFilters(tempo_bpm=(10, 20)).passing(SONGS.slice(2, 1))


def test_of_many_keys_twelve_are_named() -> None:
    songs = pa.table({"key": [f"{letter} {mode}" for letter in "ABCDEFG" for mode in ("major", "minor")]})
    with pytest.raises(InputError, match=r"Of keys there is: A major, .*, F minor and 2 more\.$"):
        MatchFilters(key="C# major").passing(songs)
