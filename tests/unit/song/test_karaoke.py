from __future__ import annotations

import io

import mido
import pretty_midi
import pytest
import symusic

from rhapsody_lib.music.score import Score
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.karaoke import backing_midi, karaoke_file, song_midi
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.unit.song.song_samples import sample_lyrics, sample_score

BACKING = ["drums", "piano", "guitar", "bass", "strings"]


@pytest.fixture(scope="module")
def fitted() -> Score:
    return fit_words(sample_lyrics(), sample_score())


def read(data: bytes) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(data), charset="utf-8")


def timed(track: mido.MidiTrack, kind: str) -> list[tuple[int, str]]:
    now, found = 0, []
    for message in track:
        now += message.time
        if message.type == kind:
            found.append((now, message.text))
    return found


def test_song_has_six_tracks_and_every_syllable_at_its_note(fitted: Score) -> None:
    data = song_midi(fitted)
    file = pretty_midi.PrettyMIDI(io.BytesIO(data))
    assert [instrument.name for instrument in file.instruments] == ["melody", *BACKING]
    assert len(file.lyrics) == len(fitted.syllables)
    starts = {round(note.start, 3) for note in file.instruments[0].notes}
    assert {round(event.time, 3) for event in file.lyrics} <= starts
    assert symusic.Score.from_midi(data).note_num() == sum(map(len, fitted.parts.values()))


def test_backing_has_five_tracks_and_no_words(fitted: Score) -> None:
    data = backing_midi(fitted)
    file = pretty_midi.PrettyMIDI(io.BytesIO(data))
    assert [instrument.name for instrument in file.instruments] == BACKING
    assert not file.lyrics
    assert sum(len(i.notes) for i in file.instruments) == sum(len(fitted.parts[part]) for part in BACKING)


def test_karaoke_file_spells_the_lyrics_with_pages_and_lines(fitted: Score) -> None:
    file = read(karaoke_file(fitted))
    assert [track.name for track in file.tracks[:3]] == ["Soft Karaoke", "Words", "melody"]
    assert [text for _, text in timed(file.tracks[0], "text")] == ["@KMIDI KARAOKE FILE", "@V0100"]
    words = timed(file.tracks[1], "text")
    assert [text for _, text in words if text.startswith("@")] == ["@LENGL", "@TThe Sky Is Blue", "@TRhapsody"]
    sung = [(tick, text) for tick, text in words if not text.startswith("@")]
    assert [tick for tick, _ in sung] == [syllable.start_ticks for syllable in fitted.syllables]
    text = "".join(text for _, text in sung)
    pages = [page.split("/") for page in text[1:].split("\\")]
    assert [[line.strip() for line in page] for page in pages] == [list(s.lines) for s in sample_lyrics().sections]


def test_karaoke_file_shows_no_other_text(fitted: Score) -> None:
    file = read(karaoke_file(fitted))
    assert not [m for track in file.tracks[2:] for m in track if m.type in {"text", "marker", "lyrics"}]
    assert symusic.Score.from_midi(karaoke_file(fitted)).note_num() == sum(map(len, fitted.parts.values()))


def test_other_alphabets_and_control_signs_survive() -> None:
    lyrics = Lyrics("Небо", (LyricSection("verse 1", ("синее небо 青い空 😀", "mail me @home and/or /this")),))
    fitted = fit_words(lyrics, sample_score((("verse 1", 2),)))
    words = timed(read(karaoke_file(fitted)).tracks[1], "text")
    assert "@TНебо" in [text for _, text in words]
    sung = [text for _, text in words if not text.startswith("@")]
    assert "".join(sung).replace("／", "/").replace("＠", "@").strip("\\/ ").startswith(lyrics.lines[0])
    assert sum(text.startswith("/") for text in sung) == 1
    lines = "".join(text for _, text in timed(read(song_midi(fitted)).tracks[0], "lyrics")).split("\r")
    assert [line.strip() for line in lines] == list(lyrics.lines)


def test_same_song_same_bytes(fitted: Score) -> None:
    again = fit_words(sample_lyrics(), sample_score())
    for write in (song_midi, backing_midi, karaoke_file):
        assert write(fitted) == write(again)
