"""What counts as archaic, and old verse in the words of today."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.words.archaic import archaic_share, is_archaic, modern_lyrics, modernised
from rhapsody_lib.words.document import parse_lyrics


@pytest.mark.parametrize(
    "word", ["thee", "Thou", "hath", "'tis", "o'er", "ere", "goeth", "cometh", "lovest", "know'st", "withal", "alas"]
)
def test_words_that_died_out_are_archaic(word):
    assert is_archaic(word)


TODAY = """
    best forest honest harvest west sweetest loveliest tenderest emptiest happiest teeth twentieth elizabeth macbeth
    don't it's you'd you art list past ain't goin' rock'n'roll maiden brake yonder <line> 1,000 привет 🌊 o
"""


@pytest.mark.parametrize("word", sorted(TODAY.split()))
def test_words_of_today_are_not(word):
    assert not is_archaic(word)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Thou art the sun o'er mine eyes, and thine own heart", "You are the sun over my eyes, and your own heart"),
        ("'Tis said he cometh; she singeth", "It's said he comes; she sings"),
        (
            "O Lord, I lov'd thee ere I knew what wand'ring heav'n",
            "Oh Lord, I loved you before I knew what wandering heaven",
        ),
        ("Wilt thou be mine, and this heart be thine?", "Will you be mine, and this heart be yours?"),
        ("Thou hear’st the passing of ev’ry hour", "You hear the passing of every hour"),
        ("To-day methinks the tree’s art changeth", "Today I think the tree’s art changes"),
    ],
)
def test_old_verse_in_the_words_of_today(old, new):
    assert modernised(old) == new


@pytest.mark.parametrize(
    "line",
    [
        "I'd say he'd gone; don't, won't, life's o'clock",
        "The art of love, the best of the west",
        "Rock 'n' roll",
        "the chillest flow",
        "the livest life",
        "the flyest girl",
        "Jack o' lantern",
    ],
)
def test_lines_of_today_stay_as_they_are(line):
    assert modernised(line) == line


@given(st.text(max_size=80))
def test_any_line_is_modernised_without_failing_and_for_good(line):
    once = modernised(line)
    assert archaic_share([once]) <= archaic_share([line])
    assert line.count("\n") == once.count("\n")


def test_a_song_keeps_its_form():
    song = modern_lyrics(parse_lyrics("[verse 1]\nThou sleepest\n\n[chorus]\nHath it rained", "Rain"))
    assert [section.name for section in song.sections] == ["verse 1", "chorus"]
    assert song.lines == ("You sleep", "Has it rained")


def test_the_share_counts_words():
    assert archaic_share(["thou art here", "now"]) == 0.25
    assert archaic_share([]) == 0.0
