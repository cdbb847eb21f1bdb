"""What the base model learns from: which poems, in which words, and nothing that is held out."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rhapsody_lib.corpus.schema import SONGS_SCHEMA
from rhapsody_lib.errors import SourceError
from rhapsody_lib.lyrics.base_corpus import Choice, choose_songs, why_unfit
from rhapsody_lib.words.document import parse_lyrics

SUNG = "The moon is on the silver sea\nthe wind is in the tree\nand all the world is kind to me\nwherever I may be"
OLD = SUNG.replace("The moon is", "Thy moon cometh").replace("kind to me", "kind to thee")


def row(name: str, lyrics: str, source: str = "poems", split: str = "train") -> dict:
    empty = dict.fromkeys(SONGS_SCHEMA.names)
    return {**empty, "song_id": name, "source": source, "title": name, "lyrics": lyrics, "split": split}


def chosen(tmp_path, *rows: dict) -> tuple[list[dict], Choice]:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=SONGS_SCHEMA), corpus / "songs.parquet")
    choice = choose_songs(corpus, tmp_path / "chosen")
    return pq.read_table(tmp_path / "chosen" / "songs.parquet").to_pylist(), choice


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SUNG, None),
        ("", "empty"),
        (
            "\n".join([f"{line} and furthermore in every other country under heaven" for line in SUNG.split("\n")]),
            "long_lines",
        ),
        ("The moon is on the silver water\nthe wind is in the orange garden\nand all is well", "unrhymed"),
        (SUNG.replace("the wind is", "alas the wind is"), "archaic"),
        (SUNG.replace("world", "warld").replace("kind", "kynde"), "dialect"),
    ],
)
def test_why_a_poem_is_no_model(text, reason):
    assert why_unfit(parse_lyrics(text)) == reason


def test_poems_are_modernised_and_unfit_ones_left_out(tmp_path):
    rows, choice = chosen(tmp_path, row("old", OLD), row("prose", "This is a note on the text of the poem"))
    assert [kept["song_id"] for kept in rows] == ["old"]
    assert "Your moon comes on the silver sea" in rows[0]["lyrics"]
    assert choice == Choice({"poems": 1}, {"unrhymed": 1})


def test_a_lost_apostrophe_is_mended(tmp_path):
    rows, _ = chosen(tmp_path, row("lost", SUNG.replace("The moon", "The world�s moon") + "\n�all but me"))
    assert "The world's moon" in rows[0]["lyrics"]
    assert "�" not in rows[0]["lyrics"]


def test_songs_are_read_twice_but_held_out_songs_stay_held_out(tmp_path):
    song = "Thou art a word of its own"
    rows, choice = chosen(
        tmp_path,
        row("one", song, "songbook"),
        row("two", song, "songbook", "heldout"),
        row("old", OLD, split="heldout"),
    )
    assert [(kept["song_id"], kept["split"]) for kept in rows] == [
        ("one~1", "train"), ("one~2", "train"), ("two~1", "heldout"), ("old", "heldout"),
    ]  # fmt: skip
    assert rows[0]["lyrics"] == song
    assert choice == Choice({"poems": 1, "songbook": 2}, {})


def test_nothing_fit_is_one_clear_error(tmp_path):
    with pytest.raises(SourceError, match="holds no song that a base model could learn from"):
        chosen(tmp_path, row("prose", "This is a note"))


def test_no_table_is_one_clear_error(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        choose_songs(tmp_path, tmp_path / "chosen")
