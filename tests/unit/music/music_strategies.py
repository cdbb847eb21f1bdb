"""Hypothesis strategies for small scores and lead sheets."""

from __future__ import annotations

from hypothesis import strategies as st

from rhapsody_lib.music.chords import QUALITIES, ChordSymbol, Key
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.parts import skyline, without_overlaps
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Syllable, Tempo, TimedChord

keys = st.builds(Key, st.integers(0, 11), st.sampled_from(["major", "minor"]))
chords = st.builds(ChordSymbol, st.integers(0, 11), st.sampled_from(sorted(QUALITIES)), st.integers(0, 11))
metres = st.builds(Metre, st.just(0), st.integers(1, 15), st.sampled_from([2, 4, 8, 16]))
words = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=6)


def notes(low: int = 0, high: int = 127, latest: int = 8000) -> st.SearchStrategy[tuple[Note, ...]]:
    note = st.builds(Note, st.integers(0, latest), st.integers(low, high), st.integers(1, 2500), st.integers(1, 127))
    return st.lists(note, max_size=12).map(without_overlaps)


def _rising(times: list[int]) -> list[int]:
    return sorted(set(times) | {0})


@st.composite
def scores(draw: st.DrawFn) -> Score:
    ticks = st.lists(st.integers(1, 9000), max_size=4).map(_rising)
    bpms = st.integers(1600, 40000).map(lambda value: value / 100)
    changes = draw(ticks)
    bpm = draw(st.lists(bpms, min_size=len(changes), max_size=len(changes), unique=True))
    metre_changes = draw(ticks)
    pairs = draw(
        st.lists(
            st.tuples(st.integers(1, 32), st.sampled_from([2, 4, 8, 16])),
            min_size=len(metre_changes),
            max_size=len(metre_changes),
            unique=True,
        )
    )
    edges = draw(ticks)
    names = st.sampled_from(["intro", "verse 1", "chorus", "bridge", "ending"])
    spots = sorted(draw(st.lists(st.integers(0, 9000), max_size=8)))
    line = 0
    sung = []
    for spot in spots:
        line += draw(st.integers(0, 2)) if sung else 0
        sung.append(Syllable(spot, draw(words), draw(st.booleans()), line))
    parts = {part: draw(notes(35 if part == "drums" else 0, 81 if part == "drums" else 127)) for part in PARTS}
    parts["melody"] = without_overlaps([*parts["melody"], Note(0, 60, 10, 64)])
    return Score(
        title=draw(words),
        key=draw(keys),
        tempi=tuple(Tempo(t, b) for t, b in zip(changes, bpm, strict=True)),
        metres=tuple(Metre(t, n, d) for t, (n, d) in zip(metre_changes, pairs, strict=True)),
        parts=parts,
        chords=tuple(TimedChord(t, draw(chords)) for t in draw(ticks)),
        sections=tuple(Section(draw(names), a, b) for a, b in zip(edges, [*edges[1:], edges[-1] + 500], strict=True)),
        syllables=tuple(sung),
        programs={part: draw(st.integers(0, 127)) for part in PARTS},
        style=draw(st.sampled_from(["folk", "rock", ""])),
    )


@st.composite
def lead_sheets(
    draw: st.DrawFn, styles: tuple[str, ...] = ("pop", "swing", "blues", "lullaby", "unknown")
) -> LeadSheet:
    metre = draw(metres)
    bars = draw(st.integers(1, 9))
    end = bars * metre.bar_ticks
    found = sorted(set(draw(st.lists(st.integers(0, end - 1), max_size=6))))
    split = draw(st.integers(0, bars)) * metre.bar_ticks
    sections = (Section("verse 1", 0, split), Section("chorus", split, end)) if 0 < split < end else ()
    return LeadSheet(
        title=draw(words),
        style=draw(st.sampled_from(styles)),
        key=draw(keys),
        tempo_bpm=draw(st.floats(40, 220)),
        metres=(metre,),
        melody=skyline(draw(notes(latest=end - 1))),
        chords=tuple(TimedChord(t, draw(chords)) for t in found),
        sections=sections,
        syllables=(),
        end_ticks=end,
    )
