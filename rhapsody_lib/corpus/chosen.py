"""Which songs were asked for: by artist, genre and year, as the ancestor trained on four artists.

What a catalogue beside the files says is asked before a file is parsed, what the file itself says afterwards.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from rhapsody_lib.settings import CorpusSettings

_GENRE_PARTS = re.compile(r"[_\-/&\s]+")


@lru_cache(maxsize=100_000)
def _plain(text: str) -> str:
    """Without case, accents and marks, so that `Beyoncé` is `beyonce` and `AC/DC` is `acdc`."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(mark for mark in decomposed if mark.isalnum() or mark.isspace())
    return " ".join(bare.split()) or decomposed.strip()


@lru_cache(maxsize=10_000)
def _plain_artist(text: str) -> str:
    """As `_plain`, and `Beatles, The` and `The Beatles` are `beatles`."""
    return _plain(text).removeprefix("the ").removesuffix(" the") or _plain(text)


@lru_cache(maxsize=10_000)
def _plain_genre(text: str) -> str:
    """As `_plain`, and `Pop_Rock`, `Pop/Rock` and `pop rock` are one."""
    return _plain(_GENRE_PARTS.sub(" ", text))


def not_chosen(artist: str, genres: Iterable[str], year: int, settings: CorpusSettings) -> str | None:
    """Why a song is none of those that the settings ask for; None if it is one of them.

    What is not known (an empty artist, no genre, year 0) is not what was asked for.
    """
    if settings.artists and _plain_artist(artist) not in {_plain_artist(name) for name in settings.artists}:
        return f"artist '{artist}' is not asked for" if artist else "the artist is not known"
    if settings.genres:
        found = {_plain_genre(genre): genre for genre in genres if genre}
        if not found.keys() & {_plain_genre(genre) for genre in settings.genres}:
            told = ", ".join(f"'{genre}'" for genre in found.values())
            return f"genre {told} is not asked for" if told else "the genre is not known"
    if settings.years is not None and not settings.years[0] <= year <= settings.years[1]:
        return f"year {year} is not asked for" if year else "the year is not known"
    return None


def asked_for(settings: CorpusSettings) -> str:
    """The settings that choose songs, as a user writes them; '' if there are none."""
    values = {"artists": settings.artists, "genres": settings.genres, "years": settings.years}
    return ", ".join(
        f"corpus.{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value
    )
