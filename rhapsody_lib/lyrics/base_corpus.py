"""Which songs and poems the base model learns from: old verse that could be sung today, in today's words.

Songs of the songbook are taken as they are, several times. Of verse, only what a songwriter could use is kept: short
lines that rhyme, in plain English, and its archaic words are replaced (`words.archaic`). What is held out stays held
out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.errors import SourceError
from rhapsody_lib.words.archaic import is_archaic, modern_lyrics
from rhapsody_lib.words.document import Lyrics, parse_lyrics
from rhapsody_lib.words.pronunciation import phones
from rhapsody_lib.words.rhyme import rhyme_part
from rhapsody_lib.words.syllables import syllables
from rhapsody_lib.words.tokens import tokenize_line

#: The source whose songs are taken as they are, and how often each is read in an epoch.
SONGS_SOURCE, SONGS_TIMES = "songbook", 2
#: At least this share of a poem's lines has at most so many syllables, and this share rhymes within so many lines.
SHORT_SHARE, MOST_SYLLABLES, RHYMED_SHARE, RHYME_LINES = 0.9, 14, 0.4, 4
#: At most this share of its words is archaic after being modernised, and this share is in no dictionary (dialect).
ARCHAIC_SHARE, UNKNOWN_SHARE = 0.006, 0.05
_BATCH_ROWS = 512
#: An apostrophe that was lost before the collection was made: `don\ufffdt`.
_LOST_APOSTROPHE = re.compile(r"(?<=[A-Za-z])\ufffd(?=[A-Za-z])|(?<=s)\ufffd(?=\s)|\ufffd(?=(?:[Tt]is|[Tt]was)\b)")


@dataclass(frozen=True)
class Choice:
    """What a base model learns from: songs that were `kept`, by source, and poems that were `left_out`, by reason."""

    kept: dict[str, int]
    left_out: dict[str, int]


@lru_cache(maxsize=65536)
def _in_dictionary(word: str) -> bool:
    return phones(word) is not None


def _rhymed(ends: list[str]) -> int:
    """How many line ends rhyme with another one near by."""
    parts = [rhyme_part(end) for end in ends]

    def rhymes(place: int) -> bool:
        near = range(max(0, place - RHYME_LINES), min(len(ends), place + RHYME_LINES + 1))
        return any(parts[other] == parts[place] and ends[other] != ends[place] for other in near)

    return sum(map(rhymes, range(len(ends))))


def why_unfit(song: Lyrics) -> str | None:
    """Why a modernised poem is no model for a song of today: `empty`, `long_lines`, `unrhymed`, `archaic`, `dialect`.

    None where it is one.
    """
    lines = [tokens for line in song.lines if (tokens := tokenize_line(line))]
    words = [word for line in lines for word in line]
    if not words:
        return "empty"
    if sum(sum(len(syllables(word)) for word in line) <= MOST_SYLLABLES for line in lines) < SHORT_SHARE * len(lines):
        return "long_lines"
    if _rhymed([line[-1] for line in lines]) < RHYMED_SHARE * len(lines):
        return "unrhymed"
    if sum(map(is_archaic, words)) > ARCHAIC_SHARE * len(words):
        return "archaic"
    return "dialect" if sum(not _in_dictionary(word) for word in words) > UNKNOWN_SHARE * len(words) else None


def _chosen(row: dict[str, Any], kept: Counter[str], left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """The rows that one song of the corpus becomes."""
    if row["source"] == SONGS_SOURCE:
        times = SONGS_TIMES if row["split"] == "train" else 1
        kept[SONGS_SOURCE] += 1
        yield from ({**row, "song_id": f"{row['song_id']}~{time}"} for time in range(1, times + 1))
        return
    text = _LOST_APOSTROPHE.sub("'", row["lyrics"] or "").replace("\ufffd", " ")
    song = modern_lyrics(parse_lyrics(text, row["title"] or ""))
    reason = why_unfit(song)
    if reason:
        left_out[reason] += 1
        return
    kept[row["source"]] += 1
    yield {**row, "lyrics": song.text()}


def choose_songs(corpus: Path, out: Path) -> Choice:
    """Write the `songs` table that the base model is trained on, from that of a prepared corpus.

    Args:
        corpus: folder of the corpus: songs of the source `songbook`, and poems of any others.
        out: folder to write `songs.parquet` to; made where missing.

    Raises:
        SourceError: the corpus cannot be read, or nothing in it is fit.
    """
    kept: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with pq.ParquetFile(corpus / SONGS_FILE) as table, pq.ParquetWriter(out / SONGS_FILE, SONGS_SCHEMA) as writer:
            for batch in table.iter_batches(_BATCH_ROWS):
                rows = [chosen for row in batch.to_pylist() for chosen in _chosen(row, kept, left_out)]
                if rows:
                    writer.write_table(pa.Table.from_pylist(rows, schema=SONGS_SCHEMA))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{corpus / SONGS_FILE}: cannot be read ({error}). Prepare the corpus again.") from error
    if not kept:
        raise SourceError(f"{corpus}: holds no song that a base model could learn from (docs/decisions/0025).")
    return Choice(dict(sorted(kept.items())), dict(sorted(left_out.items())))
