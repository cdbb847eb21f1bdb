"""The tracks of a prepared corpus as token sequences, cut into crops for training.

Of a corpus with more music than a training reads, songs are drawn by lot while its tracks are read one after another:
what is held in memory is bounded by tokens, whatever the corpus is.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rhapsody_lib.backing.context import context_rows
from rhapsody_lib.backing.copying import MelodyIndex, melody_onsets
from rhapsody_lib.backing.tokens import HEADER_TOKENS, TokenSong, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.errors import InputError, SourceError, UnreadableFileError
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import Score
from rhapsody_lib.settings import BackingSettings

logger = logging.getLogger(__name__)

#: Tokens that a song may have to be measured on: this bounds memory.
MOST_TOKENS = 20_000
#: Training songs are read until they have so many tokens, more only where the epochs read more; and held-out songs.
LEAST_TRAIN_TOKENS, MOST_HELDOUT_TOKENS = 8_000_000, 2_000_000
#: Hexadecimal digits of a song's mark.
_MARK_DIGITS = 16
HELDOUT_SONGS, TRAINING_SONGS = "held-out songs", "training songs"


@dataclass(frozen=True)
class PackedSong:
    """One song for the network: header, bars, `End`.

    Args:
        ids: [tokens].
        rows: [tokens x COLUMNS], the network's input at each token.
        mark: what the whole song is known by, also where its repeats were left out (`song_mark`).
    """

    ids: NDArray[np.int16]
    rows: NDArray[np.int16]
    mark: str


@dataclass(frozen=True)
class BackingData:
    """Training and held-out songs, how many tracks the tokens could not say, and the melodies learnt.

    Where no song is held out, `heldout` is a training song, and `measured_on` says so. `train_songs_in_corpus` are the
    training songs with music that the corpus has; where they are more than `train`, `skipped` is of those looked at.
    """

    vocabulary: Vocabulary
    train: tuple[PackedSong, ...]
    heldout: tuple[PackedSong, ...]
    skipped: int
    melodies: MelodyIndex
    measured_on: str = HELDOUT_SONGS
    train_songs_in_corpus: int = 0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all tokens."""
        digest = hashlib.sha256("\n".join(self.vocabulary.names).encode())
        for songs in (self.train, self.heldout):
            digest.update(b"songs")
            for song in songs:
                digest.update(song.ids.tobytes())
        return digest.hexdigest()


def song_mark(ids: NDArray[np.int16]) -> str:
    """What a whole song is known by: a digest of its tokens after the header, the same in any key and style."""
    return hashlib.sha256(ids[HEADER_TOKENS:].astype("<i2").tobytes()).hexdigest()[:_MARK_DIGITS]


def score_mark(score: Score) -> str:
    """The mark of a score; empty for one that the tokens cannot say."""
    try:
        return song_mark(np.asarray(encode(Vocabulary(()), score).ids, dtype=np.int16))
    except InputError:
        return ""


def _new_bars(vocabulary: Vocabulary, song: TokenSong) -> list[int]:
    """Bars outside sections heard before, note for note save velocities: a chorus that returns teaches little new."""
    sections = vocabulary.span("section")
    frame = vocabulary.mask("bar", "section", "metre", "tempo", "line", "velocity")
    begins = [0, *(i for i, bar in enumerate(song.bars) if i and any(sections.start <= t < sections.stop for t in bar))]
    seen: set[tuple[tuple[int, ...], ...]] = set()
    kept: list[int] = []
    for begin, end in zip(begins, [*begins[1:], len(song.bars)], strict=True):
        music = tuple(tuple(token for token in bar if not frame[token]) for bar in song.bars[begin:end])
        if music not in seen:
            seen.add(music)
            kept.extend(range(begin, end))
    return kept


def pack(vocabulary: Vocabulary, song: TokenSong, *, drop_repeats: bool) -> PackedSong:
    """Arrays of a song. Hints are looked up in the whole song, also where repeated sections are then left out."""
    ids = np.asarray(song.ids, dtype=np.int16)
    rows, mark = context_rows(vocabulary, song.ids), song_mark(ids)
    if not drop_repeats:
        return PackedSong(ids, rows, mark)
    starts = HEADER_TOKENS + np.concatenate([[0], np.cumsum([len(bar) for bar in song.bars])])
    kept = [np.arange(starts[bar], starts[bar + 1]) for bar in _new_bars(vocabulary, song)]
    places = np.concatenate([np.arange(HEADER_TOKENS), *kept, [len(ids) - 1]])
    return PackedSong(ids[places], rows[places], mark)


def _tracks(corpus: Path) -> Iterator[tuple[str, str, bytes]]:
    """(song id, split, MIDI) of each track."""
    if not (corpus / TRACKS_FILE).is_file() or not (corpus / SONGS_FILE).is_file():
        raise SourceError(f"{corpus}: holds no {SONGS_FILE} and {TRACKS_FILE}. Prepare a corpus first.")
    songs = pq.read_table(corpus / SONGS_FILE, columns=["song_id", "split"])
    split = dict(zip(songs["song_id"].to_pylist(), songs["split"].to_pylist(), strict=True))
    for batch in pq.ParquetFile(corpus / TRACKS_FILE).iter_batches(batch_size=64, columns=["song_id", "midi"]):
        for song_id, midi in zip(batch["song_id"].to_pylist(), batch["midi"].to_pylist(), strict=True):
            if song_id in split:
                yield song_id, split[song_id], midi


@dataclass(frozen=True)
class _Read:
    """A track that was read: its style, its tokens, its melody's (grid step, pitch) [notes x 2], and what it counts."""

    style: str
    song: TokenSong
    onsets: NDArray[np.int32]
    tokens: int


class _Draw:
    """Tracks of the songs with the lowest digests, as few as have so many tokens together; all where all have less."""

    def __init__(self, most_tokens: int) -> None:
        self.most_tokens, self.tokens, self.offered = most_tokens, 0, 0
        self._drawn: list[tuple[int, int, _Read]] = []  # the highest digest first

    def wants(self, song_id: str, place: int) -> bool:
        """Whether a track, the `place`-th of the corpus, is among the lowest: the others need not be parsed."""
        self.offered += 1
        return self.tokens < self.most_tokens or (-_lot(song_id), -place) > self._drawn[0][:2]

    def add(self, song_id: str, place: int, read: _Read) -> None:
        """Take a track, and leave those out that are no longer needed."""
        heapq.heappush(self._drawn, (-_lot(song_id), -place, read))
        self.tokens += read.tokens
        while self.tokens - self._drawn[0][2].tokens >= self.most_tokens:
            self.tokens -= heapq.heappop(self._drawn)[2].tokens

    def in_order(self) -> list[_Read]:
        """The tracks in the corpus's order."""
        return [read for _, _, read in sorted(self._drawn, key=lambda drawn: -drawn[1])]


def _lot(song_id: str) -> int:
    return int.from_bytes(hashlib.sha256(song_id.encode("utf-8", "replace")).digest()[:8], "big")


def _read(vocabulary: Vocabulary, song_id: str, midi: bytes, *, drop_repeats: bool) -> _Read | None:
    score = midi_to_score(midi, song_id)
    song = encode(vocabulary, score)
    if not song.bars:
        return None
    bars = (song.bars[bar] for bar in _new_bars(vocabulary, song)) if drop_repeats else song.bars
    onsets = np.asarray(melody_onsets(score), dtype=np.int32).reshape(-1, 2)
    return _Read(score.style, song, onsets, HEADER_TOKENS + sum(map(len, bars)) + 1)


def tokens_to_read(settings: BackingSettings) -> int:
    """Tokens of the training songs that are read of a corpus that has more."""
    return max(LEAST_TRAIN_TOKENS, settings.max_epochs * settings.epoch_tokens)


def load_data(corpus: Path, most_tokens: int = LEAST_TRAIN_TOKENS) -> BackingData:
    """Encode the tracks of a corpus. Held-out songs of more than `MOST_TOKENS` are left out.

    Of a corpus with more training songs than have `most_tokens` tokens (`tokens_to_read`), or more held-out songs than
    have `MOST_HELDOUT_TOKENS`, those with the lowest digests of their ids are read: always the same ones, also beside
    songs that are added. The styles and melodies are those of the songs that were read.

    Raises:
        SourceError: there is no corpus, or no track of it can be used for training.
        MissingExtraError: symusic is not installed.
    """
    draws = {"train": _Draw(most_tokens), "heldout": _Draw(MOST_HELDOUT_TOKENS)}
    skipped, draft = 0, Vocabulary(())
    for place, (song_id, split, midi) in enumerate(_tracks(corpus)):
        if not draws[split].wants(song_id, place):
            continue
        try:
            read = _read(draft, song_id, midi, drop_repeats=split == "train")
        except (InputError, UnreadableFileError):
            skipped += 1
            continue
        if read:
            draws[split].add(song_id, place, read)
    found = {split: draw.in_order() for split, draw in draws.items()}
    if not found["train"]:
        raise SourceError(
            f"{corpus}: none of its tracks can be used for training ({skipped} skipped). Prepare it from sources with "
            "music, such as the embedded songbook."
        )
    vocabulary = Vocabulary(tuple(sorted({read.style for reads in found.values() for read in reads} - {""})))
    index = MelodyIndex.build(*([read.onsets.tolist() for read in found[split]] for split in ("train", "heldout")))
    train = _packed(vocabulary, found["train"], drop_repeats=True)
    heldout = tuple(s for s in _packed(vocabulary, found["heldout"], drop_repeats=False) if len(s.ids) <= MOST_TOKENS)
    if not heldout:
        logger.warning(
            "No song with music that could be measured on is held out: the figures named heldout are of a training "
            "song, and flattered. Hold more out (corpus.heldout_share), or train on more songs."
        )
    measured_on, in_corpus = HELDOUT_SONGS if heldout else TRAINING_SONGS, draws["train"].offered
    return BackingData(vocabulary, train, heldout or train[:1], skipped, index, measured_on, in_corpus)


def _packed(vocabulary: Vocabulary, reads: Sequence[_Read], *, drop_repeats: bool) -> tuple[PackedSong, ...]:
    packed = []
    for read in reads:
        # Styles are the last ids, so all other tokens of the draft vocabulary are right already.
        headers = tuple((vocabulary.style(read.style), *header[1:]) for header in read.song.headers)
        named = TokenSong(headers, read.song.bars, read.song.end)
        packed.append(pack(vocabulary, named, drop_repeats=drop_repeats))
    return tuple(packed)


def streams(
    songs: Sequence[PackedSong], count: int, random: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """All songs in shuffled order, one after another, cut into equal streams that are read side by side.

    Returns:
        Rows [streams x time x COLUMNS] and the token after each [streams x time]; less than `count` tokens are lost.
    """
    order = [songs[index] for index in random.permutation(len(songs))]
    ids = np.concatenate([song.ids for song in order])
    rows = np.concatenate([song.rows for song in order])
    time = max(1, (len(ids) - 1) // count)
    lines = min(count, len(ids) - 1)
    return (
        rows[: lines * time].reshape(lines, time, rows.shape[1]),
        ids[1 : lines * time + 1].reshape(lines, time),
    )
