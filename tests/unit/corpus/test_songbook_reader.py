from __future__ import annotations

from pathlib import Path

import pytest

import rhapsody_lib
from rhapsody_lib.corpus.songbook import STYLES, read_song
from rhapsody_lib.corpus.songbook_reader import read_lead_sheet, read_songbook_track, song_lyrics
from rhapsody_lib.music.midi import midi_to_score, score_to_midi
from rhapsody_lib.music.rhythm import strength
from rhapsody_lib.music.score import PART_RANGES, PARTS

SONGBOOK = Path(rhapsody_lib.__file__).parent / "songbook"


def first_of(style: str) -> Path:
    return sorted((SONGBOOK / style).glob("*.txt"))[0]


@pytest.mark.parametrize("style", STYLES)
def test_a_song_of_each_style_is_whole_music(style: str) -> None:
    song = read_song(first_of(style))
    score = read_songbook_track(song)
    lyrics = song_lyrics(song)
    for part in PARTS:
        low, high = PART_RANGES[part]
        assert score.parts[part] and all(low <= note.pitch <= high for note in score.parts[part])
    lines = ["" for _ in lyrics.lines]
    for syllable in score.syllables:
        lines[syllable.line] += syllable.text + " " * syllable.ends_word
    assert [line.strip() for line in lines] == [" ".join(line.split()) for line in lyrics.lines]
    assert [s.start_ticks for s in score.syllables] == [n.start_ticks for n in score.parts["melody"]]
    names = [section.name for section in score.sections]
    assert names == (["intro"] if song.intro_bars else []) + list(song.form) + ["ending"]
    assert score.chords[-1].symbol.root == song.key.tonic
    assert midi_to_score(score_to_midi(score), "x") == score


@pytest.mark.parametrize("style", ["folk", "pop", "waltz"])
def test_melodies_fit_their_chords_and_stay_singable(style: str) -> None:
    sheet = read_lead_sheet(read_song(first_of(style)))
    strong = [n for n in sheet.melody if strength(sheet.metres[0], n.start_ticks) >= 0.75]
    fitting = [n for n in strong if n.pitch % 12 in sheet.chord_at(n.start_ticks).pitch_classes]
    assert len(fitting) > 0.85 * len(strong)
    pitches = [n.pitch for n in sheet.melody]
    assert min(pitches) >= 55 and max(pitches) <= 77 and max(pitches) - min(pitches) <= 17


def test_compound_tempo_counts_dotted_quarters() -> None:
    song = next(s for s in map(read_song, sorted((SONGBOOK / "sea-song").glob("*.txt"))) if s.metre == (6, 8))
    assert read_songbook_track(song).tempo_bpm == song.tempo_bpm * 1.5


def test_lyrics_are_in_performed_form() -> None:
    song = read_song(first_of("folk"))
    assert [section.name for section in song_lyrics(song).sections] == list(song.form)
