from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from rhapsody_lib.music.chords import parse_chord
from rhapsody_lib.music.score import Note, Score, TimedChord
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.song.page import song_page
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.unit.song.song_samples import BEAT, sample_lyrics, sample_score

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> {{DATA}} <!--<script> & 'q'"
INFO: dict[str, Any] = {
    "prompt": HOSTILE,
    "seed": 7,
    "release": {"number": 3},
    "primer": "Half an Umbrella",
    "matches": [
        {
            "title": "Half an Umbrella",
            "confidence": 0.62,
            "licence": "CC0-1.0",
            "closest": {"generated_line": "The sky is blue", "catalogue_line": "Half a sky"},
        },
        {"title": "Cloud Names", "confidence": None, "closest": None},
    ],
}


@pytest.fixture(scope="module")
def fitted() -> Score:
    return fit_words(sample_lyrics(), sample_score())


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def test_words_have_times_and_chords_in_order(fitted: Score) -> None:
    data = data_of(song_page(sample_lyrics(), fitted, INFO, {}))
    assert [section["name"] for section in data["sections"]] == [section.name for section in fitted.sections]
    lines = [line for section in data["sections"] for line in section["lines"]]
    assert ["".join(piece[2] for piece in line["pieces"]).strip() for line in lines] == list(sample_lyrics().lines)
    starts = [piece[0] for line in lines for piece in line["pieces"]]
    assert starts == sorted(set(starts))
    assert all(piece[0] < piece[1] for line in lines for piece in line["pieces"])
    assert all(a["end"] <= b["start"] for a, b in pairwise(lines))
    assert lines[0]["pieces"][0][3] == "C"
    assert sum(len(part["notes"]) for part in data["parts"]) == sum(map(len, fitted.parts.values()))


def test_the_last_syllable_ends_with_its_note_and_not_with_the_solo_after_it() -> None:
    score = sample_score((("verse 1", 1), ("solo", 0), ("verse 2", 1)))
    opens = score.sections[1].start_ticks
    solo = tuple(Note(opens + i * BEAT, 72, BEAT, 90) for i in range(8))
    melody = tuple(sorted((*score.parts["melody"], *solo)))
    verses = (LyricSection("verse 1", ("The sky is blue above",)), LyricSection("verse 2", ("Down",)))
    lyrics = Lyrics("Solo", verses)
    fitted = fit_words(lyrics, replace(score, parts={**score.parts, "melody": melody}))
    (line,) = data_of(song_page(lyrics, fitted, INFO, {}))["sections"][0]["lines"]
    held = [note for note in fitted.parts["melody"] if note.start_ticks < opens][-1]
    assert line["pieces"][-1][1] == pytest.approx(fitted.seconds_at(held.end_ticks), abs=0.001)
    assert line["pieces"][-1][1] <= fitted.seconds_at(opens)


def test_chords_over_the_words_are_named_like_the_notes(fitted: Score) -> None:
    chords = (TimedChord(0, parse_chord("C")), TimedChord(fitted.syllables[3].start_ticks, parse_chord("A#")))
    data = data_of(song_page(sample_lyrics(), replace(fitted, chords=chords), INFO, {}))
    lines = [line for section in data["sections"] for line in section["lines"]]
    assert lines[0]["pieces"][3][3] == "B♭"


def test_match_is_shown_with_its_closest_lines(fitted: Score) -> None:
    data = data_of(song_page(sample_lyrics(), fitted, INFO, {}))
    assert data["match"] == {
        "title": "Half an Umbrella",
        "artist": "",
        "licence": "CC0-1.0",
        "confidence": 0.62,
        "primed": True,
        "pairs": [["The sky is blue", "Half a sky"]],
    }
    others = [(other["title"], other["confidence"], other["licence"]) for other in data["others"]]
    assert others == [("Cloud Names", None, "")]


def test_markup_of_a_user_stays_text(fitted: Score) -> None:
    lyrics = Lyrics(HOSTILE, tuple(LyricSection(s.name, (HOSTILE, *s.lines[1:])) for s in sample_lyrics().sections))
    page = song_page(lyrics, fit_words(lyrics, sample_score()), INFO, {})
    assert "<img" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert data_of(page)["prompt"] == HOSTILE
    assert html.escape(HOSTILE) in page


def test_policy_names_the_hashes_of_script_and_style_and_nothing_is_fetched(fitted: Score) -> None:
    page = song_page(sample_lyrics(), fitted, INFO, {"song.mid": b"MThd"})
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1])  # type: ignore[index]
    for tag in ("script", "style"):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(text) == 1
        digest = base64.b64encode(hashlib.sha256(text[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r'\b(?:src|href)="(?!data:|#)', page)
    assert "http" not in page.replace("http-equiv", "")


def test_files_are_embedded_and_audio_is_told(fitted: Score) -> None:
    files = {"song.mp3": b"\xff\xfb\x00sound", "guide_vocal.mp3": b"la", "lyrics.txt": "naïve".encode()}
    page = song_page(sample_lyrics(), fitted, INFO, files)
    for name, content in files.items():
        inside = f'data-file="{name}">{base64.b64encode(content).decode()}</script>' in page
        assert inside is (name != "song.mp3"), "the recording lies beside the page"
    assert page.count('data-file="guide_vocal.mp3"') == 1
    data = data_of(page)
    assert data["audio"] is True
    assert [(file["name"], file["beside"]) for file in data["files"]] == [
        ("song.mp3", True),
        ("guide_vocal.mp3", False),
        ("lyrics.txt", False),
    ]
    assert data_of(song_page(sample_lyrics(), fitted, INFO, {}))["audio"] is False


def test_page_needs_no_information_and_repeats_itself(fitted: Score) -> None:
    bare = song_page(sample_lyrics(), fitted, {}, {})
    assert data_of(bare)["match"] is None
    assert bare == song_page(sample_lyrics(), fitted, {}, {})


def test_sheet_and_parts_are_in_the_page(fitted: Score) -> None:
    files = {"song.mp3": b"\xff\xfb", "stems/bass.mp3": b"low", "guide_vocal.mp3": b"la"}
    page = song_page(sample_lyrics(), fitted, INFO, files, sheet=["<svg>one</svg>", "<svg>two</svg>"], gain=0.5)
    data = data_of(page)
    assert [(stem["name"], stem["file"]) for stem in data["stems"]] == [
        ("bass", "stems/bass.mp3"),
        ("vocal", "guide_vocal.mp3"),
    ]
    assert data["gain"] == 0.5
    assert page.count('<div class="sheet-page"><svg>') == 2
    assert len(data["sheet"]) == len(fitted.parts["melody"])
    assert all(f'data-file="{name}">' in page for name in ("stems/bass.mp3", "guide_vocal.mp3"))
    assert data_of(song_page(sample_lyrics(), fitted, INFO, {}))["sheet"] == []
