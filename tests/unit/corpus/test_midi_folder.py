from __future__ import annotations

import io
from pathlib import Path

import mido
import pytest

from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.midi_folder import MAX_TEXT_BYTES, from_lrc, parse_midi_file, read_text
from rhapsody_lib.errors import UnreadableFileError
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes


def _parse(folder: Path, name: str, data: bytes, words: bytes | None = None, suffix: str = ".txt"):
    (folder / name).write_bytes(data)
    beside = (folder / name).with_suffix(suffix)
    if words is not None:
        beside.write_bytes(words)
    return parse_midi_file(Job("midi", str(folder / name), name, str(beside) if words is not None else ""))


def test_words_come_from_the_events_with_their_lines(tmp_path: Path) -> None:
    song = _parse(tmp_path, "boats.mid", midi_bytes(WORDS))
    assert song.lyrics.split("\n")[0] == "The river runs under the bridge"
    assert song.lyrics.split() == WORDS.split()
    assert song.track is not None
    assert song.track.notes == 24


def test_a_text_beside_wins_over_the_events_and_loses_its_title_line(tmp_path: Path) -> None:
    song = _parse(tmp_path, "boats.mid", midi_bytes(WORDS), b"Boats\n\nother words\nentirely\n")
    assert song.lyrics.split() == ["other", "words", "entirely"]


def test_an_empty_text_beside_leaves_the_events(tmp_path: Path) -> None:
    assert _parse(tmp_path, "boats.mid", midi_bytes(WORDS), b" \n").lyrics.split() == WORDS.split()


def test_lrc_files_lose_their_times_and_give_title_and_artist(tmp_path: Path) -> None:
    song = _parse(
        tmp_path,
        "x.mid",
        midi_bytes(),
        b"[ti:Sea]\n[ar:Ann]\n[00:01.50]one <00:02.00>two\n[00:03.10][00:09.10]three",
        ".lrc",
    )
    assert (song.title, song.artist, song.lyrics) == ("Sea", "Ann", "one two\nthree")
    assert from_lrc("[by:me]\nplain")[0] == "plain"


def test_a_file_name_gives_artist_and_title(tmp_path: Path) -> None:
    song = _parse(tmp_path, "Ann Lee - The Sea.mid", midi_bytes(WORDS))
    assert (song.title, song.artist) == ("The Sea", "Ann Lee")


def test_the_same_file_is_karaoke_under_another_name(tmp_path: Path) -> None:
    assert _parse(tmp_path, "boats.kar", midi_bytes(WORDS)).lyrics.split() == WORDS.split()


def test_words_on_one_line_are_broken_by_phrases(tmp_path: Path) -> None:
    song = _parse(tmp_path, "x.mid", midi_bytes(WORDS).replace(b"\r", b" "))
    assert song.lyrics.split() == WORDS.split()
    assert len(song.lyrics.split("\n")) >= 2


@pytest.mark.parametrize(
    ("data", "words", "code"),
    [
        (midi_bytes(), None, "no_lyrics"),
        (midi_bytes(), b"\n \n", "no_lyrics"),
        (b"not midi", b"words", "bad_midi"),
        (b"", b"words", "bad_midi"),
        (midi_bytes(WORDS)[:200], b"words", "bad_midi"),
        (midi_bytes(), b"wo\0rds", "bad_text"),
        (midi_bytes(), b"x" * (MAX_TEXT_BYTES + 1), "too_large"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    tmp_path: Path, data: bytes, words: bytes | None, code: str
) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        _parse(tmp_path, "x.mid", data, words)
    assert caught.value.code == code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_texts_in_the_usual_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("déjà vu “again”".encode(encoding))
    assert read_text(tmp_path / "a.txt", "a.txt") == "déjà vu “again”"


def test_of_verses_that_share_an_event_the_first_is_read(tmp_path: Path) -> None:
    file = mido.MidiFile(file=io.BytesIO(midi_bytes(WORDS)))
    for message in file.tracks[0]:
        if message.type == "lyrics":
            message.text = message.text.strip() + "\nother" + message.text[-1:]
    stream = io.BytesIO()
    file.tracks[0][:] = [message for message in file.tracks[0] if message.type != "text"]
    file.save(file=stream)
    assert _parse(tmp_path, "verses.mid", stream.getvalue()).lyrics.split() == WORDS.split()
