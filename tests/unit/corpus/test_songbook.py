"""The songbook keeps its promises, and a file that breaks the format is told what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import rhapsody_lib
from rhapsody_lib.corpus.songbook import STYLES, check, main, read_song, songbook_files
from rhapsody_lib.errors import UnreadableFileError

SONGBOOK = Path(rhapsody_lib.__file__).parent / "songbook"
HEADER = "title: Rain\nstyle: folk\nmood: calm\nkey: G major\nmetre: 4/4\ntempo: 96\nform: verse 1, verse 2\n\n"
VERSE = (
    "[verse 1]\n| G | C | G | D |\nThe rain came down\nAll over town\n\n[verse 2]\nI had no hat\nAnd that was that\n"
)


def test_the_embedded_songbook_is_as_promised():
    assert check(SONGBOOK) == []  # format, no line in two songs
    songs = [read_song(path) for path in songbook_files(SONGBOOK)]
    assert len(songs) >= 200
    assert sum(song.words for song in songs) >= 30_000
    assert {song.style for song in songs} == set(STYLES)
    assert len({song.title for song in songs}) == len(songs)
    assert {song.metre for song in songs} == {(4, 4), (3, 4), (6, 8)}


def test_a_song_is_read_with_inherited_chords(tmp_path):
    path = tmp_path / "rain.txt"
    path.write_text(HEADER + VERSE)
    song = read_song(path)
    assert (song.title, song.tempo_bpm, song.key.name, song.intro_bars) == ("Rain", 96, "G major", 4)
    assert song.sections["verse 2"].bars == song.sections["verse 1"].bars
    assert song.sections["verse 2"].bars_per_line == 2
    assert song.words == 15


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: Rain\n", "", "lacks the header title"),
        ("style: folk", "style: polka", "style 'polka'"),
        ("metre: 4/4", "metre: 7/8", "metre '7/8'"),
        ("tempo: 96", "tempo: quick", "quick"),
        ("tempo: 96", "tempo: 9", "30 to 260"),
        ("| G | C | G | D |", "| G | X | G | D |", "'X' is not a chord symbol"),
        ("| G | C | G | D |", "| G | C | G |", "3 bars do not divide over 2 lines"),
        ("| G | C | G | D |\n", "", "has no chords"),
        ("[verse 2]", "[verse two]", "is not a section"),
        ("[verse 2]", "[verse 1]", "written twice"),
        ("form: verse 1, verse 2", "form: verse 1, chorus", "form and sections differ"),
        ("title: Rain", "no header here", "stands before the first section"),
    ],
)
def test_what_breaks_the_format_is_named(tmp_path, old, new, said):
    path = tmp_path / "rain.txt"
    path.write_text((HEADER + VERSE).replace(old, new, 1))
    with pytest.raises(UnreadableFileError, match=f"rain.txt.*{said}"):
        read_song(path)


def test_shared_lines_and_full_stops_are_found(tmp_path, capsys):
    for name, line in (("one", "The rain came down."), ("two", "the RAIN came down")):
        (tmp_path / f"{name}.txt").write_text((HEADER + VERSE).replace("The rain came down", line))
    problems = "\n".join(check(tmp_path))
    assert "line ends in punctuation" in problems
    assert "line also in one: the RAIN came down" in problems
    assert main(["check", str(tmp_path)]) == 1
    assert "problems" in capsys.readouterr().out
    assert main([]) == 2
