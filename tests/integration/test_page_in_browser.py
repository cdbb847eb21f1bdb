"""index.html in a real browser, where Chromium is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rhapsody_lib.song.bundle import write_bundle
from rhapsody_lib.song.fit import fit_words
from rhapsody_lib.words.document import Lyrics, LyricSection
from tests.unit.song.song_samples import sample_lyrics, sample_score

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--virtual-time-budget=4000",
    "--dump-dom",
)


def dom_of(page: Path, profile: Path) -> str:
    """The document after its scripts ran."""
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, encoding="utf-8")
    return done.stdout


def write_page(folder: Path, *, audio: bool = False) -> tuple[Path, int]:
    """(index.html of a song with hostile words, its number of syllables)."""
    first = LyricSection("verse 1", (HOSTILE, "The sky is blue & <b>bold</b>"))
    lyrics = Lyrics(HOSTILE, (first, *sample_lyrics().sections[1:]))
    score = fit_words(lyrics, sample_score())
    match = {
        "title": HOSTILE,
        "similarity": 0.5,
        "closest": {"generated_line": HOSTILE, "catalogue_line": HOSTILE},
    }
    info = {"prompt": HOSTILE, "seed": 1, "primer": HOSTILE, "matches": [match, match]}
    files = write_bundle(folder / "song", lyrics=lyrics, score=score, info=info, audio=audio)
    return files["index.html"], len(score.syllables)


def root_tag(dom: str) -> str:
    found = re.search(r"<html[^>]*>", dom)
    assert found
    return found.group()


def test_scripts_run_and_show_the_words_and_markup_does_not(tmp_path: Path) -> None:
    page, syllables = write_page(tmp_path)
    dom = dom_of(page, tmp_path / "profile")
    assert f'data-ready="{syllables}"' in root_tag(dom)
    assert "data-error" not in dom
    assert "data-violation" not in root_tag(dom)
    assert "<img" not in dom
    assert "<b>bold</b>" not in dom
    assert "owned" not in re.findall(r"<title>(.*?)</title>", dom)
    assert len(re.findall(r'class="syl[ "]', dom)) == syllables
    assert "made without audio" in dom
    assert dom.count('class="pair"') == 1


def test_a_song_with_audio_has_a_source_to_play(tmp_path: Path) -> None:
    pytest.importorskip("tinysoundfont")
    page, _ = write_page(tmp_path, audio=True)
    dom = dom_of(page, tmp_path / "profile")
    assert re.search(r'<audio id="audio"[^>]* src="blob:', dom)
    assert "made without audio" not in re.sub(r"<script>.*?</script>", "", dom, flags=re.DOTALL)
    assert "data-violation" not in root_tag(dom)


def test_the_policy_stops_a_script_that_is_not_ours(tmp_path: Path) -> None:
    page, _ = write_page(tmp_path)
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", "<script>document.title = 'owned'</script></body>"), encoding="utf-8")
    dom = dom_of(page, tmp_path / "profile")
    assert 'data-violation="script-src' in root_tag(dom)
    assert "<title>owned</title>" not in dom
