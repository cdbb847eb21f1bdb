from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.retrieval.halves import song_halves
from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.words.document import parse_lyrics

STANZAS = st.lists(st.lists(st.sampled_from(["a b", "A, b!", "c d", "e", "f g h", "..."]), min_size=1), min_size=1)


@given(STANZAS)
def test_halves_share_no_line_and_keep_all_others(stanzas):
    lyrics = parse_lyrics("\n\n".join("\n".join(lines) for lines in stanzas))
    different = {tuple(words_of(line)) for line in lyrics.lines} - {()}
    halves = song_halves(lyrics)
    if len(different) < 2:
        assert halves is None
        return
    first, second = ({tuple(words_of(line)) for line in half.lines} for half in halves)
    assert not first & second
    assert first | second == different
    assert len(first) == len(different) // 2


def test_the_cut_may_fall_inside_a_section():
    first, second = song_halves(parse_lyrics("[verse 1]\none\n\n[chorus]\ntwo\nthree\nfour\n\n[outro]\nfive"))
    assert [(section.name, section.lines) for section in first.sections] == [
        ("verse 1", ("one",)),
        ("chorus", ("two",)),
    ]
    assert second.lines == ("three", "four", "five")


def test_a_song_of_one_line_is_cut_between_words():
    first, second = song_halves(parse_lyrics("the river runs down and the boats come home"))
    assert first.lines + second.lines == ("the river runs down", "and the boats come home")
    assert song_halves(parse_lyrics("too short to cut")) is None
    assert song_halves(parse_lyrics("")) is None
