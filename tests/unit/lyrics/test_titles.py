from __future__ import annotations

import pytest

from rhapsody_lib.lyrics.titles import hook_title, title_case
from rhapsody_lib.words.document import parse_lyrics


@pytest.mark.parametrize(
    ("chorus", "title"),
    [
        ("Hold on to me\nall through the long and winding night", "Hold On to Me"),
        ("I left my heart behind me in the back of the car", "The Back of the Car"),
        ("one two three four five six seven eight", "One Two Three Four Five Six"),
        ("Stay with me,\nStay with me now or go", "Stay With Me"),
        ("They took the name so I let it fly high", "They Took the Name"),
        ("The last bus out when I've seen the sea at all", "The Last Bus Out"),
        ("And I was told that you would come back some day", "I Was Told"),
        ("Goodnight, the boats are home, the bells are still", "The Boats Are Home"),
        ("somewhere between here and there is what we were", "Somewhere Between Here"),
        ("the place I come from", "The Place I Come From"),
        ("what I was dreaming of\nand all the rest of that long night", "What I Was Dreaming Of"),
        ("hold the line and\nand all the rest of that long night", "Hold the Line"),
    ],
)
def test_the_title_is_the_hook(chorus: str, title: str) -> None:
    assert hook_title(parse_lyrics(f"[verse 1]\nnothing\n\n[chorus]\n{chorus}\n")).lower() == title.lower()


def test_without_a_chorus_the_opening_gives_the_title() -> None:
    assert hook_title(parse_lyrics("[verse 1]\nmorning sun\nrises again over the hill today\n")) == "Morning Sun"


def test_an_opening_that_returns_in_the_chorus_is_the_hook() -> None:
    song = parse_lyrics("[verse 1]\nround and round we go\n\n[chorus]\noh yes\nround and round we go\n")
    assert hook_title(song, "round and round we go") == "Round and Round We Go"
    assert hook_title(song) == "Oh Yes"


def test_small_words_stay_small_inside() -> None:
    assert title_case(["the", "end", "of", "the"]) == "The End of The"
