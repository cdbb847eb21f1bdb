"""What a run shows in the UI: titles and lyrics come from outside and stay text, whatever they hold."""

from __future__ import annotations

from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.release import Release
from rhapsody_lib.retrieval.search import Match
from tasks import report

HOSTILE = (
    "<script>alert(1)</script> | [me](javascript:alert(1)) `code` **bold** ![x](http://example.org/x.png)\n"
    "| forged | 1.00 |\r\r# heading\u2028- list &lt;b&gt; https://example.org www.example.org me@example.org ~~no~~ \\"
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
#: All that the markdown of a song is made of; anything else has been injected.
EXPECTED = {
    "heading_open", "heading_close", "code_block", "paragraph_open", "paragraph_close", "inline", "text",
    "text_special", "table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close",
    "tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close",
}  # fmt: skip


def parsed(markdown: str) -> list[Token]:
    tokens = MARKDOWN.parse(markdown)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def one_line(text: str) -> str:
    return " ".join(text.split())


def shown(monkeypatch: pytest.MonkeyPatch, title: str, lyrics: str, match: str, folder: str) -> dict[str, Any]:
    """What `report_song` hands to Prefect."""
    given_: dict[str, Any] = {}
    monkeypatch.setattr(report, "create_markdown_artifact", lambda **values: given_.update(values))
    matches = [
        Match(rank, "song", found, "track", similarity, lexical=0.0, score=0.0, closest=None)
        for rank, found, similarity in ((1, match, 0.5), (2, "Second", 0.25))
    ]
    report.report_song(SongResult(title, lyrics, matches, Path(folder), {}, 61.0, 3))
    return given_


def test_a_plain_song_reads_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = shown(monkeypatch, "Don't go", "[verse 1]\nDon't go\n\n[chorus]\nStay", "Old song", "songs/dont-go")
    tokens = parsed(artifact["markdown"])
    assert artifact["key"] == "song"
    assert artifact["description"] == "Don't go, release 3"
    assert [token.content for token in tokens if token.type == "code_block"] == [
        "[verse 1]\nDon't go\n\n[chorus]\nStay\n",
    ]
    cells = [after.content for token, after in pairwise(tokens) if token.type == "td_open"]
    assert cells == ["Old song", "0.50", "Second", "0.25"]


def test_hostile_titles_and_lyrics_inject_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = shown(monkeypatch, HOSTILE, f"{HOSTILE}\n\n```\n</pre>\n{HOSTILE}", HOSTILE, f"songs/{HOSTILE}")
    tokens = parsed(artifact["markdown"])
    types = [token.type for token in tokens]
    assert set(types) <= EXPECTED
    assert (types.count("heading_open"), types.count("code_block"), types.count("table_open")) == (1, 1, 1)
    assert (types.count("tr_open"), types.count("td_open")) == (3, 4)
    assert "<script" not in MARKDOWN.render(artifact["markdown"])
    assert one_line(HOSTILE) in unescape(MARKDOWN.render(artifact["markdown"]))


def test_the_description_is_one_line_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    description = shown(monkeypatch, HOSTILE, "words", "Old song", "songs")["description"]
    assert {token.type for token in parsed(description)} <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
    }
    assert unescape(description) == f"{one_line(HOSTILE)}, release 3"
    assert not {"<", ":", "@", "|", "\n", "\r"} & set(description)


def test_the_reason_of_a_release_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    given_: dict[str, Any] = {}
    monkeypatch.setattr(report, "create_table_artifact", lambda **values: given_.update(values))
    report.report_release(Release(2, {}, {"lyrics": {"words": 1.23456}}, 1, HOSTILE, ""))
    assert given_["table"] == [{"figure": "lyrics.words", "value": 1.2346}]
    assert "<" not in given_["description"]
    assert one_line(HOSTILE) in unescape(given_["description"])


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"))))
def test_any_text_stays_the_same_text_in_a_cell(text: str) -> None:
    tokens = parsed(f"| head |\n| --- |\n| {report._cell(text)} |\n")
    cells = [after for token, after in pairwise(tokens) if token.type == "td_open"]
    assert [token.type for token in tokens].count("tr_open") == 2
    assert {token.type for token in cells[0].children or ()} <= {"text", "text_special"}
    assert "".join(token.content for token in cells[0].children or ()) == one_line(text)
