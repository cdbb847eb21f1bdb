"""The tracks of a prepared corpus as token sequences, cut into crops for training."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rhapsody_lib.backing.context import context_rows
from rhapsody_lib.backing.copying import MelodyIndex, Onsets, melody_onsets
from rhapsody_lib.backing.tokens import HEADER_TOKENS, TokenSong, encode
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.corpus.schema import SONGS_FILE, TRACKS_FILE
from rhapsody_lib.errors import InputError, SourceError, UnreadableFileError
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import Score

logger = logging.getLogger(__name__)

#: Tokens that a song may have to be measured on: this bounds memory.
MOST_TOKENS = 20_000
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

    Where no song is held out, `heldout` is a training song, and `measured_on` says so.
    """

    vocabulary: Vocabulary
    train: tuple[PackedSong, ...]
    heldout: tuple[PackedSong, ...]
    skipped: int
    melodies: MelodyIndex
    measured_on: str = HELDOUT_SONGS

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


def load_data(corpus: Path) -> BackingData:
    """Encode every track of a corpus. Held-out songs of more than `MOST_TOKENS` are left out.

    Raises:
        SourceError: there is no corpus, or no track of it can be used for training.
        MissingExtraError: symusic is not installed.
    """
    styles: set[str] = set()
    found: list[tuple[str, str, TokenSong]] = []
    melodies: dict[str, list[Onsets]] = {"train": [], "heldout": []}
    skipped, draft = 0, Vocabulary(())
    for song_id, split, midi in _tracks(corpus):
        try:
            score = midi_to_score(midi, song_id)
            song = encode(draft, score)
        except (InputError, UnreadableFileError):
            skipped += 1
            continue
        if song.bars:
            found.append((split, score.style, song))
            melodies[split].append(melody_onsets(score))
            styles.add(score.style)
    vocabulary = Vocabulary(tuple(sorted(styles - {""})))
    packed: dict[str, list[PackedSong]] = {"train": [], "heldout": []}
    for split, style, song in found:
        # Styles are the last ids, so all other tokens of the draft vocabulary are right already.
        headers = tuple((vocabulary.style(style), *header[1:]) for header in song.headers)
        named = TokenSong(headers, song.bars, song.end)
        packed[split].append(pack(vocabulary, named, drop_repeats=split == "train"))
    if not packed["train"]:
        raise SourceError(
            f"{corpus}: none of its tracks can be used for training ({skipped} skipped). Prepare it from sources with "
            "music, such as the embedded songbook."
        )
    heldout = tuple(song for song in packed["heldout"] if len(song.ids) <= MOST_TOKENS)
    if not heldout:
        logger.warning(
            "No song with music that could be measured on is held out: the figures named heldout are of a training "
            "song, and flattered. Hold more out (corpus.heldout_share), or train on more songs."
        )
    index = MelodyIndex.build(melodies["train"], melodies["heldout"])
    train = tuple(packed["train"])
    measured_on = HELDOUT_SONGS if heldout else TRAINING_SONGS
    return BackingData(vocabulary, train, heldout or train[:1], skipped, index, measured_on)


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
