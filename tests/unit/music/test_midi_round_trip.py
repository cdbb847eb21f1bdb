from __future__ import annotations

import io

import mido
import pretty_midi
import symusic
from hypothesis import given, settings

from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.midi import midi_to_score, score_to_midi
from rhapsody_lib.music.midi_writer import tables_to_midi
from rhapsody_lib.music.note_tables import ScoreTables
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Syllable, Tempo
from tests.unit.music.music_strategies import scores


def small_score(**changes: object) -> Score:
    parts = {part: (Note(0, 60 + i, 240, 80), Note(480, 62 + i, 480, 81)) for i, part in enumerate(PARTS)}
    parts["drums"] = (Note(0, 36, 120, 90),)
    values: dict[str, object] = {
        "title": "Fête",
        "key": Key(10, "minor"),
        "tempi": (Tempo(0, 97.0), Tempo(960, 180.5)),
        "metres": (Metre(0, 6, 8), Metre(1440, 4, 4)),
        "parts": parts,
        "syllables": (Syllable(0, "cœur", True, 0), Syllable(480, "愛", False, 1)),
    }
    return Score(**{**values, **changes})  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(scores())
def test_own_files_come_back_exactly(score: Score) -> None:
    assert midi_to_score(score_to_midi(score), "own.mid") == score
    assert midi_to_score(score_to_midi(score, writer="symusic"), "own.mid") == score


@given(scores())
@settings(max_examples=25)
def test_tables_are_written_as_their_scores_are(score: Score) -> None:
    data = tables_to_midi(ScoreTables.of(score))
    assert data == score_to_midi(score, writer="symusic") and midi_to_score(data, "x.mid") == score


def test_same_score_same_bytes() -> None:
    assert score_to_midi(small_score()) == score_to_midi(small_score())


def test_programs_of_silent_parts_survive() -> None:
    score = small_score()
    silent = Score(
        **{**vars(score), "parts": {**score.parts, "guitar": ()}, "programs": {**score.programs, "guitar": 29}}
    )
    assert midi_to_score(score_to_midi(silent), "x").programs["guitar"] == 29


@given(scores())
@settings(max_examples=25)
def test_mido_writes_the_conductor_track_just_so(score: Score) -> None:
    data = score_to_midi(score, writer="symusic")
    file, stream = mido.MidiFile(file=io.BytesIO(data), charset="utf-8"), io.BytesIO()
    file.tracks[:] = file.tracks[:1]
    file.save(file=stream)
    assert data[14:].startswith(stream.getvalue()[14:])


def test_mido_reads_lyrics_as_karaoke_custom() -> None:
    file = mido.MidiFile(file=io.BytesIO(score_to_midi(small_score())), charset="utf-8")
    lyrics = [message.text for track in file.tracks for message in track if message.type == "lyrics"]
    assert lyrics == ["cœur ", "\r愛"]
    assert [track.name for track in file.tracks[1:]] == list(PARTS)


def test_words_can_be_left_out() -> None:
    file = mido.MidiFile(file=io.BytesIO(score_to_midi(small_score(), lyrics="none")))
    assert not [message for track in file.tracks for message in track if message.type == "lyrics"]


def test_pretty_midi_and_symusic_read_the_same_notes() -> None:
    score = small_score()
    data = score_to_midi(score)
    pretty = pretty_midi.PrettyMIDI(io.BytesIO(data))
    assert {i.name: len(i.notes) for i in pretty.instruments} == {part: len(score.parts[part]) for part in PARTS}
    assert next(i for i in pretty.instruments if i.name == "drums").is_drum
    times, bpms = pretty.get_tempo_changes()
    assert [round(float(bpm), 1) for bpm in bpms] == [97.0, 180.5]
    assert abs(float(times[1]) - score.seconds_at(960)) < 1e-4
    assert symusic.Score.from_midi(data).note_num() == sum(map(len, score.parts.values()))
