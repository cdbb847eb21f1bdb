"""How languages are told: time and agreement of function words with pieces, beside lingua on all of a text."""

from __future__ import annotations

import csv
import random
import time
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from io import TextIOWrapper

from rhapsody_lib.corpus.clean import clean_lyrics, sung_words
from rhapsody_lib.corpus.language import LANGUAGES, MIN_LETTERS, detect_language
from rhapsody_lib.optional import require
from tests.benchmarks.corpora_bench import Bench
from tests.benchmarks.standins_words import HALVES
from tests.benchmarks.table import Row, at_most, beside

_MOST_CHARACTERS, _MOST_LETTERS_OF_SHORT = 4000, 150
_TABLE = "kaggle_shape/lyrics-data.large.csv"


def language(bench: Bench) -> list[Row]:
    """Songs of the Kaggle shape, short pieces of the English ones, and songs of other languages joined from lines."""
    songs, dice = _songs(bench), random.Random(4)
    whole, parts = _lingua(trigrams_only=True), _lingua(trigrams_only=False)
    ours, ours_ms = _told(partial(detect_language, wanted="en"), songs)
    theirs, theirs_ms = _told(whole, songs)
    differing = sum(one != other for one, other in zip(ours, theirs, strict=True))
    english = [song for song, code in zip(songs, theirs, strict=True) if code == "en"]
    pieces = [
        piece for song in english if MIN_LETTERS <= _letters(piece := _piece(song, dice)) < _MOST_LETTERS_OF_SHORT
    ]
    wrong = [sum(code != "en" for code in _told(tell, pieces)[0]) for tell in (_ours, parts, whole)]
    joined = {code: [_joined(code, dice) for _ in range(50)] for code in HALVES}
    mistaken = sum(_ours(text) != code for code, texts in joined.items() for text in texts)
    return [
        beside(
            f"language: ms a song, beside lingua on all of it ({len(songs):,} songs)",
            ours_ms,
            theirs_ms,
            better="lower",
        ),
        at_most("language: share of these told otherwise", differing / len(songs), 0.002),
        Row(f"language: of {len(pieces):,} short English pieces mistaken, beside all n-grams", wrong[0], wrong[1]),
        Row("language: the same, beside trigrams alone", wrong[0], wrong[2]),
        at_most(f"language: of {len(HALVES) * 50} songs in {', '.join(HALVES)} mistaken", mistaken, 0),
    ]


def _songs(bench: Bench) -> list[str]:
    """The words of labelled songs: 3,000 of those in English, all others."""
    with zipfile.ZipFile(bench.datasets / "lyrics/kaggle_shape.zip") as packed, packed.open(_TABLE) as stream:
        rows = list(csv.DictReader(TextIOWrapper(stream, "utf-8", newline="")))
    english = [row["Lyric"] for row in rows if row["language"] == "en"]
    chosen = [row["Lyric"] for row in rows if row["language"] != "en"]
    chosen += random.Random(1).sample(english, bench.size(100, 3_000, len(english)))
    texts = (" ".join(sung_words(clean_lyrics(text))) for text in chosen)
    return [text for text in texts if _letters(text) >= MIN_LETTERS]


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _piece(song: str, dice: random.Random) -> str:
    words, count = song.split(), dice.randint(8, 28)
    start = dice.randrange(max(1, len(words) - count))
    return " ".join(words[start : start + count])


def _joined(code: str, dice: random.Random) -> str:
    first, second = HALVES[code]
    lines = (f"{dice.choice(first)} {dice.choice(second)}" for _ in range(12))
    return " ".join(sung_words(clean_lyrics("\n".join(lines))))


def _ours(text: str) -> str:
    return detect_language(text, "en")


def _lingua(*, trigrams_only: bool) -> Callable[[str], str]:
    """lingua on the first 4,000 characters of a text, with trigrams alone or with all of its n-grams."""
    lingua = require("lingua")
    codes = [getattr(lingua.IsoCode639_1, code.upper()) for code in LANGUAGES]
    builder = lingua.LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    detector = (builder.with_low_accuracy_mode() if trigrams_only else builder).build()

    def tell(text: str) -> str:
        found = detector.detect_language_of(text[:_MOST_CHARACTERS])
        return "und" if found is None else str(found.iso_code_639_1.name).lower()

    return tell


def _told(tell: Callable[[str], str], texts: Sequence[str]) -> tuple[list[str], float]:
    """The language of each text, and how many milliseconds of a processor a text took once the models were there."""
    tell(texts[0] + " xyzzy " * 99)
    started = time.process_time()
    codes = [tell(text) for text in texts]
    return codes, 1000 * (time.process_time() - started) / len(texts)
