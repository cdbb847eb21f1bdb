"""Lyrics that the lyrics model writes from lines of songs, for the encoder to be tuned on beside these songs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rhapsody_lib.errors import InputError
from rhapsody_lib.lyrics.decoder import prompt_lines, write_lyrics
from rhapsody_lib.lyrics.model import LyricsModel
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.retrieval.pairs import WRITTEN_SCHEMA, PairSong, load_pairs, songs_to_read
from rhapsody_lib.retrieval.yardsticks import by_digest
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.words.document import LyricSection
from rhapsody_lib.words.tokens import tokenize_line

WRITTEN_FILE = "written.parquet"
#: Words of a prompt, which is the beginning of a line.
_LEAST_WORDS, _MOST_WORDS = 3, 12
#: Enough for a text of a pair, at little cost.
_CANDIDATES, _MOST_LINES = 1, 12


def write_pairs(
    corpus: Path,
    lyrics: Path,
    out: Path,
    settings: EncoderSettings,
    *,
    seed: int,
    progress: Progress = silent,
) -> Path:
    """Write a lyric from a line of each of `settings.generated_pairs` songs that the encoder is tuned on.

    The prompt is no part of it: the pair would share it.

    Args:
        corpus: folder with songs.parquet.
        lyrics: folder of a lyrics model.
        out: folder for the table.
        settings: how many, and whose artists' songs are not read.
        seed: root seed of the encoder.
        progress: told of each lyric.

    Returns:
        The table, of `pairs.WRITTEN_SCHEMA`.

    Raises:
        DamagedArtifactError: the corpus or the lyrics model cannot be read.
        SourceError: the corpus holds no song.
    """
    chosen = _chosen(corpus, settings, seed)
    model = LyricsModel.load(lyrics)
    rows = []
    for number, (song_id, prompt) in enumerate(chosen, start=1):
        rows.append({"song_id": song_id, "lyrics": _written(model, prompt, split_seed(seed, song_id))})
        progress(number, len(chosen), "lyrics written to tune on")
    pq.write_table(pa.Table.from_pylist(rows, WRITTEN_SCHEMA), out / WRITTEN_FILE)
    return out / WRITTEN_FILE


def _chosen(corpus: Path, settings: EncoderSettings, seed: int) -> list[tuple[str, str]]:
    """Ids of the first songs by digest that have a prompt, and their prompts; the songs themselves are let go."""
    data = load_pairs(corpus, settings.heldout_artists, most_songs=songs_to_read(settings))
    songs = sorted(data.train, key=lambda song: by_digest(song.song_id))
    prompted = ((song.song_id, prompt) for song in songs if (prompt := _prompt(song, seed)))
    return list(itertools.islice(prompted, settings.generated_pairs))


def _prompt(song: PairSong, seed: int) -> str:
    """The beginning of a line of a song; empty where no line has enough words, or one "word" is too many by hyphens."""
    lines = [line for line in song.lines if len(line.split()) >= _LEAST_WORDS and tokenize_line(line)]
    if not lines:
        return ""
    line = lines[int(generator(seed, "encoder", "prompts", song.song_id).integers(len(lines)))]
    prompt = " ".join(line.split()[:_MOST_WORDS])
    try:
        prompt_lines(prompt)
    except InputError:
        return ""
    return prompt


def _written(model: LyricsModel, prompt: str, seed: int) -> str:
    found = write_lyrics(model, prompt, seed=seed, candidates=_CANDIDATES, max_lines=_MOST_LINES).best.lyrics
    return "\n\n".join("\n".join(lines) for lines in _without(prompt, found.sections))


def _without(prompt: str, sections: tuple[LyricSection, ...]) -> Iterator[list[str]]:
    """Lines of each section but those of the prompt, which the hook may repeat."""
    told = tokenize_line(prompt)
    for section in sections:
        lines = [line for line in section.lines if tokenize_line(line) != told]
        if lines:
            yield lines
