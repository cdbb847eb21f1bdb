"""The Kaggle lyrics set of any size: `lyrics-data.csv` and `artists-data.csv` of both releases, from real lines.

Rows come artist by artist. The first rows of a larger table are those of a smaller one with the same seed.
"""

from __future__ import annotations

import csv
import io
import random
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rhapsody_lib.seeding import split_seed
from tests.benchmarks.standins_words import HALVES, IDIOMS

#: Rows of the newer and of the older release, as published.
NEWER_ROWS, OLDER_ROWS = 379_931, 209_522
#: Shares of languages: the counts published for the older release (ENGLISH 114,723, PORTUGUESE 85,085, SPANISH 4,812).
LANGUAGES = {"en": 0.548, "pt": 0.406, "es": 0.023, "fr": 0.009, "it": 0.008, "de": 0.006}
SONGS_OF_ARTIST = 91
GENRES = ("Rock", "Pop", "Hip Hop", "Sertanejo", "Funk Carioca", "Samba", "Gospel/Religioso", "Indie", "Country", "MPB")
#: Defects known of the real data. How often is not published, so these shares are assumed: the same words by another
#: artist, the same with a line changed, a wrong label of the language, none, no words, "instrumental", section marks,
#: counts such as (x2), credits.
COVER, VERSION, WRONG_LABEL, NO_LABEL, NO_WORDS, INSTRUMENTAL = 0.015, 0.02, 0.01, 0.005, 0.002, 0.003
MARKED, COUNTED, CREDITED = 0.12, 0.08, 0.02
#: Rows whose bytes or quoting are broken. The published files have none; copies of them do.
BROKEN = 0.0001
#: Texts kept for covers and versions of them.
_KEPT_TEXTS = 4000
_SPLICED = 0.5
_NEWER_HEADER = ("ALink", "SName", "SLink", "Lyric", "language")
_OLDER_HEADER = ("ALink", "SName", "SLink", "Lyric", "Idiom")


@dataclass(frozen=True)
class _Row:
    artist: str
    link: str
    title: str
    lyric: str
    language: str


@lru_cache(maxsize=1)
def real_lines(datasets: Path) -> list[str]:
    """Distinct lines of real English verse and songs, of 3 to 12 words, in a fixed order."""
    lines: dict[str, None] = {}
    with zipfile.ZipFile(datasets / "lyrics" / "kaggle_shape.zip") as archive:
        text = io.TextIOWrapper(archive.open("kaggle_shape/lyrics-data.large.csv"), "utf-8", newline="")
        for row in csv.DictReader(text):
            if row["language"] == "en":
                lines |= dict.fromkeys(line.strip() for line in row["Lyric"].split("\n"))
    return [line for line in lines if 3 <= len(line.split()) <= 12]


def slug(text: str) -> str:
    """A text as it stands in a link: `the-lords-my-shepherd`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "x"


class SongWriter:
    """Makes lines, songs and names. `lines` is English; other languages are joined from halves."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._words = sorted({word.capitalize() for line in lines[:20_000] for word in line.split() if word.isalpha()})

    def line(self, dice: random.Random, language: str) -> str:
        if language != "en":
            first, second = HALVES[language]
            return f"{dice.choice(first)} {dice.choice(second)}".capitalize()
        line = dice.choice(self._lines)
        if dice.random() >= _SPLICED:
            return line
        before, after = line.split(), dice.choice(self._lines).split()
        return " ".join(before[: (len(before) + 1) // 2] + after[len(after) // 2 :])

    def song(self, dice: random.Random, language: str) -> str:
        """Verses of 4 to 8 lines around a chorus, as performed; some with the marks that people type."""
        chorus = "\n".join(self.line(dice, language) for _ in range(dice.randint(2, 6)))
        marked, counted = dice.random() < MARKED, dice.random() < COUNTED
        stanzas = []
        for number in range(dice.randint(2, 4)):
            verse = "\n".join(self.line(dice, language) for _ in range(dice.randint(4, 8)))
            stanzas += [f"[Verse {number + 1}]\n{verse}", f"(Chorus)\n{chorus}"] if marked else [verse, chorus]
        if counted:
            stanzas[-1] += " (x2)"
        if dice.random() < CREDITED:
            stanzas.append(f"Written by: {self.name(dice)}")
        return "\n\n".join(stanzas)

    def name(self, dice: random.Random) -> str:
        return " ".join(dice.choices(self._words, k=dice.randint(1, 3)))

    def title(self, dice: random.Random, language: str) -> str:
        words = self.line(dice, language).strip(".,;:!?\"' ").split()
        return " ".join(words[: dice.randint(1, 6)]).title()


def _rows(writer: SongWriter, seed: int) -> Iterator[_Row]:
    """Songs without end, artist by artist."""
    dice = random.Random(split_seed(seed, "kaggle"))  # no secret: the same rows in every run
    languages, shares = list(LANGUAGES), list(LANGUAGES.values())
    kept: list[tuple[str, str]] = []
    for number in range(1 << 31):
        artist = f"{writer.name(dice)} {number}"
        spoken = dice.choices(languages, shares)[0]
        for _ in range(1 + int(dice.expovariate(1 / SONGS_OF_ARTIST))):
            language, chance = spoken, dice.random()
            text = ""
            if chance < NO_WORDS + INSTRUMENTAL:
                text = "" if chance < NO_WORDS else "Instrumental"
            elif kept and (chance := dice.random()) < COVER + VERSION:
                language, text = dice.choice(kept)
                if chance >= COVER:
                    text = _changed(text, writer.line(dice, language))
            else:
                text = writer.song(dice, language)
                if len(kept) < _KEPT_TEXTS:
                    kept.append((language, text))
                else:
                    kept[dice.randrange(_KEPT_TEXTS)] = (language, text)
            label, chance = language, dice.random()
            if chance < WRONG_LABEL + NO_LABEL:
                label = "" if chance < NO_LABEL else dice.choice(languages)
            yield _Row(artist, f"/{slug(artist)}/", writer.title(dice, language), text, label)


def _changed(text: str, line: str) -> str:
    """A text with another second line: another version of the song."""
    lines = text.split("\n")
    lines[min(1, len(lines) - 1)] = line
    return "\n".join(lines)


def _damaged(dice: random.Random, row: bytes) -> bytes:
    """A row with one of the defects of bad copies: a quote left open or stray, a field too many, NUL, no UTF-8."""
    middle = len(row) // 2
    return dice.choice(
        [
            row.replace(b'",', b",", 1),
            row[:middle] + b'"' + row[middle:],
            row.rstrip(b"\n") + b",\n",
            row[:middle] + b"\0" + row[middle:],
            row[:middle] + b"\xff\xfe" + row[middle:],
        ]
    )


def write_kaggle(folder: Path, datasets: Path, rows: int, *, seed: int = 1, older: bool = False) -> Path:
    """Write `lyrics-data.csv` and `artists-data.csv` into a folder.

    Args:
        folder: made if missing.
        datasets: where `lyrics/kaggle_shape.zip` is.
        rows: songs.
        seed: of all choices.
        older: in the shape of the older release: lines folded into `. `, column `Idiom`, an artist once a genre.

    Returns:
        The table of lyrics.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "lyrics-data.csv"
    songs: dict[str, tuple[str, int]] = {}
    dice = random.Random(split_seed(seed, "damage"))
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    with table.open("wb") as out:
        out.write((",".join(_OLDER_HEADER if older else _NEWER_HEADER) + "\n").encode())
        for _, row in zip(range(rows), _rows(SongWriter(real_lines(datasets)), seed), strict=False):
            songs[row.link] = (row.artist, songs.get(row.link, ("", 0))[1] + 1)
            lyric = re.sub(r"\n+", ". ", row.lyric) if older else row.lyric
            language = IDIOMS.get(row.language, "") if older else row.language
            page = f"{row.link}{slug(row.title)}.html"
            writer.writerow((row.link, row.title, page, lyric, language))
            data = line.getvalue().encode()
            line.seek(0)
            line.truncate()
            out.write(_damaged(dice, data) if dice.random() < BROKEN else data)
    _write_artists(folder / "artists-data.csv", songs, seed, older=older)
    return table


def _write_artists(path: Path, songs: dict[str, tuple[str, int]], seed: int, *, older: bool) -> None:
    dice = random.Random(split_seed(seed, "artists"))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        newer_columns = ["Artist", "Genres", "Songs", "Popularity", "Link"]
        writer.writerow(["Artist", "Songs", "Popularity", "Link", "Genre", "Genres"] if older else newer_columns)
        for link, (artist, count) in songs.items():
            genres = dice.sample(GENRES, dice.randint(1, 3))
            joined, popularity = "; ".join(genres), round(dice.random() * 10, 1)
            if not older:
                writer.writerow([artist, joined, float(count), popularity, link])
                continue
            for genre in genres:  # an artist of several main genres stands there several times
                writer.writerow([artist, count, popularity, link, genre, joined])
