"""Encoding keeps what `quantise` says it keeps."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

import rhapsody_lib
from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.tokens import decode, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.corpus.songbook import read_song, songbook_files
from rhapsody_lib.corpus.songbook_reader import read_songbook_track
from rhapsody_lib.errors import DamagedArtifactError, InputError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.score import PARTS, Metre, Score, Tempo

sys.path.insert(0, str(Path(__file__).parent))
from tests.unit.backing.strategies import scores

VOCABULARY = Vocabulary(("rock", "waltz"))


@settings(max_examples=80, deadline=None)
@given(scores())
def test_decode_inverts_encode_up_to_the_grid(score: Score) -> None:
    grid = quantise(score)
    assert quantise(grid) == grid
    assert decode(VOCABULARY, encode(VOCABULARY, score).ids, score.key, score.title) == grid


def test_songbook_scores_come_back_and_are_short() -> None:
    notes = tokens = 0
    for path in list(songbook_files(Path(rhapsody_lib.__file__).parent / "songbook"))[::23]:
        score = read_songbook_track(read_song(path))
        vocabulary = Vocabulary((score.style,))
        ids = encode(vocabulary, score).ids
        assert decode(vocabulary, ids, score.key, score.title) == quantise(score), path.name
        notes, tokens = notes + sum(map(len, score.parts.values())), tokens + len(ids)
    assert tokens / notes < 2.0


def test_unknown_metre_is_refused() -> None:
    score = Score(
        "Odd",
        Key(0, "major"),
        (Tempo(0, 90.0),),
        (Metre(0, 11, 8),),
        dict.fromkeys(PARTS, ()),
        programs=dict.fromkeys(PARTS, 0),
    )
    with pytest.raises(InputError, match="metre 11/8"):
        encode(VOCABULARY, score)


def test_vocabulary_is_readable_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    VOCABULARY.save(path)
    assert Vocabulary.load(path) == VOCABULARY
    names = json.loads(path.read_text())["tokens"]
    for name in (
        "Bar_1",
        "Position_12",
        "Chord_F#m7",
        "Piano_60",
        "Duration_6",
        "Velocity_5",
        "Section_chorus",
        "Metre_3/4",
    ):
        assert name in names
    assert len(set(names)) == len(names)
    path.write_text(path.read_text().replace("Piano_60", "Piano_6000"))
    with pytest.raises(DamagedArtifactError, match="Train again"):
        Vocabulary.load(path)
    path.write_text("[]")
    with pytest.raises(DamagedArtifactError, match="not a vocabulary"):
        Vocabulary.load(path)
