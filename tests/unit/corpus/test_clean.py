from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.clean import broken_line, clean_lyrics, sung_words
from rhapsody_lib.corpus.songbook import read_song, songbook_files
from rhapsody_lib.corpus.songbook_reader import song_lyrics
from rhapsody_lib.corpus.sources import EMBEDDED_FOLDER
from rhapsody_lib.words.document import parse_lyrics


@pytest.mark.parametrize(
    "noise",
    [
        "******* This Lyrics is NOT for Commercial use *******\n(1409617829201)",
        "Written by: Ann Lee / Bob Ray",
        "Words and music by Ann Lee",
        "Copyright 1999 Some Publisher",
        "Am  G/B  C  Fmaj7",
        "| C | G7 | Am |",
        "[Guitar solo]",
        "(instrumental)",
        "Find more at https://lyrics.example.com/x?y=1",
        "© 2004 Nobody",
        "-----",
        "\x00\x1b\x07",
        "(Guitar solo)",
        "(repeat chorus and fade out)",
        "(Music plays)",
        "(Spoken by Mrs. Hilson.)",
        "(Music by Balfe.)",
        "[Solo: somebody on an old guitar]",
        "Writer(s): Ann Lee",
        "Thanks to jeff for these lyrics",
        "12Embed",
        "You might also like",
    ],
)
def test_noise_lines_go_and_the_song_stays(noise: str) -> None:
    cleaned = clean_lyrics(f"The sea is wide\nThe boat is small\n{noise}\n")
    body = [line for line in cleaned.splitlines() if not line.startswith("Find more")]
    assert body == ["[verse 1]", "The sea is wide", "The boat is small"]
    assert "http" not in cleaned


@pytest.mark.parametrize(
    "line",
    [
        "Am I alone",
        "Written by the moonlight on the sand",
        "A",
        "Music by the river",
        "Bad for me",
        "Chorus of angels",
        "(Fade into you tonight)",
        "(End of the road, end of the road)",
        "(End of the line)",
        "(Music makes me lose control)",
        "(Music by the river)",
        "(Repeat after me, I love you)",
        "(Solo flight across the sea)",
        "I know you might also like the rain",
        "You might also like the rain",
        "A splinter we embed",
        "Thanks to you for the days",
    ],
)
def test_sung_lines_that_look_like_noise_stay(line: str) -> None:
    assert line in clean_lyrics(f"The sea is wide\n{line}\nThe boat is small")


def test_repeats_are_written_out() -> None:
    assert clean_lyrics("Row the boat (x3)\nHome").splitlines()[1:] == ["Row the boat"] * 3 + ["Home"]
    assert clean_lyrics("Row the boat x99").count("Row") == 8
    assert "Phoenix2" in clean_lyrics("We love Phoenix2")


def test_headings_that_stand_alone_bring_their_section_back() -> None:
    cleaned = clean_lyrics(
        "[Verse 1: Ann]\nOne line here\n\nChorus:\nSing it again\n\nVerse 2:\nTwo lines\n\n(Repeat chorus)\n"
    )
    assert cleaned == (
        "[verse 1]\nOne line here\n\n[chorus]\nSing it again\n\n[verse 2]\nTwo lines\n\n[chorus]\nSing it again\n"
    )


def test_markup_and_entities_become_text() -> None:
    assert (
        clean_lyrics("Rock &amp;amp; roll<br/>all <b>night</b>\r\nlong") == "[verse 1]\nRock & roll\nall night\nlong\n"
    )


@pytest.mark.parametrize("line", ["Chorus: Sing it loud", "[Chorus] Sing it loud", "[Chorus: Ann]: Sing it loud"])
def test_words_after_a_heading_on_its_line_stay(line: str) -> None:
    assert clean_lyrics(line) == "[chorus]\nSing it loud\n"


def test_a_mark_of_repeats_after_a_heading_is_not_sung() -> None:
    assert clean_lyrics("[Chorus: All] x2\nSing it loud") == "[chorus]\nSing it loud\n"


TWO_LINES = "[verse 1]\nThe sea is wide\nThe boat is small\n"


@pytest.mark.parametrize(
    "text",
    [
        "[ti:The Sea]\n[00:10.30]The sea is wide\n[00:12.00][01:12.00] The boat is small",
        "[00:10]<00:10.50>The <00:11.00>sea is wide\n[00:12]The boat is small",
        "1\n00:00:10,300 --> 00:00:12,000\nThe sea is wide\n\n2\n00:00:12,000 --> 00:00:14,000\nThe boat is small\n",
        "3 ContributorsThe Sea Lyrics[Verse 1]\nThe sea is wide\nThe boat is smallYou might also like12Embed",
        "The sea is wide\nThe boat is smallEmbedShare URLCopyEmbedCopy",
        "[The sea is wide](https://example.com/1/2)\nThe boat is small",
        "The sea is wide\\nThe boat is small",
        "The sea is wide<br>\nThe boat is small<br />\n",
    ],
)
def test_what_sites_and_files_put_around_words_goes(text: str) -> None:
    assert clean_lyrics(text) == TWO_LINES


def test_a_sites_words_between_two_sections_cost_no_line() -> None:
    cleaned = clean_lyrics("[Verse]\nThe sea is wideYou might also like[Chorus]\nRow the boat")
    assert cleaned == "[verse 1]\nThe sea is wide\n\n[chorus]\nRow the boat\n"


def test_slashes_are_breaks_of_a_text_without_any() -> None:
    assert clean_lyrics("One sea / two boats / three men / no shore").count("\n") == 5
    assert "his / her" in clean_lyrics("It was his / her boat")


def test_a_line_too_long_breaks_at_its_punctuation() -> None:
    line = (
        "one two three four, five six seven eight, nine ten eleven twelve, thirteen fourteen fifteen sixteen, seventeen"
    )
    pieces = broken_line(line)
    assert " ".join(pieces) == line
    assert max(len(piece.split()) for piece in pieces) <= 8


def test_songbook_lyrics_are_clean_already() -> None:
    for path in songbook_files(EMBEDDED_FOLDER):
        text = song_lyrics(read_song(path)).text()
        assert clean_lyrics(text) == text, path.name


@given(st.text(max_size=400))
def test_any_text_becomes_a_lyrics_document_without_control_characters(text: str) -> None:
    once = clean_lyrics(text)
    assert not any(ord(character) < 32 and character != "\n" for character in once)
    assert parse_lyrics(once).text() == once


def test_hostile_text_is_cleaned_in_bounded_time_and_size() -> None:
    assert len(clean_lyrics("[chorus]\nla\n" + "[chorus]\n\n" * 20_000)) < 100_000
    for text in (
        "<" * 100_000,
        "see a live " * 10_000,
        "Written by " + "A" * 50_000 + "!",
        "( " * 50_000,
        "x2 " * 30_000,
    ):
        clean_lyrics(text)


@pytest.mark.parametrize(
    "line",
    [
        "repeat chorus" + "!" * 100_000 + "a",
        "(repeat chorus x2" + " )" * 50_000 + "a",
        "repeat " + "the " * 25_000,
        "chorus" + ":" * 100_000 + "a",
        "chorus" + ")" * 100_000 + "a",
        "[chorus " + "1" * 100_000,
        "[" * 100_000 + "chorus",
        "*" * 50_000 + "solo" + "*" * 50_000 + "a",
        "(" * 50_000 + "1" * 50_000 + "!",
        "&" * 100_000,
        "&#" + "1" * 100_000 + ";",
        "&amp;#" + "0" * 100_000 + "65;",
        "&#x" + "f" * 100_000,
        "a" + "\u0301\u0316" * 50_000,
        "copyright " + "123 " * 25_000,
        "Lyrics" + " and" * 25_000 + " by:",
        "Written by" + " Ann," * 20_000 + "!",
        "1" * 50_000 + "!" * 50_000 + "a",
        "see " * 25_000 + "live",
        "see a live " * 9_000 + "embed",
        "a-" * 50_000 + ".com",
        "www." + "." * 100_000,
        "<a" * 50_000,
        "<a " + "b " * 50_000,
        "x" * 100_000 + " (x 2",
        "( x " * 25_000 + "x9",
        "A" * 100_000 + "/",
        "A/" * 50_000,
        "|" * 100_000 + "a",
        "[A" * 50_000,
        "1" * 100_000 + "Embed",
        "(spoken by A" + " b" * 50_000,
        "Embed " * 17_000,
        " " * 100_000 + "Embed:-->",
        "<br " * 25_000,
        "[a](/" * 20_000,
        "[0:00" * 20_000,
        "1\n" * 50_000 + "-->:",
        "a, " * 33_000,
        "it's'" * 20_000,
    ],
    ids=lambda line: ascii(line[:12]),
)
def test_a_long_run_of_anything_is_cleaned_within_a_second(line: str) -> None:
    began = time.process_time()
    sung_words(clean_lyrics(f"{line}\nThe river runs"))
    assert time.process_time() - began < 1


def test_references_and_marks_that_can_be_stay() -> None:
    assert clean_lyrics("&#0000065; caf&#233; a\u0316\u0301") == "[verse 1]\nA café á\u0316\n"
    assert clean_lyrics("[Chorus]\nla la\n\n(Repeat chorus) (x2)").count("la la") == 3


SUNG = "[verse 1]\nOne line here\n\nand one more\n\n[Chorus]\nSing it\n\nagain\n\n[verse 2]\nTwo lines\n\n"


@pytest.mark.parametrize(
    ("reference", "times"),
    [
        ("Repeat chorus", 1),
        ("Repeat chorus x2", 2),
        ("(Repeat Chorus 3x)", 3),
        ("[Back to the chorus (x 2)]", 2),
        ("Repeat chorus 4 times", 4),
        ("repeat chorus twice", 2),
        ("Repeat chorus x99", 8),
        ("[Chorus]", 1),
    ],
)
def test_a_section_that_is_referred_to_is_written_as_often_as_it_says(reference: str, times: int) -> None:
    cleaned = clean_lyrics(SUNG + reference)
    opening = "[verse 1]\nOne line here\nand one more\n\n[chorus]\nSing it\nagain\n\n[verse 2]\nTwo lines\n"
    assert cleaned == opening + "\n[chorus]\nSing it\nagain\n" * times


def test_stanzas_below_a_reference_are_their_own() -> None:
    cleaned = clean_lyrics(SUNG + "Repeat chorus\n\nThe end is near\n\nand it is here")
    assert cleaned.endswith("[chorus]\nSing it\nagain\n\n[verse 3]\nThe end is near\n\n[verse 4]\nand it is here\n")
    in_full = clean_lyrics(SUNG + "Repeat chorus:\nSing it\nagain")
    assert in_full.count("Sing it") == 2 and in_full.endswith("[chorus]\nSing it\nagain\n")


def test_a_section_that_returns_names_no_more_sections_than_there_were() -> None:
    cleaned = clean_lyrics("[verse 1]\nOne one\n\nTwo two\n\nThree three\n\n(Repeat verse 1)")
    assert [section.lines for section in parse_lyrics(cleaned).sections] == [
        ("One one",), ("Two two",), ("Three three",), ("One one",),
    ]  # fmt: skip


@pytest.mark.parametrize("heading", ["[Pre Chorus]", "Pre-Chorus:", "(prechorus)"])
def test_a_pre_chorus_is_one_however_it_is_written(heading: str) -> None:
    assert clean_lyrics(f"{heading}\nHere it comes") == "[pre-chorus]\nHere it comes\n"
    assert clean_lyrics("Post Chorus:\nHere it went") == "[refrain]\nHere it went\n"


def test_sung_words_leave_headings_out() -> None:
    assert sung_words("[chorus]\nDon’t stop\n") == ["don't", "stop"]
