from __future__ import annotations

import io
import re
import time
from pathlib import Path

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.errors import UnreadableFileError
from rhapsody_lib.music.midi import MidiLimits, midi_to_score
from rhapsody_lib.music.score import PART_RANGES, PARTS


def track(
    name: str,
    program: int,
    pitches: list[int],
    *,
    channel: int = 0,
    length: int = 240,
    events: tuple[mido.MetaMessage, ...] = (),
) -> mido.MidiTrack:
    messages = [mido.MetaMessage("track_name", name=name), *events]
    messages.append(mido.Message("program_change", program=program, channel=channel))
    for pitch in pitches:
        messages.append(mido.Message("note_on", note=pitch, velocity=80, channel=channel))
        messages.append(mido.Message("note_off", note=pitch, velocity=0, channel=channel, time=length))
    return mido.MidiTrack(messages)


def file_bytes(*tracks: mido.MidiTrack, tpq: int = 240, charset: str = "latin1") -> bytes:
    buffer = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=tpq, tracks=list(tracks), charset=charset).save(file=buffer)
    return buffer.getvalue()


TUNE = [60, 62, 64, 65, 67, 69, 71, 72]


def test_families_become_parts_and_ticks_are_rescaled() -> None:
    score = midi_to_score(
        file_bytes(
            track("Vocal", 52, TUNE),
            track("Kit", 0, [36, 38] * 4, channel=9),
            track("Organ", 18, TUNE, channel=1),
            track("Banjo", 105, TUNE, channel=2),
            track("Low", 33, [20, 24] * 4, channel=3),
            track("Trumpet", 56, TUNE, channel=4),
            track("Gun", 127, TUNE, channel=5),
        ),
        "x.mid",
    )
    assert {part: len(score.parts[part]) for part in PARTS} == dict.fromkeys(PARTS, 8)
    assert score.programs["guitar"] == 105 and score.programs["strings"] == 56 and score.programs["melody"] == 52
    assert score.parts["melody"][1].start_ticks == 480
    low, high = PART_RANGES["bass"]
    assert all(low <= note.pitch <= high for note in score.parts["bass"])


def test_melody_by_lyric_alignment() -> None:
    sung = mido.MidiTrack(
        [
            mido.MetaMessage("lyrics", text=text, time=0 if i == 0 else 240)
            for i, text in enumerate(["la ", "la ", "lo", "ve "] * 2)
        ]
    )
    score = midi_to_score(
        file_bytes(sung, track("a", 0, [48] * 24, length=80), track("b", 73, TUNE, channel=1)), "x.mid"
    )
    assert score.programs["melody"] == 73
    assert [s.text + "_" * s.ends_word for s in score.syllables[:4]] == ["la_", "la_", "lo", "ve_"]


def test_skyline_where_no_track_is_a_melody() -> None:
    chords = [mido.MetaMessage("track_name", name="p")]
    for top in (72, 74, 76, 77, 79):
        chords += [mido.Message("note_on", note=n, velocity=80) for n in (48, 52, top)]
        chords += [mido.Message("note_off", note=n, time=0 if n > 48 else 480) for n in (48, 52, top)]
    score = midi_to_score(file_bytes(mido.MidiTrack(chords)), "x.mid")
    assert [note.pitch for note in score.parts["melody"]] == [72, 74, 76, 77, 79]
    assert {note.pitch for note in score.parts["piano"]} == {48, 52}


def test_karaoke_text_events_with_pages_and_lines() -> None:
    texts = ["@KMIDI KARAOKE FILE", "@TStar Song", "\\Twin", "kle ", "twin", "kle", "/lit", "tle ", "star"]
    words = mido.MidiTrack([mido.MetaMessage("text", text=t, time=0 if i <= 2 else 240) for i, t in enumerate(texts)])
    score = midi_to_score(file_bytes(words, track("Melody", 73, TUNE[:7])), "some/star.kar")
    assert score.title == "Star Song"
    assert [s.line for s in score.syllables] == [0, 0, 0, 0, 1, 1, 1]
    assert "".join(s.text + " " * s.ends_word for s in score.syllables) == "Twinkle twinkle little star "
    assert [s.start_ticks for s in score.syllables] == [n.start_ticks for n in score.parts["melody"]]


@pytest.mark.parametrize(
    ("charset", "word"), [("utf-8", "愛"), ("cp1252", "naïve"), ("latin1", "cœur".replace("œ", "é"))]
)
def test_character_sets(charset: str, word: str) -> None:
    lyric = mido.MetaMessage("lyrics", text=word)
    data = file_bytes(mido.MidiTrack([lyric]), track("Melody", 0, TUNE), charset=charset)
    assert midi_to_score(data, "x.mid").syllables[0].text == word


def test_key_signature_is_believed_unless_contradicted() -> None:
    right = (mido.MetaMessage("key_signature", key="C"),)
    wrong = (mido.MetaMessage("key_signature", key="F#"),)
    pitches = [60, 64, 67, 65, 69, 67, 64, 62, 60, 72, 67, 60]
    assert midi_to_score(file_bytes(track("Melody", 0, pitches, events=right)), "x").key.name == "C major"
    assert midi_to_score(file_bytes(track("Melody", 0, pitches, events=wrong)), "x").key.name == "C major"


def signature(numerator: int, denominator: int, time: int = 0) -> mido.MetaMessage:
    return mido.MetaMessage("time_signature", numerator=numerator, denominator=denominator, time=time)


def test_an_upbeat_is_filled_up_in_front() -> None:
    conductor = mido.MidiTrack([signature(1, 4), signature(3, 4, 240), signature(4, 4, 720 * 2)])
    score = midi_to_score(file_bytes(conductor, track("Melody", 0, TUNE)), "x.mid")
    assert [(m.start_ticks, m.numerator, m.denominator) for m in score.metres] == [(0, 3, 4), (4320, 4, 4)]
    assert score.parts["melody"][0].start_ticks == 960
    assert [start for start, _ in score.bars()][:3] == [0, 1440, 2880]


def test_bars_of_one_beat_are_counted_in_fours() -> None:
    score = midi_to_score(file_bytes(mido.MidiTrack([signature(1, 4)]), track("Melody", 0, TUNE)), "x.mid")
    assert [(m.start_ticks, m.numerator, m.denominator) for m in score.metres] == [(0, 4, 4)]
    assert score.parts["melody"][0].start_ticks == 0


def test_a_longer_header_is_read_as_the_standard_asks() -> None:
    data = file_bytes(track("Melody", 0, TUNE))
    longer = data[:4] + b"\0\0\0\x0a" + data[8:14] + b"\1\2\3\4" + data[14:]
    assert midi_to_score(longer, "x") == midi_to_score(data, "x")


def test_chords_are_heard() -> None:
    chords = mido.MidiTrack()
    for root, third in ((48, 4), (53, 4), (57, 3), (48, 4)):
        triad = (root, root + third, root + 7, root + 12)
        chords += [mido.Message("note_on", note=n, velocity=80) for n in triad]
        chords += [mido.Message("note_off", note=n, time=0 if n > root else 960) for n in triad]
    score = midi_to_score(file_bytes(chords), "x.mid")
    assert [chord.symbol.name() for chord in score.chords] == ["C", "F", "Am", "C"]
    assert [chord.start_ticks for chord in score.chords] == [0, 1920, 3840, 5760]


def refused(data: bytes, limits: MidiLimits | None = None) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        midi_to_score(data, "x.mid", **({"limits": limits} if limits else {}))
    assert str(caught.value).startswith("x.mid: ")
    return caught.value.code


def test_refusals_carry_codes() -> None:
    good = file_bytes(track("Melody", 0, TUNE))
    assert refused(b"") == "bad_midi"
    assert refused(b"<html>") == "bad_midi"
    assert refused(good[:60]) == "bad_midi"
    for data, told in ((b"", "is empty."), (b"<html>", "is not a MIDI file that can be read.")):
        with pytest.raises(UnreadableFileError, match=rf"^x\.mid: {re.escape(told)} Export it again\.$"):
            midi_to_score(data, "x.mid")
    assert refused(file_bytes(track("Melody", 0, []))) == "no_notes"
    assert refused(good, MidiLimits(max_bytes=20)) == "too_large"
    assert refused(good, MidiLimits(max_notes=3)) == "too_large"
    assert refused(good, MidiLimits(max_seconds=1.0)) == "too_large"


def test_riff_wrapper_is_opened() -> None:
    data = file_bytes(track("Melody", 0, TUNE))
    wrapped = b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + len(data).to_bytes(4, "little") + data
    assert midi_to_score(wrapped, "x") == midi_to_score(data, "x")


def outcome(data: bytes) -> str:
    try:
        score = midi_to_score(data, "x.mid")
    except UnreadableFileError as error:
        return error.code
    assert any(score.parts[part] for part in PARTS)
    return "read"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(14, 400), st.integers(0, 255)), min_size=1, max_size=8), st.integers(30, 400))
def test_damaged_files_are_read_or_refused(changes: list[tuple[int, int]], length: int) -> None:
    data = bytearray(file_bytes(track("Melody", 0, TUNE), track("Bass", 33, TUNE, channel=1)))
    for position, value in changes:
        data[position % len(data)] = value
    for damaged in (bytes(data), bytes(data[:length])):
        assert outcome(damaged) in {"read", "bad_midi", "no_notes", "too_large"}


def test_every_bad_file_is_read_or_refused_quickly(datasets: Path) -> None:
    outcomes: dict[str, int] = {}
    for path in sorted((datasets / "bad_inputs" / "midi").iterdir()):
        began = time.thread_time()
        code = outcome(path.read_bytes())
        assert time.thread_time() - began < 5, path.name
        outcomes[code] = outcomes.get(code, 0) + 1
    assert outcomes["read"] > 60 and outcomes["bad_midi"] > 30 and outcomes["no_notes"] > 10


@pytest.mark.parametrize("name", ["lmd_d6caebd1964d9e4a3c5ea59525230e2a.mid", "noteseq_english3.mid"])
def test_real_files_fill_their_parts(datasets: Path, name: str) -> None:
    score = midi_to_score((datasets / "good_midi" / name).read_bytes(), name)
    assert score.parts["melody"] and score.chords
    for part in PARTS:
        low, high = PART_RANGES[part]
        assert all(low <= note.pitch <= high for note in score.parts[part])


@pytest.mark.parametrize(("number", "expected"), [("52", 52), ("999", 127), ("²", 0), ("٥", 0), ("9" * 5000, 0)])
def test_programs_that_are_no_numbers_are_passed_over(number: str, expected: int) -> None:
    events = tuple(mido.MetaMessage("text", text=text) for text in ("rhapsody:score 1", f"programs:piano={number}"))
    data = file_bytes(track("", 0, [], events=events), track("piano", 0, TUNE), charset="utf-8")
    assert midi_to_score(data, "x.mid").programs["piano"] == expected
