"""What a run shows in the UI: titles and lyrics come from outside and stay text, whatever they hold."""

from __future__ import annotations

import base64
import json
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from rhapsody_lib.gate import SHARED_NOTES, SHARED_WORDS, Row, Verdict
from rhapsody_lib.operations.generation import SongResult
from rhapsody_lib.release import Release
from rhapsody_lib.retrieval.search import Closest, Match
from tasks import markup, report

HOSTILE = (
    "<script>alert(1)</script> | [me](javascript:alert(1)) `code` **bold** ![x](http://example.org/x.png)\n"
    "| forged | 1.00 |\r\r# heading\u2028- list &lt;b&gt; https://example.org www.example.org me@example.org ~~no~~ \\"
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MARKDOWN.validateLink = lambda _: True  # type: ignore[method-assign]  # pictures are data here
TEXT = {"text", "text_special", "softbreak"}


def parsed(markdown: str) -> list[Token]:
    tokens = MARKDOWN.parse(markdown)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def structure(markdown: str) -> list[str]:
    """The kinds of all that is not text."""
    return [token.type for token in parsed(markdown) if token.type not in TEXT]


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the functions under test hand to Prefect last."""
    found: dict[str, Any] = {}
    for name in ("create_markdown_artifact", "create_table_artifact"):
        monkeypatch.setattr(report, name, lambda **values: found.update(values))
    return found


def song(folder: Path, text: str, lyrics: str, files: dict[str, bytes]) -> SongResult:
    """A song in which every text from outside is `text`."""
    folder.mkdir(exist_ok=True)
    info = {
        "prompt": text,
        "seed": 7,
        "settings": {"title": text, "tempo_bpm": None, "audio": True},
        "primer": text,
        "copying": {"shared_share": 0.0975609756097561, "heldout": {"longest_run_max": 4.0}},
        "melody_copying": {"longest_run": 6, "limit": 9},
        "music": {"key": "G major", "tempo_bpm": 96.0, "metre": "3/4", "bars": 40, "style": "waltz"},
    }
    (folder / "song.json").write_text(json.dumps(info), encoding="utf-8")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    closest = Closest("verse 1", "verse 2", 0.5, text, text, 0.5)
    matches = [
        Match(rank, "song", text, "artist", "track", sure, similarity=0.0, lexical=0.0, score=0.0, closest=found)
        for rank, sure, found in ((1, 0.5, closest), (2, None, None))
    ]
    return SongResult(text, lyrics, matches, folder, {name: folder / name for name in files}, 61.0, 3)


def test_a_plain_song_reads_as_it_is(pages: dict[str, Any], tmp_path: Path) -> None:
    result = song(tmp_path, "Don't go", "[verse 1]\nDon't go\n\n[chorus]\nStay", {})
    report.report_song(result, "s3://bucket/song")
    html = unescape(MARKDOWN.render(pages["markdown"]))
    assert pages["key"] == "song"
    assert pages["description"] == "Don't go, release 3"
    assert "<code>[verse 1]\nDon't go\n\n[chorus]\nStay\n</code>" in html
    assert "<li><strong>Don't go</strong>, sure by 0.50 of 1: Don't go / Don't go</li>" in html
    assert "Files: s3://bucket/song" in html
    assert "<td>1:01</td>" in html
    assert "<td>G major</td>" in html
    assert "<li>Seed: 7</li>" in html
    assert "<li>Copying: shared share: 0.09756</li>\n<li>Copying: heldout: longest run max: 4</li>" in html
    assert "<li>Melody copying: longest run: 6</li>\n<li>Melody copying: limit: 9</li>" in html
    assert "Tempo bpm" not in html  # what was not asked for is not said


def test_hostile_titles_and_lyrics_inject_nothing(pages: dict[str, Any], tmp_path: Path) -> None:
    report.report_song(song(tmp_path, "plain", "words", {}), "place")
    expected = structure(pages["markdown"])
    report.report_song(song(tmp_path, HOSTILE, f"{HOSTILE}\n\n```\n</pre>\n{HOSTILE}", {}), HOSTILE)
    assert structure(pages["markdown"]) == expected
    rendered = MARKDOWN.render(pages["markdown"])
    assert "<script" not in rendered
    assert one_line(HOSTILE) in unescape(rendered)
    assert structure(pages["description"]) == ["paragraph_open", "inline", "paragraph_close"]
    assert unescape(MARKDOWN.renderInline(pages["description"])) == f"{one_line(HOSTILE)}, release 3"


def test_a_song_is_played_from_its_address(pages: dict[str, Any], tmp_path: Path) -> None:
    result = song(tmp_path, "x", "words", {"song.mp3": b"\xff" * 10})
    addresses = {"song.mp3": 'https://host/song.mp3?a=b%2Fc&"><script>', "song.mid": "s3://host/song.mid"}
    report.report_song(result, "place", addresses)
    assert 'preload="none" src="https://host/song.mp3?a=b%2Fc&amp;%22%3E%3Cscript%3E"' in pages["markdown"]
    assert "[song.mp3](https://host/song.mp3?a=b%2Fc&%22%3E%3Cscript%3E)" in pages["markdown"]
    assert "song.mid" not in pages["markdown"]  # nothing that a browser cannot open is a link


def test_without_an_address_the_page_holds_the_opening(pages: dict[str, Any], tmp_path: Path) -> None:
    data = bytes(range(256)) * (3 * report.OPENING_BYTES // 256)
    report.report_song(song(tmp_path, "x", "words", {"song.mp3": data}), "place")
    encoded = pages["markdown"].split("data:audio/mpeg;base64,")[1].split('"')[0]
    assert base64.b64decode(encoded) == data[: report.OPENING_BYTES]
    assert "The first 20 seconds." in pages["markdown"]


def test_the_reason_of_a_release_is_text(pages: dict[str, Any]) -> None:
    report.report_release(Release(2, {}, {"lyrics": {"words": 1.23456}}, 1, HOSTILE, ""))
    assert pages["table"] == [{"figure": "lyrics.words", "value": 1.2346}]
    assert structure(pages["description"]) == ["paragraph_open", "inline", "paragraph_close"]
    assert one_line(HOSTILE) in unescape(MARKDOWN.renderInline(pages["description"]))


def test_figures_stand_beside_their_yardstick(pages: dict[str, Any]) -> None:
    figures = {
        "heldout_perplexity": 80.5, "heldout_perplexity_5gram": 105.4, "train_songs": 193,
        "history": [{"train_perplexity": 168.7, "heldout_perplexity": 120.7}],
    }  # fmt: skip
    report.report_training("lyrics", figures)
    assert pages["key"] == "lyrics-figures"
    assert pages["description"] == "Held-out figures of lyrics: perplexity per word 80.5"
    html = MARKDOWN.render(pages["markdown"])
    assert html.index("<td>80.5</td>") < html.index("<td>Yardstick: 5-gram</td>\n<td>105.4</td>")
    assert "<td>training songs</td>\n<td>193</td>" in html
    curves = base64.b64decode(pages["markdown"].split("svg+xml;base64,")[1].split(")")[0]).decode()
    assert "5-gram 105.4" in curves


def test_figures_of_training_songs_are_called_so(pages: dict[str, Any]) -> None:
    report.report_training("lyrics", {"heldout_perplexity": 12.5, "measured_on": "training songs"})
    assert pages["description"] == "Figures of lyrics: perplexity per word 12.5"
    assert "its own training songs" in pages["markdown"].splitlines()[0]


def test_an_unknown_stage_without_history_shows_what_there_is(pages: dict[str, Any]) -> None:
    report.report_training("encoder", {"dimension": 384})
    assert pages["markdown"].startswith("# Encoder: how it does on songs it stopped by")
    assert "<td>dimension</td>\n<td>384</td>" in MARKDOWN.render(pages["markdown"])
    assert "image" not in structure(pages["markdown"])


def test_a_corpus_counts_its_rejects_by_reason(pages: dict[str, Any]) -> None:
    summary = {
        "songs": 1200, "tracks": 3, "words": 4, "notes": 5, "seconds": 3725.0, "splits": {"train": 1100},
        "sources": {HOSTILE: {"songs": 1200, "rejects": 15}}, "rejects": {"bad_midi": 3, "too_short": 12},
    }  # fmt: skip
    report.report_corpus(summary)
    html = unescape(MARKDOWN.render(pages["markdown"]))
    assert pages["description"] == "1,200 songs kept, 15 rejected"
    assert html.index("<td>too short</td>\n<td>12</td>") < html.index("<td>bad midi</td>")
    assert f"<td>{one_line(HOSTILE)}</td>" in html
    assert "<td>1:02:05</td>" in html


BETTER = Row("lyrics.x", "lyrics: perplexity", 88.0, 86.0, -0.0227, 0.02, "lower", met=True)
WORSE = Row("backing.x", "backing: nats", 3.2, 3.5, 0.094, 0.02, "lower", met=False)
TOLERATED = Row("retrieval.x", "retrieval: rank 1", 0.3, 0.29, -0.033, 0.05, "higher", met=True)
SHARED = Row(SHARED_WORDS, "song: shared words", None, 5.0, None, 0.0, "lower", met=True)
NOTES = Row(SHARED_NOTES, "song: shared notes", None, 12.0, None, 0.0, "lower", met=False)


@pytest.mark.parametrize(
    ("verdict", "first"),
    [
        (Verdict((BETTER, WORSE), ("Nats are 9.4% worse.",)), "Refused by the gate. Nats are 9.4% worse."),
        (Verdict((SHARED,), (), live=False), "Passed the gate. There is no live release to compare with."),
        (Verdict((SHARED,), ()), "Passed the gate. Nothing of the live release could be measured"),
        (Verdict((BETTER,), ()), "Passed the gate. No figure is worse than the live release's by more than"),
    ],
)
def test_the_first_line_of_a_verdict_says_what_came_of_it(pages: dict[str, Any], verdict: Verdict, first: str) -> None:
    report.report_verdict(verdict)
    html = MARKDOWN.render(pages["markdown"])
    assert html.replace("<strong>", "").replace("</strong>", "").startswith(f"<p>{first}")
    assert MARKDOWN.renderInline(pages["description"]).startswith(first)


def test_every_figure_of_a_verdict_has_its_word(pages: dict[str, Any]) -> None:
    report.report_verdict(Verdict((BETTER, WORSE, TOLERATED, SHARED, NOTES), ("Worse.",), (HOSTILE,)))
    tokens = parsed(pages["markdown"])
    cells = [MARKDOWN.renderInline(after.content) for token, after in pairwise(tokens) if token.type == "td_open"]
    assert cells[:6] == ["lyrics: perplexity", "88", "86", "-2.3%", "2.0% higher", "better"]
    assert cells[6:12] == ["backing: nats", "3.2", "3.5", "+9.4%", "2.0% higher", "<strong>worse</strong>"]
    assert cells[12:18] == ["retrieval: rank 1", "0.3", "0.29", "-3.3%", "5.0% lower", "worse, tolerated"]
    assert cells[18:24] == ["song: shared words", "", "5", "", "", "within the limit"]
    assert cells[24:30] == ["song: shared notes", "", "12", "", "", "<strong>refused</strong>"]
    assert one_line(HOSTILE) in unescape(MARKDOWN.render(pages["markdown"]))
    assert structure(pages["markdown"]).count("image") == 1


def test_a_server_that_is_away_fails_no_run(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import logging

    def away(**_: object) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(report, "create_markdown_artifact", away)
    monkeypatch.setattr(report, "get_run_logger", lambda: logging.getLogger("test"))
    report.report_corpus({})
    assert "The page 'corpus' could not be written (refused)" in caplog.text


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co"))))
def test_any_text_stays_the_same_text_in_a_cell(text: str) -> None:
    tokens = parsed(f"{markup.table(['head'], [[markup.cell(text)]])}\n")
    cells = [after for token, after in pairwise(tokens) if token.type == "td_open"]
    assert [token.type for token in tokens].count("tr_open") == 2
    assert {token.type for token in cells[0].children or ()} <= TEXT
    assert "".join(token.content for token in cells[0].children or ()) == one_line(text)


@given(st.text())
def test_an_address_closes_neither_a_link_nor_an_attribute(text: str) -> None:
    address = markup.opened(f"https://host/{text}")
    assert not set(address) & set(" ()<>\"'\n\r\t|`\\")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "s3://a/b", ""])
def test_what_a_browser_should_not_open_is_no_link(address: str) -> None:
    assert markup.opened(address) == ""
