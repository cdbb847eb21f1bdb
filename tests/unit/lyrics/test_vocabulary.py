from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.lyrics.vocabulary import AGAIN_ID, LINE_ID, MARKS, UNKNOWN_ID, Vocabulary, section_id
from rhapsody_lib.words.document import Lyrics, LyricSection, parse_lyrics


def read_back(vocabulary: Vocabulary, stream: list[int]) -> list[str]:
    """Lines of a stream in reading order."""
    lines: list[str] = []
    current: list[str] = []
    for token in stream:
        if token == LINE_ID:
            lines.append(" ".join(reversed(current)))
            current = []
        elif token >= len(MARKS):
            current.append(vocabulary.tokens[token])
    return lines


def test_a_song_is_marks_and_lines_from_their_ends() -> None:
    song = parse_lyrics("[verse 1]\nRed sky\n\n[chorus]\nOh moon\n\n[chorus]\nOh moon\n")
    vocabulary = Vocabulary.build([song], 1, 100)
    said = [vocabulary.tokens[token] for token in vocabulary.encode_song(song)]
    assert said == [
        "<song>", "<verse>", "sky", "red", "<line>", "<chorus>", "moon", "oh", "<line>", "<chorus>", "<again>", "<end>",
    ]  # fmt: skip


def test_words_are_sorted_by_count_then_spelling_and_rare_ones_are_unknown() -> None:
    song = parse_lyrics("b a b a c\nd c b")
    assert Vocabulary.build([song], 2, 100).words == ("b", "a", "c")
    assert Vocabulary.build([song], 1, len(MARKS) + 2).words == ("b", "a")
    assert Vocabulary.build([song], 2, 100).encode_line(["d", "b"]) == [len(MARKS), UNKNOWN_ID]


def test_a_section_that_returns_counts_once() -> None:
    song = parse_lyrics("[chorus]\nla\n\n[verse 1]\nred\n\n[chorus]\nla")
    assert Vocabulary.build([song], 2, 100).words == ()


def test_names_keep_their_capitals() -> None:
    song = parse_lyrics("The road to Dover\nAnd back to Dover with the band\nThe band")
    vocabulary = Vocabulary.build([song], 1, 100)
    assert vocabulary.names == {"dover"}
    assert vocabulary.write_line(["the", "dover", "band"]) == "The Dover band"


@pytest.mark.parametrize(("kind", "mark"), [("verse", "<verse>"), ("ending", "<outro>"), ("interlude", "<other>")])
def test_every_kind_of_section_has_a_mark(kind: str, mark: str) -> None:
    assert MARKS[section_id(kind)] == mark


WORDS = st.text(alphabet="abcdefgh", min_size=1, max_size=4)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=1, max_size=6))
def test_encoding_loses_no_word(lines: list[str]) -> None:
    song = Lyrics("", (LyricSection("verse 1", tuple(lines)),))
    vocabulary = Vocabulary.build([song], 1, 1000)
    assert read_back(vocabulary, vocabulary.encode_song(song).tolist()) == lines


def test_a_returning_section_needs_the_same_words() -> None:
    song = parse_lyrics("[chorus]\nla la\n\n[chorus]\nla lo")
    assert AGAIN_ID not in Vocabulary.build([song], 1, 100).encode_song(song)


def test_saved_and_loaded(tmp_path: Path) -> None:
    vocabulary = Vocabulary(("海", "don't", "dover"), frozenset({"dover"}))
    vocabulary.save(tmp_path / "v.json")
    assert Vocabulary.load(tmp_path / "v.json") == vocabulary


@pytest.mark.parametrize("text", ["", "[]", '{"marks": ["<a>"], "names": [], "words": []}', '{"words": 3}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "v.json").write_text(text)
    with pytest.raises(DamagedArtifactError, match=r"v\.json"):
        Vocabulary.load(tmp_path / "v.json")
