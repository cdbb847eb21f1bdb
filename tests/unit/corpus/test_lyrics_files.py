"""Words without music: JSON lines, ABC tunes and plain texts, read into a corpus beside songs that have music."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rhapsody_lib.corpus.clean import clean_lyrics
from rhapsody_lib.corpus.examine import examined
from rhapsody_lib.corpus.found import Found, Job, ParsedSong
from rhapsody_lib.corpus.plain_text import parse_text_file
from rhapsody_lib.corpus.poems_jsonl import without_numbers
from rhapsody_lib.corpus.prepare import prepare_corpus
from rhapsody_lib.corpus.record_stream import MAX_RECORD_CHARACTERS, Refusal
from rhapsody_lib.corpus.records import read_records, record_kind
from rhapsody_lib.corpus.shards import SongShard, file_digests, read_shard, write_shard
from rhapsody_lib.corpus.sources import list_jobs, open_source
from rhapsody_lib.corpus.tables import read_songs
from rhapsody_lib.corpus.verse_lines import in_lines, words_in_metre
from rhapsody_lib.errors import SourceError, UnreadableFileError
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes

ANY = CorpusSettings(language="any")
POEM = {"author": "Ann Lee", "title": "Boats", "text": "I\n\nThe river runs\n_away_\n\n2.\nTo the sea", "lines": 3}

TUNE = """%OHAUTHOR Lee, Ann (1801-1870)
%OHMETRICAL 5 4 6
X: 1
T: The Boats
C: Words: Ann Lee, 1850.  Music: unknown
C: copyright: public domain
K: C
[V: S1] C D E F | G2 A
w: 1.~The riv- er runs down  To
w: 2.~The moon comes up soft And
[V: S2] C D E F | G2 A
[V: S1] B c d
w: the wide
w: sails a-
[V: S1] e f
w: sea!
w: way!
[V: S1] g a b c' d e
w: Oh, row~me, row me home
W: 3.My fa\\'ther's house
W: is grey
"""


def _refusals(path: Path, kind: str, data: bytes) -> list[str]:
    path.write_bytes(data)
    items = [item for _, item in read_records(Job(kind, str(path), path.name))]  # type: ignore[arg-type]
    return [f"{item.code.value}: {item.detail}" for item in items if isinstance(item, Refusal)]


def _songs(path: Path, kind: str, data: bytes) -> list[ParsedSong]:
    path.write_bytes(data)
    items = [item for _, item in read_records(Job(kind, str(path), path.name))]  # type: ignore[arg-type]
    return [item for item in items if isinstance(item, ParsedSong)]


def test_poems_keep_their_lines_and_stanzas_but_not_their_numbers(tmp_path: Path) -> None:
    (song,) = _songs(tmp_path / "p.jsonl", "jsonl", json.dumps(POEM).encode() + b"\n\n")
    assert (song.title, song.artist) == ("Boats", "Ann Lee")
    assert clean_lyrics(song.lyrics) == "[verse 1]\nThe river runs\naway\n\n[verse 2]\nTo the sea\n"
    assert without_numbers("Then said\nI\nto her") == "Then said\nI\nto her"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "bad_jsonl: is no JSON"),
        (b"[" * 100_000, "bad_jsonl: is no JSON"),
        (b"[1]", "bad_jsonl: is no JSON object"),
        (b'{"title": "x"}', "bad_jsonl: has no text"),
        (b'{"text": ["x"]}', "bad_jsonl: has no text"),
        (b'{"text": " "}', "no_lyrics"),
        (b'{"text": "caf\xe9"}', "bad_text"),
        (b'{"text": "a\\ud800"}', "bad_text"),
        (b'{"text": "' + b"x" * 200_000 + b'"}', "too_large"),
    ],
)
def test_a_bad_line_is_one_refusal_and_the_next_is_read(tmp_path: Path, line: bytes, reason: str) -> None:
    data = line + b"\n" + json.dumps(POEM).encode()
    (refused,) = _refusals(tmp_path / "p.jsonl", "jsonl", data)
    assert refused.startswith(reason)
    assert len(_songs(tmp_path / "p.jsonl", "jsonl", data)) == 1


def test_verses_under_and_below_the_notes_are_put_together(tmp_path: Path) -> None:
    (song,) = _songs(tmp_path / "t.abc", "abc", TUNE.encode())
    assert (song.title, song.artist, song.year, song.licence) == ("The Boats", "Ann Lee", 1850, "public domain")
    chorus = "[chorus]\nOh, row me, row me home\n"
    assert clean_lyrics(song.lyrics) == (
        f"[verse 1]\nThe river runs down\nTo the wide sea!\n\n{chorus}\n"
        f"[verse 2]\nThe moon comes up soft\nAnd sails away!\n\n{chorus}\n"
        f"[verse 3]\nMy fátther's house\nis grey\n\n{chorus}"
    ).replace("fátther", "fat́her")


def test_a_tunebook_in_latin_1_holds_many_songs(tmp_path: Path) -> None:
    book = (
        "".join(f"X:{n}\nT:Tune {n}\nK:C\nCDE\nw: caf\xe9 num- ber {n}\n\n" for n in (1, 2)) + "X:3\nT:Mute\nK:C\nCDE\n"
    )
    songs = _songs(tmp_path / "t.abc", "abc", book.encode("latin-1"))
    assert [song.lyrics for song in songs] == ["[verse]\ncafé number 1", "[verse]\ncafé number 2"]
    (refused,) = _refusals(tmp_path / "t.abc", "abc", book.encode("latin-1"))
    assert refused.startswith("no_lyrics: has no words")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "bad_abc: holds no tune"),
        (b"CDEF", "bad_abc: holds no tune"),
        (b"X:1\nK:C\nC\nw: a\0b\n", "bad_text"),
        (b"X:1\nw:" + b"la " * 100_000, "too_large"),
        (b"X:1\nC\nw: la\n" + b"C\nw: la\n" * 20_000, "too_large"),
    ],
)
def test_a_tune_that_is_none_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    (refused,) = _refusals(tmp_path / "t.abc", "abc", data)
    assert refused.startswith(reason)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120) | st.text("XwWCV:%\\-_*|~ \nab1.+'", max_size=120).map(str.encode), st.booleans())
def test_any_bytes_are_songs_or_refusals(tmp_path: Path, data: bytes, started: bool) -> None:
    for kind, start in (("abc", TUNE.encode()), ("jsonl", json.dumps(POEM).encode() + b"\n")):
        path = tmp_path / f"f.{kind}"
        path.write_bytes((start if started else b"") + data)
        for number, item in read_records(Job(kind, str(path), path.name)):  # type: ignore[arg-type]
            assert number >= 0
            assert isinstance(item, ParsedSong) or item.detail


def test_words_fit_a_metre_or_do_not() -> None:
    words = [["The"], ["riv", "er"], ["runs"], ["a", "way"]]
    assert words_in_metre(words, (4, 2)) == ["The river runs", "away"]
    assert words_in_metre(words, (2, 4)) is None
    assert words_in_metre(words, (4, 4)) is None


@given(st.lists(st.text("ab,.A'é", min_size=1, max_size=9), max_size=40))
def test_lines_hold_every_word_in_order(words: list[str]) -> None:
    assert " ".join(in_lines(" ".join(words))).split() == words


def test_a_text_on_one_line_is_put_into_lines(tmp_path: Path) -> None:
    path = tmp_path / "Ann Lee - The Boats.txt"
    path.write_text(
        "The Boats\nThe river runs away to sea, And no one knows the way; The little boats go after it, "
        "And none of them will stay. Oh, none of them will stay.",
        encoding="utf-8",
    )
    song = parse_text_file(Job("text", str(path), path.name))
    assert (song.title, song.artist) == ("The Boats", "Ann Lee")
    assert song.lyrics.splitlines() == [
        "The river runs away to sea,",
        "And no one knows the way;",
        "The little boats go after it,",
        "And none of them will stay.",
        "Oh, none of them will stay.",
    ]


def test_an_empty_text_has_no_lyrics(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n", encoding="utf-8")
    with pytest.raises(UnreadableFileError, match="is empty"):
        parse_text_file(Job("text", str(tmp_path / "a.txt"), "a.txt"))


@pytest.mark.parametrize(
    ("words", "claimed", "wanted", "language"),
    [
        ("oh hi la do", "pt", "en", "other_language"),
        ("oh hi la do", "en", "en", "en"),
        ("oh hi la do", "", "en", "und"),
        ("oh hi la do", "pt", "any", "pt"),
        (WORDS * 3, "pt", "en", "en"),
        (WORDS * 3, "", "en", "en"),
    ],
)
def test_a_label_is_believed_only_where_the_words_say_too_little(words, claimed, wanted, language) -> None:
    song = ParsedSong("", "", 0, (), "", "", words, None, claimed_language=claimed)
    item = examined(Found("s", "p", "s/p", song), CorpusSettings(language=wanted, min_words=1))
    assert (item.song.language if isinstance(item, Found) else item.code.value) == language


def _mixed(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a.abc").write_text(TUNE, encoding="utf-8")
    (folder / "b.mid").write_bytes(midi_bytes(WORDS))
    (folder / "c.jsonl").write_text(
        "".join(json.dumps({"text": " ".join(f"{word}{n}" for word in WORDS.split())}) + "\n" for n in range(3))
        + "{\n",
        encoding="utf-8",
    )
    return folder


def test_songs_with_and_without_music_make_one_corpus(tmp_path: Path) -> None:
    folder = _mixed(tmp_path / "mixed")
    seen: list[tuple[int, int]] = []
    summary = prepare_corpus(
        [str(folder)], tmp_path / "out", ANY, seed=0, progress=lambda done, total, note="": seen.append((done, total))
    )
    assert (summary.songs, summary.tracks, summary.rejects) == (5, 1, {"bad_jsonl": 1})
    ids = [song["song_id"] for song in read_songs(tmp_path / "out")]
    assert ids == ["mixed/a.abc#1", "mixed/b.mid", "mixed/c.jsonl#1", "mixed/c.jsonl#2", "mixed/c.jsonl#3"]
    assert seen == sorted(seen)
    assert seen[-1] == (3, 3)
    assert [done for done, _ in seen].count(3) == 1


def test_a_shard_holds_every_song_of_a_file_of_many(tmp_path: Path) -> None:
    source = open_source(str(_mixed(tmp_path / "mixed")))
    shard = SongShard(source.name, str(source.root), source.embedded, tuple(list_jobs(source)))
    for name, earlier in (("one", []), ("two", [tmp_path / "one"])):
        (tmp_path / name).mkdir()
        write_shard(shard, tmp_path / name, ANY, digests=file_digests(shard), earlier=earlier, workers=1)
    held = list(read_shard(shard, tmp_path / "two"))
    assert [item.path for item in held] == ["a.abc#1", "b.mid", *(f"c.jsonl#{n}" for n in (1, 2, 3, 4))]
    assert held == list(read_shard(shard, tmp_path / "one"))


@pytest.mark.parametrize(
    "tune",
    [
        "C\nw: a\n" * 400 + "C\n" + "w: a\n" * 900,
        "C\nw: a\nw: b\n" + "C\nw: la\n" * 400 + "W: 1. a\n" * 500,
        "C\n" + "w: a\n+: b\n" * 800,
    ],
)
def test_a_small_tune_does_not_grow_into_a_large_song(tmp_path: Path, tune: str) -> None:
    start = time.process_time()
    (song,) = _songs(tmp_path / "a.abc", "abc", b"X: 1\n" + tune.encode())
    assert time.process_time() - start < 1
    assert song.lyrics.count("[verse]") <= 32
    assert len(song.lyrics) <= MAX_RECORD_CHARACTERS


def test_a_tune_of_too_many_characters_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    data = b"X: 1\nC\nw: la\n" + b"+: la la la la\n" * 10_000 + b"X: 2\nC\nw: sea\n"
    path = tmp_path / "a.abc"
    assert [refusal.split(":")[0] for refusal in _refusals(path, "abc", data)] == ["too_large"]
    assert [song.lyrics for song in _songs(path, "abc", data)] == ["[verse]\nsea"]


@pytest.mark.parametrize("beside", ["", "a.mid", "old.txt"])
def test_what_a_text_without_music_is_depends_on_what_is_beside_it(tmp_path: Path, beside: str) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "words.txt").write_text(WORDS, encoding="utf-8")
    if beside == "a.mid":
        (folder / beside).write_bytes(midi_bytes(WORDS))
    elif beside:
        (folder / beside).write_text("title: A\nstyle: folk\nform: verse 1\n", encoding="utf-8")
    kinds = {item.kind if isinstance(item, Job) else item.code.value for item in list_jobs(open_source(str(folder)))}
    assert kinds == {"": {"text"}, "a.mid": {"midi", "no_midi"}, "old.txt": {"songbook"}}[beside]


def test_training_on_words_alone_says_what_is_missing_before_it_trains(tmp_path: Path) -> None:
    from rhapsody_lib import operations
    from rhapsody_lib.operations.pipelines import train_all
    from rhapsody_lib.settings import load_settings

    folder = tmp_path / "my poems"
    folder.mkdir()
    (folder / "p.jsonl").write_text(json.dumps({"text": WORDS}), encoding="utf-8")
    with pytest.raises(
        SourceError, match=r"none of the 1 songs has music.*rhapsody train '.*my poems' songbook .*--source songbook"
    ):
        train_all(
            operations, str(tmp_path / "store"), load_settings("fast", ["corpus.language=any"]), [str(folder)], "test"
        )


def test_real_hymns_have_the_lines_of_their_metre(datasets: Path) -> None:
    path = datasets / "lyrics" / "open_hymnal" / "abc" / "Built_On_The_Rock-Kirken_Den_Er_Et_Gammelt_Hus.abc"
    ((_, song),) = read_records(Job("abc", str(path), path.name))
    assert isinstance(song, ParsedSong)
    verses = song.lyrics.split("\n\n")
    assert len(verses) == 7
    assert verses[0].splitlines()[1:3] == [
        "Built on the Rock the church doth stand,",
        "Even when steeples are falling;",
    ]
    assert {len(verse.splitlines()) for verse in verses[:5]} == {8}


def test_real_poems_are_read_to_the_last(datasets: Path) -> None:
    path = datasets / "lyrics" / "pd_poems" / "pd_poems.jsonl.gz"
    items = [item for _, item in read_records(Job("jsonl", str(path), path.name))]
    assert len(items) == 10_839
    assert all(isinstance(item, ParsedSong) for item in items)


@pytest.mark.parametrize("name", ["p.ndjson", "p.NDJSON.gz", "p.jsonl.gz"])
def test_json_lines_are_known_by_either_name_packed_or_not(name: str) -> None:
    assert record_kind(Path(name)) == "jsonl"
