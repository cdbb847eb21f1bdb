"""Whatever the weights, a composed song keeps the plan, the ranges and the primer's facts."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rhapsody_lib
from rhapsody_lib.backing.context import COLUMNS
from rhapsody_lib.backing.copying import MelodyIndex, melody_copying, melody_onsets
from rhapsody_lib.backing.decoder import compose_backing
from rhapsody_lib.backing.finishing import CRASHES, gaps
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.primer import ENDING_BARS, INTRO_BARS, Primer, primer_facts
from rhapsody_lib.backing.primer_part import MOST_BARS, MOST_NOTES
from rhapsody_lib.backing.ranking import read_bar
from rhapsody_lib.backing.rules import CADENCE_ROOTS
from rhapsody_lib.backing.vocabulary import METRES, Vocabulary
from rhapsody_lib.corpus.songbook import read_song
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.plan import PlannedSection, SongPlan
from rhapsody_lib.music.score import PART_RANGES, PARTS, TICKS_PER_BEAT, Metre, Note, Score, Tempo
from rhapsody_lib.words.document import Lyrics, LyricSection

sys.path.insert(0, str(Path(__file__).parent))
from strategies import scores

SONGBOOK = Path(rhapsody_lib.__file__).parent / "songbook"
VOCABULARY = Vocabulary(("ballad", "rock", "waltz"))


def random_model(seed: int = 0, hidden: int = 12, embedding: int = 8) -> BackingModel:
    """A network that was never trained."""
    random, size = np.random.default_rng(seed), len(VOCABULARY)
    shapes = {
        "embedding.weight": (COLUMNS * size, embedding),
        "gru.weight_ih_l0": (3 * hidden, embedding),
        "gru.weight_hh_l0": (3 * hidden, hidden),
        "gru.bias_ih_l0": (3 * hidden,),
        "gru.bias_hh_l0": (3 * hidden,),
        "output.weight": (size, hidden + embedding),
        "output.bias": (size,),
    }
    tensors = {name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["output.bias"][VOCABULARY.span("bar")] += 3  # short bars: quick tests
    return BackingModel(VOCABULARY, tensors)


MODEL = random_model()


@lru_cache
def ballad() -> Score:
    return read_songbook_track(read_song(SONGBOOK / "ballad" / "bread-for-the-road.txt"))


def plan_in(metre: tuple[int, int]) -> SongPlan:
    verse, chorus = (9, 8, 10, 8), (6, 6)
    return SongPlan(
        metre,
        (
            PlannedSection("intro", "instrumental intro", 2),
            PlannedSection("verse 1", "verse", 8, verse),
            PlannedSection("chorus", "chorus", 2, chorus),
            PlannedSection("verse 2", "verse", 8, verse),
            PlannedSection("chorus", "chorus", 2, chorus),
            PlannedSection("ending", "instrumental ending", 2),
        ),
    )


def section_notes(score: Score, plan: SongPlan, index: int) -> dict[str, list[tuple[int, int, int]]]:
    start = sum(section.bars for section in plan.sections[:index]) * plan.bar_ticks
    end = start + plan.sections[index].bars * plan.bar_ticks
    return {
        part: [(n.start_ticks - start, n.pitch, n.velocity) for n in notes if start <= n.start_ticks < end]
        for part, notes in score.parts.items()
    }


def sung(notes: dict[str, list[tuple[int, int, int]]]) -> list[tuple[int, int]]:
    return [(start, pitch) for start, pitch, _ in notes["melody"]]


def accompaniment(notes: dict[str, list[tuple[int, int, int]]], before: int) -> dict[str, list[tuple[int, int]]]:
    """Onsets and pitches before a tick without the crash that the last chorus may open with."""
    return {
        part: [
            (start, pitch)
            for start, pitch, _ in found
            if start < before and ((part, start) != ("drums", 0) or pitch not in CRASHES)
        ]
        for part, found in notes.items()
    }


def check_song(score: Score, plan: SongPlan) -> None:
    end = plan.bars * plan.bar_ticks
    assert gaps(score.parts, plan.bar_ticks, end) == []
    before = score.chord_at(end - plan.bar_ticks - 1)
    assert before is not None and (before.root - score.key.tonic) % 12 in CADENCE_ROOTS[score.key.mode]
    for part in PARTS:
        low, high = PART_RANGES[part]
        sounding: Counter[int] = Counter()
        one_voice = part in {"melody", "bass"}
        for note in score.parts[part]:
            assert low <= note.pitch <= high
            voice = 0 if one_voice else note.pitch
            assert note.start_ticks >= sounding[voice]
            sounding[voice] = note.end_ticks
        assert max(sounding.values(), default=0) <= plan.bars * plan.bar_ticks
    for line in plan.lines():
        begin, end = line.start_bar * plan.bar_ticks, (line.start_bar + line.bars) * plan.bar_ticks
        assert any(begin <= note.start_ticks < end for note in score.parts["melody"]), line
    last = [
        n for p in PARTS if p != "drums" for n in score.parts[p] if n.start_ticks >= (plan.bars - 1) * plan.bar_ticks
    ]
    triad = {
        score.key.tonic,
        (score.key.tonic + (4 if score.key.mode == "major" else 3)) % 12,
        (score.key.tonic + 7) % 12,
    }
    assert {note.pitch % 12 for note in last} <= triad
    assert min(last, key=lambda note: note.pitch).pitch % 12 == score.key.tonic
    assert score.chords[-1].symbol.root == score.key.tonic
    assert [section.name for section in score.sections] == [section.name for section in plan.sections]
    assert score.sections[-1].end_ticks == plan.bars * plan.bar_ticks


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(METRES), st.integers(0, 11), st.sampled_from(("major", "minor")))
def test_every_song_keeps_its_plan(seed: int, metre: tuple[int, int], tonic: int, mode: str) -> None:
    plan, key = plan_in(metre), Key(tonic, mode)  # type: ignore[arg-type]
    score = compose_backing(random_model(seed % 5), plan, key=key, seed=seed, temperature=1.5)
    assert score.key == key
    check_song(score, plan)
    for first, again in ((1, 3), (2, 4)):
        before, after = section_notes(score, plan, first), section_notes(score, plan, again)
        assert sung(before) == sung(after)
        line = plan.sections[first].bars_per_line * plan.bar_ticks
        earlier, later = accompaniment(before, line), accompaniment(after, line)
        joining = {} if earlier["strings"] else {"strings": later["strings"]}  # strings may join, all else returns
        assert {**earlier, **joining} == later
    slowing = [tempo.bpm for tempo in score.tempi]
    assert slowing == sorted(slowing, reverse=True)
    assert score.tempi[-1].start_ticks == (plan.bars - 1) * plan.bar_ticks
    assert slowing[-1] < slowing[0] == score.tempo_bpm
    assert all(tempo.start_ticks >= (plan.bars - 2) * plan.bar_ticks for tempo in score.tempi[1:])
    chorus, last = section_notes(score, plan, 2), section_notes(score, plan, 4)
    assert all(a[2] <= b[2] for a, b in zip(chorus["melody"], last["melody"], strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_a_song_may_close_on_a_line_of_one_bar(seed: int) -> None:
    plan = SongPlan((4, 4), (PlannedSection("verse 1", "verse", 4, (6, 5, 6, 5)),))
    score = compose_backing(random_model(seed), plan, seed=seed, temperature=1.5)
    assert [note.start_ticks for note in score.parts["melody"] if note.start_ticks >= 3 * plan.bar_ticks]
    last = [n for p in PARTS for n in score.parts[p] if n.start_ticks >= 3 * plan.bar_ticks and p != "drums"]
    assert {note.pitch % 12 for note in last} <= {0, 4, 7}


@settings(max_examples=10, deadline=None)
@given(scores())
def test_any_primer_is_used_or_refused_with_a_reason(primer: Score) -> None:
    try:
        facts = primer_facts(primer)
    except InputError as error:
        assert "cannot prime the music" in str(error)
        return
    plan = plan_in(facts.metre)
    score = compose_backing(MODEL, plan, primer, seed=1)
    check_song(score, plan)
    assert score.tempo_bpm == facts.tempo_bpm
    opened = compose_backing(MODEL, plan, primer, seed=1, with_primer=True)
    end = plan.bars * plan.bar_ticks
    assert gaps(opened.parts, plan.bar_ticks, end) == []
    for part, (low, high) in PART_RANGES.items():
        assert all(low <= note.pitch <= high and note.end_ticks <= end for note in opened.parts[part])


def test_primer_carries_over_unless_overridden() -> None:
    plan = plan_in((4, 4))
    score = compose_backing(MODEL, plan, ballad(), seed=5)
    assert (score.key, score.tempo_bpm, score.style) == (ballad().key, ballad().tempo_bpm, "ballad")
    assert score.programs == ballad().programs
    assert compose_backing(MODEL, plan, ballad(), seed=5) == score
    assert compose_backing(MODEL, plan, ballad(), seed=6).parts != score.parts
    other = compose_backing(MODEL, plan, ballad(), key=Key(1, "minor"), tempo_bpm=77.5, seed=5)
    assert (other.key.name, other.tempo_bpm) == ("C# minor", 77.5)
    check_song(other, plan)


def test_song_opens_with_the_primers_own_bars() -> None:
    plan, primer = plan_in((4, 4)), ballad()
    score = compose_backing(MODEL, plan, primer, with_primer=True, key=primer.key.transposed(2), seed=1)
    check_song(score, plan)
    end = 2 * plan.bar_ticks
    for part in PARTS:
        own = [(n.start_ticks, n.velocity) for n in primer.parts[part] if n.start_ticks < end]
        heard = [(n.start_ticks, n.velocity) for n in score.parts[part] if n.start_ticks < end]
        assert heard == own
    pitches = [n.pitch - 2 for n in score.parts["piano"] if n.start_ticks < end]
    assert pitches == [n.pitch for n in primer.parts["piano"] if n.start_ticks < end]


def _score(**parts: tuple[Note, ...]) -> Score:
    silent: dict[str, tuple[Note, ...]] = dict.fromkeys(PARTS, ())
    return Score("Odd one", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, 4, 4),), silent | parts)


def _each_bar_in_another_metre() -> Score:
    """Twelve bars in 3/4 and 4/4 in turn, a note on each beat."""
    starts = [bar // 2 * 7 + bar % 2 * 3 for bar in range(12)]
    metres = tuple(Metre(start * TICKS_PER_BEAT, 3 + bar % 2, 4) for bar, start in enumerate(starts))
    notes = tuple(Note(beat * TICKS_PER_BEAT, 60, TICKS_PER_BEAT, 80) for beat in range(42))
    return replace(_score(piano=notes), metres=metres)


@pytest.mark.parametrize(
    ("primer", "reason"),
    [
        (_score(), "it has no notes"),
        (_score(drums=(Note(0, 36, 10, 90), Note(9999, 36, 10, 90))), "it has only drums"),
        (_score(piano=(Note(0, 60, TICKS_PER_BEAT, 90),)), "fewer than 2 bars"),
        (replace(_score(piano=(Note(0, 60, 9999, 90),)), metres=(Metre(0, 11, 8),)), "it is in 11/8"),
        (_each_bar_in_another_metre(), r"its metre changes so often that no 2 bars beside each other are in 3/4\."),
    ],
)
def test_unusable_primers_are_refused(primer: Score, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        primer_facts(primer)
    with pytest.raises(InputError, match="'Odd one' cannot prime the music"):
        compose_backing(MODEL, plan_in((4, 4)), primer)


def test_a_primer_of_any_size_is_cut_or_refused() -> None:
    notes = tuple(Note(beat * 480, 60, 480, 80) for beat in range(4 * (MOST_BARS + 100)))
    assert len(Primer.of(VOCABULARY, _score(piano=notes)).song.bars) == MOST_BARS
    far = _score(piano=(*notes[:64], Note(2**31, 60, 480, 80)))
    assert len(Primer.of(VOCABULARY, far).song.bars) == 16
    with pytest.raises(InputError, match="it has more than"):
        primer_facts(_score(piano=notes[:1] * (MOST_NOTES + 1)))


def test_a_piano_primer_gets_the_parts_it_lacks() -> None:
    notes = tuple(Note(beat * 480, 60 + (0, 4, 7, 5)[beat % 4], 480, 80) for beat in range(32))
    plan = plan_in((4, 4))
    score = compose_backing(MODEL, plan, _score(piano=notes), seed=2)
    check_song(score, plan)
    bars = [read_bar(VOCABULARY, bar) for bar in Primer.of(VOCABULARY, _score(piano=notes)).bars_for("verse")]
    for part in PARTS[1:]:
        assert any(bar.notes[part] for bar in bars), part


def model_of(*parts: str, free: bool) -> BackingModel:
    """A network to which other parts are nothing, and music that names no style too if it has read none."""
    model = random_model()
    unknown = [VOCABULARY.span(part) for part in set(PARTS) - set(parts)]
    unknown += [] if free else [slice(VOCABULARY.style(""), VOCABULARY.style("") + 1)]
    for span in unknown:
        model._embedding[span.start : span.stop] = 0.0
    return model


def test_a_network_is_primed_with_the_parts_it_knows() -> None:
    """A pianist's free playing goes on as it is where the network has read such, and gets no band that it has not."""
    free = tuple(
        Note(at, 60 + at % 7, 300, 80) for at in sorted({beat * 480 + beat * beat % 13 * 40 for beat in range(64)})
    )
    tune = tuple(Note(beat * 480, 72 + beat % 5, 400, 90) for beat in range(64))
    primer = _score(piano=free, melody=tune)
    pianist = model_of("melody", "piano", free=True)
    assert pianist.parts == {"melody", "piano"}
    assert pianist.knows_free_playing
    assert not model_of("melody", "piano", free=False).knows_free_playing
    kept = Primer.of(VOCABULARY, primer, pianist.parts, keeps_free=True)
    assert {part for bar in kept.song.bars for part in PARTS if read_bar(VOCABULARY, bar).notes[part]} == pianist.parts
    struck = [n for bar in kept.song.bars for n in read_bar(VOCABULARY, bar).notes["piano"]]
    assert len(struck) == len(free)
    band = Primer.of(VOCABULARY, primer)
    assert {part for bar in band.song.bars for part in PARTS if read_bar(VOCABULARY, bar).notes[part]} == set(PARTS)
    plan = plan_in((4, 4))
    score = compose_backing(pianist, plan, primer, seed=1)
    check_song(score, plan)
    last = [n for n in score.parts["piano"] if n.start_ticks >= (plan.bars - 1) * plan.bar_ticks]
    assert last
    assert not any(
        n.start_ticks >= (plan.bars - 1) * plan.bar_ticks for p in ("guitar", "bass") for n in score.parts[p]
    )


def test_a_section_is_primed_by_its_like_and_the_ends_by_the_ends() -> None:
    primer = Primer.of(VOCABULARY, ballad())
    names = [section.name for section in ballad().sections]
    assert "verse 2" in names
    assert primer.bars_for("verse") != primer.bars_again("verse") != []
    assert primer.bars_again("tag") == []
    unnamed = Primer.of(VOCABULARY, replace(ballad(), sections=()))
    assert unnamed.bars_for("ending") == list(unnamed.song.bars[-ENDING_BARS:])
    assert unnamed.bars_for("intro") == list(unnamed.song.bars[:INTRO_BARS])


@pytest.mark.parametrize(
    "silent", [("piano", "guitar", "bass", "strings"), ("drums", "piano", "guitar", "bass", "strings")]
)
def test_a_primer_of_a_known_style_without_accompaniment_gets_one(silent: tuple[str, ...]) -> None:
    primer = replace(ballad(), parts={**ballad().parts, **dict.fromkeys(silent, ())})
    plan = plan_in((4, 4))
    score = compose_backing(MODEL, plan, primer, with_primer=True, seed=1)
    check_song(score, plan)
    assert score.style == "ballad"
    opening = plan.sections[0].bars * plan.bar_ticks
    assert any(note.start_ticks < opening for part in ("piano", "guitar", "bass") for note in score.parts[part])


def test_a_primers_break_primes_the_songs_and_nobody_sings_in_it() -> None:
    notes = {
        part: tuple(note for note in found if part != "melody" or not 16 <= note.start_ticks // 1920 < 24)
        for part, found in ballad().parts.items()
    }
    primer = replace(ballad(), parts=notes, sections=())
    facts = primer_facts(primer)
    assert facts.unsung.break_bars == 8
    words = Lyrics("", tuple(LyricSection(name, ("oh hold the line",) * 2) for name in ("verse", "chorus", "bridge")))
    plan = facts.plan(words)
    assert [section.name for section in plan.sections] == ["intro", "verse", "chorus", "interlude", "bridge", "ending"]
    heard = Primer.of(VOCABULARY, primer)
    assert heard.bars_for("interlude") == list(heard.song.bars[16:24])
    song = compose_backing(MODEL, plan, primer, seed=3)
    played = section_notes(song, plan, 3)
    assert not played["melody"]
    assert any(played[part] for part in ("piano", "guitar", "bass", "strings"))


def test_an_opening_without_accompaniment_is_the_first_bars() -> None:
    primer = Primer.of(VOCABULARY, ballad())
    silent = {part: () if part != "melody" else notes for part, notes in primer.played.parts.items()}
    assert replace(primer, played=replace(primer.played, parts=silent)).opening_bars(3) == [0, 1, 2]


def test_metres_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="planned in 3/4"):
        compose_backing(MODEL, plan_in((3, 4)), ballad())
    with pytest.raises(InputError, match="cannot be written"):
        compose_backing(MODEL, plan_in((7, 4)))
    with pytest.raises(InputError, match="has no primer"):
        compose_backing(MODEL, plan_in((4, 4)), with_primer=True)
    alone = SongPlan((4, 4), plan_in((4, 4)).sections[:1])
    with pytest.raises(InputError, match="one section, which closes it"):
        compose_backing(MODEL, alone, ballad(), with_primer=True)


def test_generation_loads_no_torch() -> None:
    import subprocess

    code = "import sys, rhapsody_lib.backing.decoder; sys.exit(any(m in sys.modules for m in ('torch', 'tensorflow')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_candidates_that_copy_a_melody_are_dropped() -> None:
    plan = SongPlan((4, 4), (PlannedSection("verse 1", "verse", 16, (9, 8, 10, 8, 12, 11, 12, 11)),))
    score = compose_backing(MODEL, plan, ballad(), seed=5)
    learnt = MelodyIndex.build([melody_onsets(score)], [])
    assert melody_copying(score, learnt, ballad()).longest_run > learnt.limit + 4
    other = compose_backing(MODEL, plan, ballad(), seed=5, melodies=learnt)
    # Runs over the seams of sections, and of phrases that return, are guarded in the whole song alone.
    assert melody_copying(other, learnt, ballad()).longest_run <= learnt.limit + 4
    # What copies nothing is written as it would have been.
    nothing = MelodyIndex.build([], [])
    assert compose_backing(MODEL, plan, ballad(), seed=5, melodies=nothing) == score
