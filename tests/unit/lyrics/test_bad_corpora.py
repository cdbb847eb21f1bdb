"""Corpora nobody would wish for, through the ordinary steps: a song comes out, or one error that says what is wrong."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import Store
from rhapsody_lib.corpus.songbook import read_song
from rhapsody_lib.corpus.songbook_reader import song_lyrics
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.decoder import LyricsResult
from rhapsody_lib.release import Release
from rhapsody_lib.settings import Settings, SongSettings, load_settings
from rhapsody_lib.words.tokens import tokenize_line
from tests.trained import SONGBOOK, TINY

PROMPT = "the sky is blue"
FOREIGN = {
    "de": "Am Brunnen vor dem Tore da steht ein Lindenbaum\nIch träumt in seinem Schatten so manchen süßen Traum\n",
    "es": "De la sierra morena cielito lindo vienen bajando\nUn par de ojitos negros cielito lindo de contrabando\n",
    "ru": "Выходила на берег Катюша на высокий берег на крутой\nВыходила песню заводила про степного сизого орла\n",
}


def texts(count: int) -> list[str]:
    """Songs of the songbook as plain text."""
    paths = sorted(path for style in ("folk", "pop", "rock") for path in (SONGBOOK / style).glob("*.txt"))
    return [song_lyrics(read_song(path)).text() for path in paths[:count]]


def settings_with(*changes: str) -> Settings:
    return load_settings(TINY, ["lyrics.max_epochs=1", *changes])


def trained(folder: Path, lyrics: Iterable[str], settings: Settings) -> tuple[Path, Release]:
    """A table of songs, prepared and trained on; the corpus's folder, and what a song is written from."""
    table, store = folder / "songs.csv", str(folder / "store")
    with table.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["title", "artist", "lyrics"])
        rows.writerows([f"Song {number}", "Somebody", text] for number, text in enumerate(lyrics))
    corpus = operations.prepare_corpus(store, settings, [str(table)])
    model = operations.train_lyrics(store, settings, corpus)
    return Store(store).fetch(corpus), Release(1, {"corpus": corpus, "lyrics": model}, {}, None, "", "")


def written(folder: Path, release: Release) -> LyricsResult:
    request = SongSettings(prompt=PROMPT, candidates=2, max_lines=12)
    result = operations.write_lyrics(str(folder / "store"), release, request)
    lines = result.best.lyrics.lines
    assert lines[0] == PROMPT
    assert len(lines) >= 4
    assert "<unk>" not in result.best.lyrics.text()
    return result


@pytest.mark.parametrize("case", ["three songs", "all capitals", "lines of 10,000 words", "mixed languages"])
def test_a_song_comes_out(case: str, tmp_path: Path) -> None:
    songs, settings = texts(8), settings_with()
    if case == "three songs":
        songs = songs[:3]
    elif case == "all capitals":
        songs = [text.upper() for text in songs]
    elif case == "lines of 10,000 words":
        words = random.Random(0).choices(" ".join(songs).split(), k=10_000)
        songs = [*songs, " ".join(words)]
    else:
        songs, settings = [*songs, *FOREIGN.values()], settings_with("corpus.language=any", "lyrics.patience=1")
    corpus, release = trained(tmp_path, songs, settings)
    song = written(tmp_path, release).best.lyrics
    if case == "all capitals":
        assert song.text() != song.text().upper()
    if case == "mixed languages":
        assert sum(1 for _ in read_songs(corpus)) == len(songs)
    assert max(len(line.split()) for line in song.lines) < 20


def test_a_song_repeated_a_thousand_times_is_one_song(tmp_path: Path) -> None:
    """The copies are told and left out; of one song none is held out, and it is not sung again."""
    corpus, release = trained(tmp_path, texts(1) * 1000, settings_with())
    assert [row["split"] for row in read_songs(corpus)] == ["train"]
    result = written(tmp_path, release)
    assert result.best.copying.copied_runs == 0


@pytest.mark.parametrize("line", ["love", "LOVE LOVE LOVE", "love love love love love love love love"])
def test_one_word_repeated_is_one_error(line: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"too_short 1.*docs/data\.md") as stop:
        trained(tmp_path, ["\n".join([line] * 50)], settings_with())
    assert "\n" not in str(stop.value)


def test_one_line_repeated_trains_to_a_song(tmp_path: Path) -> None:
    """A model that knows six words says nothing but these."""
    line = "love me like the river do"
    _, release = trained(tmp_path, ["\n".join([line] * 50)], settings_with())
    request = SongSettings(prompt=PROMPT, candidates=2, max_lines=12)
    lines = operations.write_lyrics(str(tmp_path / "store"), release, request).best.lyrics.lines
    known = {*line.split(), *PROMPT.split()}
    assert lines[0] == PROMPT
    assert {word for line in lines for word in tokenize_line(line)} <= known


def test_a_corpus_of_other_languages_is_one_error_that_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"corpus\.language"):
        trained(tmp_path, [text * 4 for text in FOREIGN.values()], settings_with())
    assert not list((tmp_path / "store" / "artifacts").glob("lyrics/*"))
