"""The corpora that are read: where each comes from, under which terms, how large it is, how its folder must look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GuideEntry:
    """One corpus.

    Args:
        name: what it is called.
        holds: what is in it.
        origin: the project's page and what it is titled.
        licence: of it; the songs in it may be others'.
        size: as published.
        layout: the files that are expected, by their names.
        source_file: its part of a source file.
    """

    name: str
    holds: str
    origin: str
    licence: str
    size: str
    layout: str
    source_file: str


_SONGS_ARE_OTHERS = "; the songs are their owners', so what is trained on them is for you to answer for"

GUIDE: tuple[GuideEntry, ...] = (
    GuideEntry(
        "songbook",
        "songs with words and music, which come with Rhapsody",
        "this package",
        "CC0 1.0",
        "224 songs",
        "nothing to get",
        'corpus = "songbook"',
    ),
    GuideEntry(
        "Kaggle lyrics",
        "words with title, artist, genres and language; no music",
        "'Scrapped lyrics from 6 genres' (in newer releases 'Song lyrics from 79 musical genres') by neisse, on Kaggle",
        "as its page says" + _SONGS_ARE_OTHERS,
        "newer release 379,931 songs, older one about 209,000",
        "lyrics-data.csv (ALink, SName, SLink, Lyric, and language or, in the older one, Idiom) and artists-data.csv",
        'corpus = "kaggle", folder = the folder with both files',
    ),
    GuideEntry(
        "Lakh Pianoroll Dataset",
        "music as piano rolls of five tracks, with MSD ids",
        "'Lakh Pianoroll Dataset' by H.-W. Dong and others: hermandong.com/lakh-pianoroll-dataset",
        "CC BY 4.0" + _SONGS_ARE_OTHERS,
        "lpd-5-cleansed: 21,425 files",
        "lpd_5_cleansed/A/B/C/TRABC.../<md5>.npz; beside it cleansed_ids.txt, midi_info.json, id_list_<genre>.txt",
        'corpus = "lakh", lpd = lpd_5_cleansed, cleansed_ids, midi_info',
    ),
    GuideEntry(
        "Lakh MIDI Dataset",
        "MIDI files, many with words; the matched ones with MSD ids",
        "'The Lakh MIDI Dataset v0.1' by C. Raffel: colinraffel.com/projects/lmd",
        "CC BY 4.0" + _SONGS_ARE_OTHERS,
        "matched: 45,129 files of 31,034 songs; full: 176,581 files",
        "lmd_matched/A/B/C/TRABC.../<md5>.mid (or lmd_full/0/<md5>.mid) and match_scores.json",
        'corpus = "lakh", midi = lmd_matched, match_scores',
    ),
    GuideEntry(
        "Million Song Dataset, metadata",
        "title, artist and year of each MSD id",
        "'Million Song Dataset' by T. Bertin-Mahieux and others: millionsongdataset.com, additional files",
        "free for research, as its page says",
        "1,000,000 rows",
        "track_metadata.db (SQLite, a table 'songs')",
        'corpus = "lakh", metadata = track_metadata.db',
    ),
    GuideEntry(
        "tagtraum genres",
        "one genre or two of each MSD id",
        "'tagtraum genre annotations for the Million Song Dataset': tagtraum.com/msd_genre_datasets.html",
        "none is stated",
        "CD1 133,676 songs, CD2 280,831",
        "msd_tagtraum_cd1.cls or msd_tagtraum_cd2.cls, unpacked",
        'corpus = "lakh", genres = the file, or a folder of such files',
    ),
    GuideEntry(
        "matched lyrics",
        "words of MSD ids; of those from musiXmatch only the first third",
        "matched_lyrics.csv of the notebooks that Rhapsody descends from; not published",
        "the owners'",
        "as many as were found",
        "matched_lyrics.csv (track_id, title, artist_name, Lyrics)",
        'corpus = "lakh", lyrics = matched_lyrics.csv',
    ),
    GuideEntry(
        "POP909",
        "pop songs in three MIDI tracks; no words, so keep instrumentals = true",
        "'POP909 Dataset for Music Arrangement Generation' by Music X Lab, on GitHub: music-x-lab/POP909-Dataset",
        "MIT for the arrangements" + _SONGS_ARE_OTHERS,
        "909 songs",
        "POP909/001/001.mid; its other text files are passed over or told as left out",
        'corpus = "folder", folder = POP909',
    ),
    GuideEntry(
        "OpenEWLD",
        "lead sheets: melody, chords, words",
        "'OpenEWLD' by F. Simonetta, on GitHub: 00sapo/OpenEWLD",
        "MIT for the collection; not all of its songs are in the public domain everywhere",
        "502 songs",
        "any folder of .mxl files, with manifest.csv if there is one",
        'corpus = "folder", folder = its folder',
    ),
    GuideEntry(
        "Open Hymnal",
        "hymns in ABC with their words; no music is taken from them",
        "'Open Hymnal Project': openhymnal.org",
        "each file's own; mostly public domain",
        "some 280 hymns",
        "any folder of .abc files",
        'corpus = "folder", folder = its folder',
    ),
    GuideEntry(
        "OpenScore Lieder",
        "art songs: voice, words, piano",
        "'OpenScore Lieder Corpus', on GitHub: OpenScore/Lieder",
        "CC0 1.0",
        "over 1,200 songs in several languages",
        "any folder of .mxl or .musicxml files (the .mscx files of the corpus are not read: export them)",
        'corpus = "folder", folder = its folder',
    ),
    GuideEntry(
        "your own",
        "lead sheets, MIDI with words, karaoke, tables, JSON lines, ABC, plain texts",
        "you",
        "a column 'licence' in manifest.csv says so",
        "any",
        "any folder; docs/data.md says what belongs to what",
        'corpus = "folder", folder = its folder, name = what the tables shall call it',
    ),
)
