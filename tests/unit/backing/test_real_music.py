"""Real files of every kind become tokens and come back; bad ones are used as a primer or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.backing.primer import Primer
from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.tokens import decode, encode, midi_to_tokens
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import PARTS, Score
from tests.unit.backing.grammar_state import GrammarState

VOCABULARY = Vocabulary(())


def comes_back(score: Score) -> None:
    song, grid = encode(VOCABULARY, score), quantise(score)
    state = GrammarState(VOCABULARY)
    for token in song.ids:
        assert state.allowed()[token], VOCABULARY.names[token]
        state.advance(token)
    told = decode(VOCABULARY, song.ids, score.key, score.title)
    for part in PARTS:
        assert told.parts[part] == grid.parts[part]
    assert (told.metres, told.tempi, told.chords, told.sections) == (
        grid.metres,
        grid.tempi,
        grid.chords,
        grid.sections,
    )


def test_good_midi_comes_back(datasets: Path) -> None:
    paths = sorted((datasets / "good_midi").glob("*.mid")) + sorted((datasets / "mini_lpd").rglob("*.mid"))[::25]
    metres, tempi = set(), []
    for path in paths:
        score = midi_to_score(path.read_bytes(), path.name)
        comes_back(score)
        song = midi_to_tokens(VOCABULARY, path.read_bytes(), path.name)
        assert song == encode(VOCABULARY, score), path.name
        metres |= {(metre.numerator, metre.denominator) for metre in score.metres}
        tempi.append(len(score.tempi))
    assert {(3, 4), (4, 4), (6, 8), (9, 8), (3, 8)} <= metres
    assert max(tempi) > 10


def test_lead_sheets_come_back_through_the_arranger(datasets: Path) -> None:
    metres = set()
    for path in sorted((datasets / "openewld" / "songs").glob("*.mxl"))[::45]:
        track = parse_job(Job("primer", str(path), path.name)).track
        assert track is not None
        score = midi_to_score(track.midi, path.name)
        comes_back(score)
        metres.add(score.metres[0].numerator)
    assert len(metres) > 1


@pytest.mark.parametrize("folder", ["midi", "musicxml"])
def test_bad_files_prime_or_are_refused(datasets: Path, folder: str) -> None:
    used = 0
    paths = sorted(p for p in (datasets / "bad_inputs" / folder).iterdir() if not p.name.startswith("LICENSE"))
    for path in paths[::6]:
        try:
            track = parse_job(Job("primer", str(path), path.name)).track
            assert track is not None
            used += bool(Primer.of(VOCABULARY, midi_to_score(track.midi, path.name)).song.bars)
        except (UnreadableFileError, InputError) as error:
            assert len(str(error)) > 20, path.name
    assert used >= 5
