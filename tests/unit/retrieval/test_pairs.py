"""Pairs share no line, their artists are disjoint, and in time all of a song is read."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.corpus.schema import SONGS_FILE, SONGS_SCHEMA
from rhapsody_lib.errors import DamagedArtifactError, SourceError
from rhapsody_lib.retrieval import pairs
from rhapsody_lib.retrieval.lexical import words_of
from rhapsody_lib.retrieval.pairs import PairData, PairSong, batches, heldout_artist, load_pairs, part_of
from rhapsody_lib.settings import EncoderSettings
from rhapsody_lib.words.document import parse_lyrics

LINES = st.lists(
    st.one_of(st.text("abc ", min_size=1, max_size=40), st.sampled_from(["la la la la la la la", ""])), max_size=24
)


def write(folder: Path, songs: list[tuple[str, str, str]]) -> Path:
    """A corpus of (artist, lyrics, split)."""
    folder.mkdir(exist_ok=True)
    rows = [
        {"song_id": f"song-{number}", "title": f"Song {number}", "artist": artist, "lyrics": lyrics, "split": split}
        for number, (artist, lyrics, split) in enumerate(songs)
    ]
    pq.write_table(pa.Table.from_pylist(rows, SONGS_SCHEMA), folder / SONGS_FILE)
    return folder


def words(number: int) -> str:
    return "\n".join(f"line {line} of the song that is number{number}" for line in range(4))


def test_the_share_of_artists_is_held_out_and_smaller_shares_lie_in_larger_ones():
    artists = [f"Artist {number}" for number in range(2000)]
    held = {share: {artist for artist in artists if heldout_artist(artist, share)} for share in (0.0, 0.2, 0.5, 1.0)}
    assert held[0.0] < held[0.2] < held[0.5] < held[1.0] == set(artists)
    assert 0.17 < len(held[0.2]) / 2000 < 0.23
    assert all(heldout_artist(f" {artist.upper()} ", 0.2) for artist in held[0.2])


@given(LINES, st.integers(0, 2**32))
def test_a_pair_shares_no_line(lines, seed):
    lyrics = parse_lyrics("\n".join(lines))
    song = PairSong.of("id", "artist", lyrics)
    if song is None:
        return
    random = np.random.default_rng(seed)
    for _ in range(6):
        ours, theirs = ({tuple(words_of(line)) for line in text.splitlines()} for text in song.draw(random))
        assert ours
        assert theirs
        assert len(song.stanzas) == 1 == len(song.stanzas[0]) or not ours & theirs
        assert ours | theirs <= {tuple(words_of(line)) for line in lyrics.lines} or len(song.stanzas[0]) == 1


def test_cuts_differ_from_epoch_to_epoch_and_read_every_line():
    text = "\n\n".join("\n".join(f"verse {v} line {n} with words of its own" for n in range(5)) for v in range(4))
    song = PairSong.of("id", "artist", parse_lyrics(text))
    assert song is not None
    random = np.random.default_rng(0)
    drawn = [song.draw(random) for _ in range(60)]
    assert len(set(drawn)) > 30
    assert {line for pair in drawn for side in pair for line in side.splitlines()} == set(text.split("\n")) - {""}


def test_of_a_long_text_each_token_is_drawn_in_time():
    text = " ".join(f"word{number}" for number in range(50))

    def offsets(of: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer(r"\w+", of)]

    random = np.random.default_rng(0)
    parts = [part_of(text, offsets, 8, random) for _ in range(300)]
    assert {len(part.split()) for part in parts} == {8}
    assert {word for part in parts for word in part.split()} == set(text.split())
    assert part_of("short enough", offsets, 8, random) == "short enough"


def test_an_epoch_takes_no_song_twice_and_a_pass_takes_all():
    songs = tuple(PairSong(str(number), "a", (("x",),), ("x", "y")) for number in range(25))
    data = PairData(songs, (), 1, "")
    passes = [[song.song_id for part in range(3) for song in data.epoch(3 * number + part, 10, 0)] for number in (0, 1)]
    for taken in passes:
        assert sorted(taken, key=int) == [str(number) for number in range(25)]
    assert passes[0] != passes[1]
    assert max(len(data.epoch(number, 10, 0)) for number in range(6)) <= 10


@pytest.mark.parametrize("count", [1, 7, 8, 31, 65, 70, 520])
def test_batches_hold_every_pair_once_and_none_is_small(count):
    made = [(f"{number}", "x" * (number % 13)) for number in range(count)]
    found = batches(made, 8, np.random.default_rng(0))
    assert Counter(pair for batch in found for pair in batch) == Counter(made)
    assert all(min(count, 6) <= len(batch) <= 12 for batch in found)


def test_no_artist_is_on_two_sides_and_held_out_songs_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "STOPPING_SHARE", 0.3)
    artists = [f"Artist {number % 40}" for number in range(120)]
    songs = [(artist, words(n), "heldout" if n % 5 == 0 else "train") for n, artist in enumerate(artists)]
    corpus = write(tmp_path, [*songs, ("Artist 1", "too short", "train"), ("", "", "train")])
    data = load_pairs(corpus, 0.3)
    ours, theirs = ({song.artist for song in side} for side in (data.train, data.stopping))
    assert ours
    assert theirs
    assert not ours & theirs
    assert not any(heldout_artist(artist, 0.3) for artist in ours | theirs)
    held = {f"song-{number}" for number in range(0, 120, 5)}
    assert not held & {song.song_id for song in (*data.train, *data.stopping)}
    assert data.artists == len(ours)
    assert load_pairs(corpus, 0.3) == data
    assert "are needed" in data.lacks
    monkeypatch.setattr(pairs, "LEAST_SONGS", 5)
    monkeypatch.setattr(pairs, "LEAST_STOPPING", 5)
    assert not data.lacks


def test_a_lyric_that_was_written_from_a_line_is_a_text_of_its_song(tmp_path):
    corpus = write(tmp_path, [(f"Artist {number}", words(number), "train") for number in range(3)])
    written = "a new line of six words\nline 2 of the song that is number1\nand one more\n\na new line of six words"
    rows = [{"song_id": "song-1", "lyrics": written}, {"song_id": "song-2", "lyrics": "too short"}]
    pq.write_table(pa.Table.from_pylist(rows, pairs.WRITTEN_SCHEMA), tmp_path / "written.parquet")
    plain, data = load_pairs(corpus, 0.0), load_pairs(corpus, 0.0, tmp_path / "written.parquet")
    songs = {song.song_id: song for song in (*data.train, *data.stopping)}
    # The song's own line is not in it, and none stands twice.
    assert [songs[f"song-{number}"].written for number in range(3)] == ["", "a new line of six words\nand one more", ""]
    assert plain.fingerprint != data.fingerprint
    random = np.random.default_rng(0)
    drawn = [songs["song-1"].draw(random) for _ in range(200)]
    share = np.mean([songs["song-1"].written in pair for pair in drawn])
    assert 0.4 < share < 0.6
    for pair in drawn:
        ours, theirs = (set(text.splitlines()) for text in pair)
        assert not ours & theirs
    (tmp_path / "written.parquet").write_bytes(b"PAR1")
    with pytest.raises(DamagedArtifactError, match=r"written\.parquet"):
        load_pairs(corpus, 0.0, tmp_path / "written.parquet")


def test_the_fingerprint_tells_where_stanzas_end(tmp_path):
    lines = [f"line {number} has six words of its own" for number in range(6)]
    texts = ("\n".join(lines[:2]) + "\n\n" + "\n".join(lines[2:]), "\n".join(lines[:4]) + "\n\n" + "\n".join(lines[4:]))
    one, other = (
        load_pairs(write(tmp_path / str(number), [("Ann", text, "train")]), 0.0) for number, text in enumerate(texts)
    )
    assert one.train[0].stanzas != other.train[0].stanzas
    assert one.fingerprint != other.fingerprint


def test_songs_of_no_named_artist_are_of_artists_of_their_own(tmp_path):
    data = load_pairs(write(tmp_path, [("", words(number), "train") for number in range(60)]), 0.2)
    assert data.artists == len(data.train) > 30
    assert 0 < len(data.stopping) < 15


def test_a_corpus_without_songs_or_unreadable_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no song"):
        load_pairs(write(tmp_path, []), 0.1)
    (tmp_path / SONGS_FILE).write_bytes(b"PAR1 and nothing more")
    with pytest.raises(DamagedArtifactError, match="Prepare the corpus again"):
        load_pairs(tmp_path, 0.1)


def test_of_more_songs_than_are_read_the_lowest_digests_are_and_the_others_are_not_parsed(tmp_path, monkeypatch):
    corpus = write(tmp_path, [(f"Artist {number}", words(number), "train") for number in range(90)])
    whole, parsed = load_pairs(corpus, 0.1), []
    assert load_pairs(corpus, 0.1, most_songs=len(whole.train)) == whole
    parse = pairs.parse_lyrics
    monkeypatch.setattr(pairs, "parse_lyrics", lambda *texts: (parsed.append(texts), parse(*texts))[1])
    few = load_pairs(corpus, 0.1, most_songs=12)
    lowest = sorted(whole.train, key=lambda song: hashlib.sha256(song.song_id.encode()).hexdigest())[:12]
    assert few.train == tuple(song for song in whole.train if song in lowest)
    assert few.artists == 12
    assert few.stopping == whole.stopping
    assert len(parsed) < 80
    assert pairs.songs_to_read(EncoderSettings(max_epochs=3, epoch_songs=7)) == 21
