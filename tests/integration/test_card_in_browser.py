"""The pages of data card and drift in a real browser, where Chromium is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rhapsody_lib.artifacts import Store
from rhapsody_lib.operations.data_card import compare_corpora, make_card
from rhapsody_lib.settings import Settings
from tests.browser import BROWSER, open_browser
from tests.unit.corpus.corpus_tables import reject_row, stored_corpus, track_row, whole

pytestmark = pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
pytest.importorskip("dataframely")
pytest.importorskip("matplotlib")
HOSTILE = "<img src=http://example.org/x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


def test_pages_fit_wide_and_narrow_windows_ask_for_nothing_and_strangers_write_only_text(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    songs, _ = whole(title=HOSTILE, artist="A" * 300, genres=[HOSTILE], licence=HOSTILE)
    hostile = stored_corpus(store, "hostile", songs, [track_row(1)], [reject_row(1, path=HOSTILE, detail=HOSTILE)])
    pages = [
        Store(store).fetch(make_card(store, hostile)) / "index.html",
        Path(compare_corpora(store, Settings(), hostile, stored_corpus(store, "plain", *whole())).report),
    ]
    (tmp_path / "profile").mkdir()
    with open_browser(tmp_path / "profile") as tab:
        for page in pages:
            for width in (1280, 500):
                tab.open(page, width)
                assert tab.run("document.documentElement.scrollWidth <= innerWidth")
            assert tab.run("document.title") != "owned"
            assert tab.run("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
            assert tab.run("document.images.length") >= 2
            assert tab.run("document.body.textContent").count("onerror") >= 1
        assert tab.complaints() == []
