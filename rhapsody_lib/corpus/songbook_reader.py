"""Songbook songs as music and as words: what the text files mean when performed."""

from __future__ import annotations

from rhapsody_lib.corpus.songbook import SongbookSong
from rhapsody_lib.music.arranger import arrange
from rhapsody_lib.music.composer import SongSection, compose_melody
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import Score
from rhapsody_lib.words.document import Lyrics, LyricSection


def song_lyrics(song: SongbookSong) -> Lyrics:
    """The words in order of performance, a chorus written out each time it returns."""
    return Lyrics(song.title, tuple(LyricSection(name, song.sections[name].lines) for name in song.form))


def read_lead_sheet(song: SongbookSong) -> LeadSheet:
    """The song's composed melody with its chords and words, in order of performance."""
    compound = song.metre[1] == 8 and song.metre[0] % 3 == 0
    return compose_melody(
        title=song.title,
        style=song.style,
        key=song.key,
        metre=song.metre,
        tempo_bpm=song.tempo_bpm * 1.5 if compound else float(song.tempo_bpm),
        intro_bars=song.intro_bars,
        sections=[SongSection(name, song.sections[name].bars, song.sections[name].lines) for name in song.form],
    )


def read_songbook_track(song: SongbookSong) -> Score:
    """The song composed and arranged for six parts. The same file gives the same score.

    Raises:
        InputError: a line has more syllables than can be sung in its bars.
    """
    return arrange(read_lead_sheet(song))
