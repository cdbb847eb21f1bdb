from __future__ import annotations

import io
import sys
from pathlib import Path

import mido
import pytest

from rhapsody_lib.errors import InputError, MissingExtraError
from rhapsody_lib.operations.requests import check_out, check_request
from rhapsody_lib.song import render
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes


def test_a_place_that_can_be_written_comes_back_untouched(tmp_path: Path) -> None:
    assert check_out(tmp_path / "song", audio=False) == tmp_path / "song"
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_out(tmp_path / "file" / "song", audio=False)


def test_only_a_song_with_audio_needs_what_renders_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "is_installed", lambda name: False)
    check_out(tmp_path / "song", audio=False)
    with pytest.raises(MissingExtraError, match="tinysoundfont"):
        check_out(tmp_path / "song", audio=True)


@pytest.mark.parametrize("audio", [False, True])
def test_every_song_needs_what_engraves_it(audio: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "verovio", None)
    with pytest.raises(MissingExtraError, match="verovio"):
        check_out(tmp_path / "song", audio=audio)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"form": "verse chorale"}, "'chorale', which is no section"),
        ({"form": "verse " * 20, "lines_per_section": 8}, "160 lines; at most 120"),
        ({"syllables_per_line": 8, "words_per_line": 6}, "give one of them"),
        ({"syllables_per_line": 40}, "syllables_per_line: input should be less than or equal to 16"),
        ({"key": "H"}, "--key: 'H' is not a key"),
        ({"primer": "missing.mid"}, "missing.mid: cannot be read"),
        ({"primer": "."}, "is not a file"),
        ({"primer": __file__}, "no MIDI or MusicXML file by its name"),
        ({"lines_per_section": 1}, "lines_per_section: input should be greater than or equal to 2"),
    ],
)
def test_a_form_that_cannot_be_written_is_refused_at_once(asked: dict[str, object], told: str) -> None:
    with pytest.raises(InputError, match=told):
        check_request(prompt="the sky", **asked)


def test_what_can_be_a_key_or_a_primer_passes(tmp_path: Path) -> None:
    (tmp_path / "tune.MID").write_bytes(midi_bytes(WORDS))
    request = check_request(prompt="the sky", key="Bb minor", primer=str(tmp_path / "tune.MID"))
    assert (request.key, request.with_primer) == ("Bb minor", True)


def _one_note() -> bytes:
    played = [mido.Message("note_on", note=60), mido.Message("note_off", note=60, time=480)]
    buffer = io.BytesIO()
    mido.MidiFile(ticks_per_beat=480, tracks=[mido.MidiTrack(played)]).save(file=buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", r"tune\.mid: is empty\. Give another"),
        (b"<html>", r"tune\.mid: is not a MIDI file that can be read\. Give another"),
        (_one_note(), r"^'/.*/tune\.mid' cannot prime the music: it has fewer than 2 bars"),
    ],
    ids=["empty", "no midi", "too short"],
)
def test_a_primer_that_cannot_be_used_is_refused_with_the_request(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "tune.mid").write_bytes(data)
    with pytest.raises(InputError, match=told):
        check_request(prompt="the sky", primer=str(tmp_path / "tune.mid"))


def test_no_primer_opens_no_song() -> None:
    asked = [check_request(prompt="the sky", primer="none", with_primer=wish) for wish in (True, False)]
    assert asked[0] == asked[1]
    assert not asked[0].with_primer
