"""The small text files of Lakh: ids (`cleansed_ids.txt`) and genres (`.cls`, `id_list_*.txt`, `masd_labels.txt`)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from rhapsody_lib.corpus.lakh.tree import MD5, TRACK_ID

#: A longer line is none of these files'; it is refused, and what follows is read.
_MOST_CHARACTERS = 1000
MAX_GENRE_CHARACTERS = 80
#: The styles that `masd_labels.txt` numbers, as `src/constants.py` of the Lakh Pianoroll Dataset has them.
STYLES = (
    "Big_Band", "Blues_Contemporary", "Country_Traditional", "Dance", "Electronica", "Experimental",
    "Folk_International", "Gospel", "Grunge_Emo", "Hip_Hop_Rap", "Jazz_Classic", "Metal_Alternative", "Metal_Death",
    "Metal_Heavy", "Pop_Contemporary", "Pop_Indie", "Pop_Latin", "Punk", "Reggae", "RnB_Soul", "Rock_Alternative",
    "Rock_College", "Rock_Contemporary", "Rock_Hard", "Rock_Neo_Psychedelia",
)  # fmt: skip
#: Those that `masd_labels_cleansed.txt` keeps, numbered anew.
CLEANSED_STYLES = tuple(STYLES[number] for number in (2, 3, 11, 14, 15, 16, 20, 21, 22, 23))

#: A line that is not what it should be: its number and what is wrong.
BadLine = tuple[int, str]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines, without those that are empty or comments; too long ones cut off."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        number, rest = 0, False
        while line := stream.readline(_MOST_CHARACTERS):
            begins, rest = not rest, not line.endswith("\n")
            number += begins
            if begins and line.strip() and not line.startswith("#"):
                yield number, line.rstrip("\r\n")


def read_ids(path: Path) -> Iterator[tuple[str, str] | BadLine]:
    """(md5, MSD id) of each line; an md5 may stand in several.

    Raises:
        OSError: it cannot be read.
    """
    for number, line in _lines(path):
        md5, _, track_id = line.partition(" ")
        if MD5.fullmatch(md5) and TRACK_ID.fullmatch(track_id.strip()):
            yield md5.lower(), track_id.strip()
        else:
            yield number, "is no md5 and MSD id"


def read_genres(path: Path, track_ids: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]] | BadLine]:
    """(MSD id, its genres) of the tracks asked for, from any file of genres.

    Raises:
        OSError: it cannot be read.
    """
    name = path.name.lower()
    if name.startswith("id_list_"):
        # the lists' names have a dash for what the annotations write with a space
        genre = path.stem[len("id_list_") :].replace("-", " ")[:MAX_GENRE_CHARACTERS]
        yield from _listed(path, genre, track_ids)
    elif name.startswith("masd_labels"):
        yield from _numbered(path, CLEANSED_STYLES if "cleansed" in name else STYLES, track_ids)
    else:
        yield from _annotated(path, track_ids)


def _listed(path: Path, genre: str, track_ids: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]] | BadLine]:
    for number, line in _lines(path):
        if not TRACK_ID.fullmatch(line.strip()):
            yield number, "is no MSD id"
        elif line.strip() in track_ids:
            yield line.strip(), (genre,)


def _numbered(
    path: Path, styles: tuple[str, ...], track_ids: Collection[str]
) -> Iterator[tuple[str, tuple[str, ...]] | BadLine]:
    for number, line in _lines(path):
        track_id, _, label = line.partition(" ")
        style = label.strip()
        if not TRACK_ID.fullmatch(track_id) or not style.isdecimal() or int(style[:4]) >= len(styles):
            yield number, "is no MSD id and number of a style"
        elif track_id in track_ids:
            yield track_id, (styles[int(style)],)


def _annotated(path: Path, track_ids: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]] | BadLine]:
    for number, line in _lines(path):
        track_id, *genres = (field.strip() for field in line.split("\t"))
        known = tuple(genre[:MAX_GENRE_CHARACTERS] for genre in genres if genre and genre.isprintable())
        if not TRACK_ID.fullmatch(track_id) or not 1 <= len(known) <= 2:
            yield number, "is no MSD id with one genre or two"
        elif track_id in track_ids:
            yield track_id, known
