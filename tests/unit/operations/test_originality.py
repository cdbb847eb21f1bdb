"""A song whose delivered melody copies is written anew; where every draft copies, the least of them is kept."""

from __future__ import annotations

import numpy as np
import pytest

from rhapsody_lib.backing.copying import MelodyIndex, melody_onsets
from rhapsody_lib.music.chords import Key, parse_chord
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Tempo, TimedChord
from rhapsody_lib.operations.originality import MOST_DRAFTS, write_original
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.words.document import parse_lyrics

WORDS = parse_lyrics("[verse 1]\nthe sky is blue above the town\nand no one wants to come on down\n")
SEED = 3


def _song(number: int, same: int = 0) -> Score:
    """Sixteen notes for the sixteen syllables, of which the first are the same in all songs."""
    pitches = [
        *np.random.default_rng(0).integers(55, 75, size=same),
        *np.random.default_rng(number).integers(55, 75, 16),
    ]
    melody = tuple(
        Note(place * 240 + 960 * (place // 8), int(pitch), 240, 80) for place, pitch in enumerate(pitches[:16])
    )
    parts = dict.fromkeys(PARTS, ()) | {"melody": melody}
    sections = (Section("verse 1", 0, 4 * 1920),)
    chords = (TimedChord(0, parse_chord("C")),)
    return Score("", Key(0, "major"), (Tempo(0, 100.0),), (Metre(0, 4, 4),), parts, chords, sections)


def _index(score: Score) -> MelodyIndex:
    return MelodyIndex.build([melody_onsets(fit_words(WORDS, score))], [])


def test_the_first_draft_that_copies_nothing_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    drafts = [_song(1), _song(2), _song(3)]
    asked: list[int] = []

    def write(seed: int) -> Score:
        asked.append(seed)
        return drafts[len(asked) - 1]

    score, found = write_original(write, SEED, lyrics=WORDS, melodies=_index(drafts[0]), primer=None)
    assert score is drafts[1]
    assert found.longest_run <= found.limit
    assert asked[0] == SEED != asked[1]
    assert not caplog.records


def test_the_primer_is_not_copied_either() -> None:
    drafts = [_song(1), _song(2)]
    primer = fit_words(WORDS, drafts[0])
    score, found = write_original(
        lambda seed: drafts[seed != SEED], SEED, lyrics=WORDS, melodies=MelodyIndex.build([], []), primer=primer
    )
    assert score is drafts[1]
    assert found.primer_run <= found.limit


def test_where_all_copy_the_least_is_kept_and_told(caplog: pytest.LogCaptureFixture) -> None:
    learnt, drafts = _song(1, same=16), [_song(number, same) for number, same in ((5, 15), (6, 12), (7, 14), (8, 16))]
    made = iter(drafts)
    score, found = write_original(lambda _: next(made), SEED, lyrics=WORDS, melodies=_index(learnt), primer=None)
    assert len(drafts) == MOST_DRAFTS
    assert score is drafts[1]
    assert found.longest_run > found.limit
    assert f"shares {found.longest_run} notes in a row" in caplog.text
