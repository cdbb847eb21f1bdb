"""Lyrics with headings and without: where sections begin and end, and what they are called."""

from __future__ import annotations

import pytest

from rhapsody_lib.words.document import parse_lyrics, section_name


def _sections(text: str) -> list[str]:
    """`name: line line` of each section."""
    return [
        f"{section.name}: {' '.join(section.lines)}" for section in parse_lyrics(text.replace("/", "\n\n")).sections
    ]


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("[Chorus]\na/b", ["chorus: a b"]),
        ("[verse 1]/a/b/[verse 2]\nc", ["verse 1: a b", "verse 2: c"]),
        ("[Verse]\na/b/[Chorus]\nc/d/[Verse]\ne", ["verse 1: a b", "chorus: c d", "verse 2: e"]),
        ("[Chorus]\na/b/[Bridge]\nc/d", ["chorus: a b", "bridge: c d"]),
        ("Title/[verse 1]\na/b/[chorus]\nc", ["verse 2: Title", "verse 1: a b", "chorus: c"]),
        ("[verse 1]\na/[chorus]\nb/[Ann]\nc/d", ["verse 1: a", "chorus: b", "verse 2: c", "verse 3: d"]),
    ],
)
def test_a_section_goes_on_to_the_next_heading(text: str, sections: list[str]) -> None:
    assert _sections(text) == sections


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("a/b/c", ["verse 1: a", "verse 2: b", "verse 3: c"]),
        ("a/b/a", ["chorus: a", "verse 1: b", "chorus: a"]),
        ("[verse 1]\na/b/c/d", ["verse 1: a", "verse 2: b", "verse 3: c", "verse 4: d"]),
        ("a/[chorus]\nb/c/[chorus]\nb/d", ["verse 1: a", "chorus: b", "verse 2: c", "chorus: b", "verse 3: d"]),
        ("[chorus]\nb/c/[chorus]\nb/d", ["chorus: b", "verse 1: c", "chorus: b", "verse 2: d"]),
        ("a/[verse 2]\nb/c", ["verse 1: a", "verse 2: b", "verse 3: c"]),
    ],
)
def test_who_names_few_sections_has_the_other_stanzas_by_themselves(text: str, sections: list[str]) -> None:
    assert _sections(text) == sections


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Pre Chorus", "pre-chorus"),
        ("PRECHORUS 2", "pre-chorus 2"),
        ("pre-chorus: Ann", "pre-chorus"),
        ("Post-Chorus", "refrain"),
        ("post chorus", "refrain"),
        ("Hook", "chorus"),
        ("Verse 2: Bob", "verse 2"),
        ("Ann", None),
    ],
)
def test_what_sections_are_called(heading: str, name: str | None) -> None:
    assert section_name(heading) == name


def test_a_text_of_many_stanzas_is_read_in_time() -> None:
    text = "[verse 1]\n" + "a\n\n" * 100_000 + "[chorus]\nb"
    assert [len(section.lines) for section in parse_lyrics(text).sections] == [100_000, 1]
