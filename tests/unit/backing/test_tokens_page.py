"""docs/tokens.md says what the vocabulary is."""

from __future__ import annotations

from pathlib import Path

import rhapsody_lib
from rhapsody_lib.backing.tokens import decode, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.parts import family
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Syllable, Tempo, TimedChord

PAGE = (Path(rhapsody_lib.__file__).parent.parent / "docs" / "tokens.md").read_text(encoding="utf-8")
VOCABULARY = Vocabulary(())


def _score() -> Score:
    parts = dict.fromkeys(PARTS, ()) | {
        "melody": (Note(0, 67, 480, 90), Note(480, 71, 960, 90)),
        "bass": (Note(0, 43, 1440, 80),),
        "drums": (Note(0, 36, 120, 90), Note(960, 38, 120, 40)),
    }
    words = (Syllable(0, "la", True, 0), Syllable(480, "la", True, 0))
    chords, sections = (TimedChord(0, parse_chord("G")),), (Section("verse 1", 0, 1440),)
    return Score("", Key(7, "major"), (Tempo(0, 96.0),), (Metre(0, 3, 4),), parts, chords, sections, words)


def test_every_family_is_listed_with_its_size_and_ends() -> None:
    for name, size in VOCABULARY.sizes.items():
        members = VOCABULARY.names[VOCABULARY.span(name)]
        assert f"| {name} | {size} | {members[0]} | {members[-1]} |" in PAGE


def test_the_example_is_what_the_encoder_tells() -> None:
    song = encode(VOCABULARY, _score())
    assert "\n".join(song.told(VOCABULARY)) in PAGE
    assert decode(VOCABULARY, song.ids, Key(7, "major")).parts["melody"][1] == Note(480, 71, 960, 84)


def test_the_table_of_programs_is_the_rule() -> None:
    ranges = [row.split("|") for row in PAGE.splitlines() if row.startswith("|") and row.rstrip().endswith(" |")]
    told = {int(number): cells[2].strip() for cells in ranges for number in _programs(cells[1])}
    assert {number: part if part in PARTS else None for number, part in told.items()} == {
        number: family(number) for number in range(128)
    }


def _programs(cell: str) -> list[int]:
    """Program numbers of a cell such as `0-7 pianos, 108 kalimba`, none of another table's."""
    found: list[int] = []
    for item in cell.replace(";", ",").split(","):
        first, _, last = item.strip().partition(" ")[0].partition("-")
        if first.isdigit():
            found += range(int(first), int(last or first) + 1)
    return found
