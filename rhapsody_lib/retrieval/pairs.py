"""What the encoder is tuned on: pairs of texts of one song that share no line, cut anew in each epoch.

A text that is longer than a training text may be is drawn a part of, at random: so in time all of a song is read.
Where there is a table of lyrics that a model wrote from a line of a song, such a lyric is a text of that song too.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.corpus.schema import SONGS_FILE
from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.retrieval.corpus_songs import count_songs
from rhapsody_lib.retrieval.halves import different_sections, song_halves
from rhapsody_lib.retrieval.layout import METRICS_FILE
from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.seeding import generator
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.words.document import Lyrics, parse_lyrics

Pair = tuple[str, str]
#: Places of the tokens of a text: (first character, character after the last) of each.
Offsets = Callable[[str], Sequence[tuple[int, int]]]
#: Words that a text of a pair has at least; one of fewer says too little of its song.
_LEAST_WORDS = 6
#: Share of the pairs of a song of several stanzas that are two of them, and of others that are a span and the rest.
_STANZAS_SHARE, _SPANS_SHARE = 0.3, 0.3
#: Share of the pairs of a song of which a lyric was written that are this lyric and a part of the song.
_WRITTEN_SHARE = 0.5
_DRAWS = 4
#: Share of all artists, beside those held out, whose songs the tuning stops by; and how many songs at most.
STOPPING_SHARE, MOST_STOPPING = 0.05, 300
#: Songs without which an encoder is not tuned: fewer say nothing of songs of other artists.
LEAST_SONGS, LEAST_STOPPING = 100, 20
#: Batches whose pairs are sorted by length together.
_BATCHES_SORTED = 8
_READ = ("song_id", "title", "artist", "lyrics", "split")
#: Of a table of lyrics that were written from lines of songs.
WRITTEN_SCHEMA = pa.schema([("song_id", pa.string()), ("lyrics", pa.string())])


def heldout_artist(artist: str, share: float) -> bool:
    """Whether the songs of an artist are kept for evaluation: always the same artists, of any corpus.

    Those held out for a smaller share are among those held out for a larger one.

    Args:
        artist: as the corpus names it; case and outer blanks do not count.
        share: of all artists, in [0, 1].
    """
    digest = hashlib.sha256(artist.strip().casefold().encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def unread_artists(encoder: Path) -> float | None:
    """Share of the artists (`heldout_artist`) of whom a tuned encoder has read nothing; none if it has learnt nothing.

    Args:
        encoder: folder of the encoder.
    """
    try:
        found = json.loads((encoder / METRICS_FILE).read_text(encoding="utf-8"))
        if not found.get("best_epoch"):
            return None
        # Encoders were tuned before this was written down.
        return float(found.get("heldout_artists", EncoderSettings().heldout_artists))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


@dataclass(frozen=True)
class PairSong:
    """A song to draw pairs from: its different lines, stanza by stanza.

    `written` is a lyric that a model wrote from one of its lines, without the song's lines; empty where there is none.
    """

    song_id: str
    artist: str
    stanzas: tuple[tuple[str, ...], ...]
    halves: Pair
    written: str = ""

    @classmethod
    def of(cls, song_id: str, artist: str, lyrics: Lyrics) -> PairSong | None:
        """The song; none if it is too short to be cut in two."""
        halves = song_halves(lyrics)
        if halves is None or min(len(_joined(half.lines).split()) for half in halves) < _LEAST_WORDS:
            return None
        stanzas = tuple(section.lines for section in different_sections(lyrics))
        return cls(song_id, artist, stanzas, (_joined(halves[0].lines), _joined(halves[1].lines)))

    @property
    def lines(self) -> list[str]:
        """Its different lines."""
        return [line for stanza in self.stanzas for line in stanza]

    def with_written(self, lyrics: Lyrics) -> PairSong:
        """The same with a lyric that was written from one of its lines; the song's own lines are left out of it."""
        own = {tuple(words_of(line)) for line in self.lines}
        lines = [line for section in different_sections(lyrics) for line in section.lines]
        text = _joined([line for line in lines if tuple(words_of(line)) not in own])
        return replace(self, written=text if len(text.split()) >= _LEAST_WORDS else "")

    def draw(self, random: np.random.Generator) -> Pair:
        """Two texts of the song without a line in common: two stanzas, a span and the rest, or both sides of a cut.

        Where a lyric was written from a line of the song, that lyric and one of these texts as often as not.
        """
        for _ in range(_DRAWS):
            pair = self._drawn(random)
            if self.written and random.random() < _WRITTEN_SHARE:
                pair = (self.written, max(pair, key=len))
            if min(len(text.split()) for text in pair) >= _LEAST_WORDS:
                return pair if random.random() < 0.5 else (pair[1], pair[0])
        return self.halves

    def _drawn(self, random: np.random.Generator) -> Pair:
        lines = self.lines
        if len(lines) < 2:
            return self.halves
        chosen = random.random()
        if len(self.stanzas) > 1 and chosen < _STANZAS_SHARE:
            first, second = random.choice(len(self.stanzas), 2, replace=False)
            return _joined(self.stanzas[first]), _joined(self.stanzas[second])
        if len(lines) > 2 and chosen < _STANZAS_SHARE + _SPANS_SHARE:
            length = int(random.integers(1, len(lines) // 2 + 1))
            start = int(random.integers(0, len(lines) - length + 1))
            return _joined(lines[start : start + length]), _joined(lines[:start] + lines[start + length :])
        cut = int(random.integers(1, len(lines)))
        return _joined(lines[:cut]), _joined(lines[cut:])


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def part_of(text: str, offsets: Offsets, max_tokens: int, random: np.random.Generator) -> str:
    """A text of at most `max_tokens` tokens: a longer one's part that begins at a token drawn at random."""
    places = offsets(text)
    if len(places) <= max_tokens:
        return text
    start = int(random.integers(0, len(places) - max_tokens + 1))
    return text[places[start][0] : places[start + max_tokens - 1][1]]


# -- the songs of a corpus ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PairData:
    """Songs to draw pairs from, and songs of other artists by which the tuning stops.

    Args:
        train: songs that are trained on.
        stopping: songs whose second halves look for their first halves after each epoch.
        artists: different artists of the training songs.
        fingerprint: digest of all that was read.
    """

    train: tuple[PairSong, ...]
    stopping: tuple[PairSong, ...]
    artists: int
    fingerprint: str

    @property
    def lacks(self) -> str:
        """What there is too little of to tune on; empty where there is enough."""
        if len(self.train) < LEAST_SONGS:
            return f"{len(self.train)} songs to draw pairs from, and at least {LEAST_SONGS} are needed"
        if len(self.stopping) < LEAST_STOPPING:
            return f"{len(self.stopping)} songs of other artists to stop by, and at least {LEAST_STOPPING} are needed"
        return ""

    def epoch(self, number: int, songs: int, seed: int) -> list[PairSong]:
        """The songs of an epoch: the next `songs` of passes over all, each pass in another order; none twice."""
        parts = -(-len(self.train) // songs)
        order = generator(seed, "encoder", "pass", number // parts).permutation(len(self.train))
        return [self.train[index] for index in np.array_split(order, parts)[number % parts]]


class _Lowest:
    """Songs with the lowest digests of their ids, so many at most, gathered one after another."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._heap: list[tuple[int, int, PairSong]] = []  # the highest digest first

    def wants(self, song_id: str, place: int) -> bool:
        """Whether a song, the `place`-th row, is among the lowest: the others need not be parsed."""
        return self._most is None or len(self._heap) < self._most or (-_lot(song_id), -place) > self._heap[0][:2]

    def add(self, song: PairSong, place: int) -> None:
        """Take a song that is wanted, and leave the highest out if there is one too many."""
        heapq.heappush(self._heap, (-_lot(song.song_id), -place, song))
        if self._most is not None and len(self._heap) > self._most:
            heapq.heappop(self._heap)

    def in_order(self) -> tuple[PairSong, ...]:
        """As they stand in the corpus."""
        return tuple(song for _, _, song in sorted(self._heap, key=lambda held: -held[1]))

    def by_lot(self) -> tuple[PairSong, ...]:
        """By their digests."""
        return tuple(song for _, _, song in sorted(self._heap, reverse=True))


def _lot(song_id: str) -> int:
    return int.from_bytes(hashlib.sha256(song_id.encode()).digest(), "big")


def songs_to_read(settings: EncoderSettings) -> int:
    """Songs that a tuning reads at most: those of all its epochs."""
    return settings.max_epochs * settings.epoch_songs


def load_pairs(
    corpus: Path, heldout_share: float, written: Path | None = None, *, most_songs: int | None = None
) -> PairData:
    """Songs of a prepared corpus, by artist: those of held-out artists are not read, the next few stop the tuning.

    A song of no named artist counts as of an artist of its own. Held-out songs of the corpus are not read either, for
    releases are compared by them.

    Args:
        corpus: folder with songs.parquet.
        heldout_share: share of the artists that is kept for evaluation.
        written: table of `WRITTEN_SCHEMA`, if there is one: lyrics that were written from lines of songs.
        most_songs: training songs at most, those with the lowest digests of their ids (`songs_to_read`); none: all.

    Raises:
        SourceError: the corpus holds no song.
        DamagedArtifactError: a table cannot be read.
    """
    count_songs(corpus)
    lyrics_of = {row["song_id"]: row["lyrics"] for row in _rows(written, WRITTEN_SCHEMA.names)} if written else {}
    digest = hashlib.sha256(str(heldout_share).encode())
    train, stopping = _Lowest(most_songs), _Lowest(MOST_STOPPING)
    for place, row in enumerate(_rows(corpus / SONGS_FILE, _READ)):
        artist = row["artist"] or row["song_id"]
        if row["split"] != "train" or heldout_artist(artist, heldout_share):
            continue
        stops = heldout_artist(artist, heldout_share + STOPPING_SHARE)
        if not stops and not train.wants(row["song_id"], place):
            continue
        song = PairSong.of(row["song_id"], artist, parse_lyrics(row["lyrics"] or "", row["title"] or ""))
        if song is None:
            continue
        if song.song_id in lyrics_of:
            song = song.with_written(parse_lyrics(lyrics_of[song.song_id]))
            digest.update(song.written.encode("utf-8", "replace"))
        stanzas = map(_joined, song.stanzas)
        digest.update("\x1f".join((song.song_id, artist, *song.halves, *stanzas)).encode("utf-8", "replace"))
        (stopping if stops else train).add(song, place)
    songs = train.in_order()
    return PairData(songs, stopping.by_lot(), len({song.artist for song in songs}), digest.hexdigest())


def _rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(256, columns=list(columns)):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DamagedArtifactError(f"{path}: cannot be read ({error}). Prepare the corpus again.") from error


def batches(pairs: Sequence[Pair], size: int, random: np.random.Generator) -> list[list[Pair]]:
    """Batches of about `size` pairs of like lengths, in a random order, so that little of a batch is padding.

    What would be left over is shared out: a batch of few pairs would have few wrong answers to tell apart.
    """
    groups, made = max(1, round(len(pairs) / (size * _BATCHES_SORTED))), list[list[Pair]]()
    for group in np.array_split(np.arange(len(pairs)), groups):
        part = sorted((pairs[index] for index in group), key=lambda pair: sum(map(len, pair)))
        count = max(1, round(len(part) / size))
        made += [[part[index] for index in rows] for rows in np.array_split(np.arange(len(part)), count)]
    return [made[index] for index in random.permutation(len(made))]
