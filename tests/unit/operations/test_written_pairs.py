"""Lyrics to tune the encoder on are written from lines of songs that it may read, and hold no line of the prompt."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.lyrics.decoder import prompt_lines
from rhapsody_lib.operations import written_pairs
from rhapsody_lib.retrieval.pairs import heldout_artist, load_pairs
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.words.document import parse_lyrics


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Songs of two lines, the first of fifteen words; one of short lines, and nine with lines of 400 syllables."""
    texts = [f"song number {number} {'has a long line ' * 4}\nand another one of six words" for number in range(60)]
    texts.append("\n".join(f"la {number}" for number in range(12)))
    hummed = [f"oh my darling sing it {part * 400}" for part in ("na-", "la-")]
    texts += ["\n".join([*hummed, f"and a long refrain of song {number}"]) for number in range(9)]
    rows = [
        {"song_id": f"song-{number}", "artist": f"Artist {number}", "lyrics": text, "split": "train"}
        for number, text in enumerate(texts)
    ]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), tmp_path / SONGS_FILE)
    return tmp_path


def test_each_is_written_from_a_line_of_its_song_and_holds_none(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def write(model: Any, prompt: str, *, seed: int, **_: Any) -> Any:
        asked.append((prompt, seed))
        text = f"{prompt}\nfresh words number {len(asked)}\n\n{prompt.upper()}!\n\nat the end"
        return SimpleNamespace(best=SimpleNamespace(lyrics=parse_lyrics(text)))

    monkeypatch.setattr(written_pairs, "LyricsModel", SimpleNamespace(load=lambda folder: folder))
    monkeypatch.setattr(written_pairs, "write_lyrics", write)
    settings = EncoderSettings(heldout_artists=0.4, generated_pairs=9)
    rows = pq.read_table(written_pairs.write_pairs(corpus, corpus, corpus, settings, seed=1)).to_pylist()
    first = list(asked)
    assert len(rows) == len(asked) == 9
    assert [row["lyrics"] for row in rows] == [f"fresh words number {n}\n\nat the end" for n in range(1, 10)]
    lyrics = {row["song_id"]: row["lyrics"] for row in pq.read_table(corpus / SONGS_FILE).to_pylist()}
    for row, (prompt, _) in zip(rows, asked, strict=True):
        assert prompt in lyrics[row["song_id"]]
        assert 3 <= len(prompt.split()) <= 12
        assert not heldout_artist(f"Artist {row['song_id'].removeprefix('song-')}", 0.4)
    assert sum(bool(song.written) for song in load_pairs(corpus, 0.4, corpus / "written.parquet").train) == 9
    written_pairs.write_pairs(corpus, corpus, corpus, settings, seed=1)
    assert asked[9:] == first
    assert len({seed for _, seed in asked}) == 9


def test_a_song_whose_line_is_too_long_a_prompt_is_passed_over(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(model: Any, prompt: str, **_: Any) -> Any:
        prompt_lines(prompt)
        return SimpleNamespace(best=SimpleNamespace(lyrics=parse_lyrics("a line of its own")))

    monkeypatch.setattr(written_pairs, "LyricsModel", SimpleNamespace(load=lambda folder: folder))
    monkeypatch.setattr(written_pairs, "write_lyrics", write)
    settings = EncoderSettings(heldout_artists=0.001, generated_pairs=99)
    read = {song.song_id for song in load_pairs(corpus, 0.001).train}
    rows = pq.read_table(written_pairs.write_pairs(corpus, corpus, corpus, settings, seed=1)).to_pylist()
    written = {row["song_id"] for row in rows}
    assert {f"song-{number}" for number in range(60)} & read <= written
    # Of three lines one can be a prompt; which one is taken is drawn.
    long = {f"song-{number}" for number in range(61, 70)} & read
    assert 0 < len(long & written) < len(long)
