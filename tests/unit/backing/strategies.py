"""Small random scores for the tests of stage 3."""

from __future__ import annotations

from hypothesis import strategies as st

from rhapsody_lib.backing.vocabulary import METRES
from rhapsody_lib.music.chords import QUALITIES, ChordSymbol, Key
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Syllable, Tempo, TimedChord

_TICKS = st.integers(0, 480 * 4 * 6)
_notes = st.lists(
    st.builds(Note, _TICKS, st.integers(0, 127), st.integers(1, 480 * 9), st.integers(1, 127)), max_size=12
)
_keys = st.builds(Key, st.integers(0, 11), st.sampled_from(("major", "minor")))
_symbols = st.builds(ChordSymbol, st.integers(0, 11), st.sampled_from(sorted(QUALITIES)), st.integers(0, 11))
_sections = st.sampled_from(("intro", "verse 1", "verse 2", "chorus", "pre-chorus", "solo", "ending"))


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Any score of up to six bars in known metres, in the styles `rock` and `waltz`."""
    metres = draw(st.lists(st.tuples(_TICKS, st.sampled_from(METRES)), max_size=3, unique_by=lambda item: item[0]))
    tempi = draw(st.lists(st.tuples(_TICKS, st.floats(30, 260)), max_size=3, unique_by=lambda item: item[0]))
    first = draw(st.sampled_from(METRES))
    return Score(
        "A title",
        draw(_keys),
        (Tempo(0, 100.0), *(Tempo(ticks, bpm) for ticks, bpm in sorted(tempi) if ticks)),
        (Metre(0, *first), *(Metre(ticks, *metre) for ticks, metre in sorted(metres) if ticks)),
        {part: tuple(sorted(draw(_notes))) for part in PARTS},
        tuple(
            TimedChord(ticks, symbol)
            for ticks, symbol in sorted(draw(st.dictionaries(_TICKS, _symbols, max_size=4)).items())
        ),
        tuple(
            Section(name, ticks, ticks + 1)
            for ticks, name in sorted(draw(st.dictionaries(_TICKS, _sections, max_size=4)).items())
        ),
        tuple(
            Syllable(ticks, "la", True, line) for line, ticks in enumerate(sorted(draw(st.lists(_TICKS, max_size=4))))
        ),
        {part: draw(st.integers(0, 127)) for part in PARTS},
        draw(st.sampled_from(("rock", "waltz"))),
    )
