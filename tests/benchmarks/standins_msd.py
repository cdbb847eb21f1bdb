"""What is known of the songs of a Lakh tree: the Million Song Dataset's table, tagtraum genres, id lists, lyrics."""

from __future__ import annotations

import csv
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rhapsody_lib.seeding import split_seed
from tests.benchmarks.standins_kaggle import SongWriter, real_lines

#: The published schema, indices included.
_SCHEMA = (
    "CREATE TABLE songs (track_id text PRIMARY KEY, title text, song_id text, release text, artist_id text, "
    "artist_mbid text, artist_name text, duration real, artist_familiarity real, artist_hotttnesss real, year int, "
    "track_7digitalid int, shs_perf int, shs_work int)"
)
_INDICES = (
    "artist_id", "artist_mbid", "artist_name", "title", "release", "duration", "artist_familiarity",
    "artist_hotttnesss", "year",
)  # fmt: skip
#: Genres of tagtraum cd1 with the published counts of songs of LPD-5 cleansed (AMG lists).
GENRES = {
    "Blues": 22, "Country": 512, "Electronic": 889, "Folk": 45, "International": 206, "Jazz": 157, "Latin": 360,
    "New Age": 67, "Pop_Rock": 4345, "Rap": 164, "Reggae": 45, "RnB": 397, "Vocal": 114,
}  # fmt: skip
#: Shares: songs of the tree with a genre (7,323 of 21,425), other tracks with one (133,676 of a million), of these with
#: two, tracks without a year (484,424 of a million). As published.
SONG_GENRE, TRACK_GENRE, TWO_GENRES, NO_YEAR = 0.342, 0.128, 0.266, 0.484
#: Shares that are assumed: songs of the tree that the table lacks, rows of lyrics without words, and of the others
#: those cut off with the line of musiXmatch.
NO_METADATA, NO_LYRICS, CUT_OFF = 0.002, 0.25, 0.8
_CUT_AT = 0.3
_TRAILER = "\n...\n\n******* This Lyrics is NOT for Commercial use *******"
_ARTISTS = 44_745


def track_name(seed: int, number: int) -> str:
    """The Million Song Dataset id of a track: `TR`, five letters, `128` and eight hexadecimal digits."""
    dice = split_seed(seed, "track", number)
    letters = "".join(chr(65 + dice // 26**place % 26) for place in range(5))
    return f"TR{letters}128{dice >> 30 & 0xFFFFFFFF:08X}"


def _dice(seed: int, *names: str | int) -> random.Random:
    return random.Random(split_seed(seed, *names))  # no secret: the same tables in every run


def names_of(writer: SongWriter, seed: int, number: int) -> tuple[str, str]:
    """Title and artist of a track."""
    dice = _dice(seed, "names", number)
    return writer.title(dice, "en"), writer.name(_dice(seed, "artist", dice.randrange(_ARTISTS)))


def _rows(writer: SongWriter, songs: int, tracks: int, seed: int) -> Iterator[tuple[object, ...]]:
    for number in range(tracks):
        dice = _dice(seed, "row", number)
        if number < songs and dice.random() < NO_METADATA:
            continue
        title, artist = names_of(writer, seed, number)
        code = f"{split_seed(seed, artist):016X}"
        mbid = "" if dice.random() < 0.06 else f"{code[:8].lower()}-{code[8:12].lower()}-4000-8000-{code[:12].lower()}"
        year = 0 if dice.random() < NO_YEAR else min(2010, 1922 + int(88 * dice.betavariate(5, 1.3)))
        familiarity, hotness = dice.random(), None if dice.random() < 0.01 else dice.random()
        ids = f"SO{code[:5]}12{dice.getrandbits(36):09X}", f"AR{code[:5]}1187{code[5:14]}"
        numbers = (round(dice.uniform(60, 420), 5), familiarity, hotness, year, dice.randrange(10**7), -1, 0)
        yield (track_name(seed, number), title, ids[0], title, ids[1], mbid, artist, *numbers)


def _write_tracks(path: Path, rows: Iterator[tuple[object, ...]]) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as table:
        table.execute("PRAGMA journal_mode=OFF")
        table.execute("PRAGMA synchronous=OFF")
        table.execute("BEGIN")
        table.execute(_SCHEMA)
        table.executemany(f"INSERT OR IGNORE INTO songs VALUES ({','.join('?' * 14)})", rows)
        for column in _INDICES:
            table.execute(f"CREATE INDEX idx_{column} ON songs ({column})")
        table.execute("COMMIT")


def _write_genres(folder: Path, songs: int, tracks: int, seed: int) -> None:
    """`msd_tagtraum_cd1.cls`, sorted by id, and a list of the tree's ids for each genre."""
    names, weights = list(GENRES), list(GENRES.values())
    rows = []
    for number in range(tracks):
        dice = _dice(seed, "genre", number)
        if dice.random() < (SONG_GENRE if number < songs else TRACK_GENRE):
            picked = dict.fromkeys(dice.choices(names, weights, k=2 if dice.random() < TWO_GENRES else 1))
            rows.append((track_name(seed, number), list(picked), number < songs))
    rows.sort()
    with (folder / "msd_tagtraum_cd1.cls").open("w", encoding="utf-8") as out:
        out.writelines("\t".join([name, *genres]) + "\n" for name, genres, _ in rows)
    lists = folder / "labels" / "amg"
    lists.mkdir(parents=True, exist_ok=True)
    for genre in names:
        ids = "".join(f"{name}\n" for name, genres, cleansed in rows if cleansed and genres[0] == genre)
        (lists / f"id_list_{genre.replace(' ', '-')}.txt").write_text(ids, encoding="utf-8")


def _write_lyrics(path: Path, writer: SongWriter, songs: int, seed: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(["track_id", "title", "artist_name", "Lyrics"])
        for number in range(songs):
            dice = _dice(seed, "lyrics", number)
            text = writer.song(dice, "en").replace("\n\n", "\n")
            if dice.random() < CUT_OFF:
                text = text[: int(len(text) * _CUT_AT)] + _TRAILER
            if dice.random() < NO_LYRICS:
                text = ""
            out.writerow([track_name(seed, number), *names_of(writer, seed, number), text])


def write_metadata(folder: Path, datasets: Path, songs: int, *, tracks: int, seed: int) -> None:
    """Write `track_metadata.db`, genres, id lists and `matched_lyrics.csv` for a tree of songs.

    Args:
        folder: where the tree is.
        datasets: where `lyrics/kaggle_shape.zip` is.
        songs: of the tree; their ids are `track_name(seed, 0)` and on.
        tracks: rows of the table, the songs first.
        seed: of all choices.
    """
    writer = SongWriter(real_lines(datasets))
    _write_tracks(folder / "track_metadata.db", _rows(writer, songs, tracks, seed))
    _write_genres(folder, songs, tracks, seed)
    _write_lyrics(folder / "matched_lyrics.csv", writer, songs, seed)
