"""Cards and drift as steps: made once, shown as pages on which strangers write only text, asked before training."""

from __future__ import annotations

import logging
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rhapsody_lib import operations
from rhapsody_lib.artifacts import ArtifactRef, Store
from rhapsody_lib.errors import DamagedArtifactError, RefusedError
from rhapsody_lib.operations.data_card import card_of, check_corpus, compare_corpora, make_card
from rhapsody_lib.operations.pipelines import train_all, train_models
from rhapsody_lib.settings import Settings, load_settings
from tests.unit.corpus.corpus_tables import reject_row, released, song_row, stored_corpus, track_row, whole

pytest.importorskip("dataframely")
pytest.importorskip("matplotlib")
HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)>"\' onload="x" & </td></table>'
SETTINGS = load_settings("fast")


class Trained(Exception):  # noqa: N818  (it says what happened)
    """A training began."""


def begins(*_: Any, **__: Any) -> Any:
    raise Trained


def steps_of(corpus: ArtifactRef) -> Any:
    """The real steps, but that a corpus is there already and that a training says that it began."""
    training = dict.fromkeys(("train_lyrics", "train_encoder", "train_backing", "embed_catalogue"), begins)
    return SimpleNamespace(
        prepare_corpus=lambda *_: corpus, check_corpus=operations.check_corpus, at_once=operations.at_once, **training
    )


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "store")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ArtifactRef, ArtifactRef]:
    """A store, its live corpus, and one in another language with other music."""
    store = str(tmp_path_factory.mktemp("far") / "store")
    live = stored_corpus(store, "live", *whole(200))
    released(store, live)
    others = [track_row(number, tempo_bpm=200.0) for number in range(200)]
    return store, live, stored_corpus(store, "far", whole(200, language="pt")[0], others)


def trained_on(store: str, corpus: ArtifactRef, settings: Settings = SETTINGS, **options: Any) -> bool:
    try:
        train_models(steps_of(corpus), store, settings, ["mine"], **options)
    except Trained:
        return True
    return False


def test_a_corpus_that_drifted_is_refused_before_any_training_begins(
    far: tuple[str, ArtifactRef, ArtifactRef],
) -> None:
    store, _, corpus = far
    with pytest.raises(RefusedError, match=r"drifted too far from that of release 1.*Languages.*Tempo") as refusal:
        train_all(steps_of(corpus), store, SETTINGS, ["mine"], "test")
    report = re.search(r"The report is (\S+index\.html)\.", str(refusal.value))
    assert report
    assert "too far" in Path(report[1]).read_text(encoding="utf-8")


def test_what_did_not_drift_or_was_accepted_or_is_not_asked_about_is_trained_on(
    far: tuple[str, ArtifactRef, ArtifactRef], store: str
) -> None:
    there, live, corpus = far
    assert trained_on(there, corpus, load_settings("fast", ["drift.accept=true"]))
    assert trained_on(there, corpus, compare=False)
    assert trained_on(there, live)
    near = [song_row(number) for number in range(5, 225)], [track_row(number) for number in range(5, 225)]
    assert trained_on(there, stored_corpus(there, "near", *near))
    assert trained_on(store, stored_corpus(store, "first", *whole(20)))


def test_a_corpus_that_is_not_whole_is_refused_even_without_the_gate(store: str) -> None:
    songs, tracks = whole()
    corpus = stored_corpus(store, "broken", [*songs, songs[1]], tracks)
    for options in ({}, {"compare": False}):
        with pytest.raises(RefusedError, match="song_id is unique"):
            train_models(steps_of(corpus), store, SETTINGS, ["mine"], **options)


def test_a_comparison_does_not_say_again_and_again_that_cards_are_kept(
    far: tuple[str, ArtifactRef, ArtifactRef], caplog: pytest.LogCaptureFixture
) -> None:
    there, live, corpus = far
    compare_corpora(there, SETTINGS, corpus, live)
    with caplog.at_level(logging.INFO):
        check_corpus(there, SETTINGS, corpus)
    assert "card: unchanged" not in caplog.text


def test_a_live_corpus_that_is_gone_is_not_held_against_the_new_one(store: str) -> None:
    songs, tracks = whole()
    released(store, ArtifactRef(kind="corpus", key="1" * 64, uri="x", sha256="1" * 64))
    verdict = check_corpus(store, SETTINGS, stored_corpus(store, "new", songs, tracks))
    assert verdict.passed
    assert "cannot be read" in verdict.notes[0]


def test_a_card_is_made_once_and_its_page_is_the_same_bytes(store: str, tmp_path: Path) -> None:
    pages = []
    for name in (store, str(tmp_path / "other")):
        corpus = stored_corpus(name, "a", *whole(), [reject_row(number) for number in range(3)])
        ref = make_card(name, corpus)
        assert make_card(name, corpus) == ref
        pages.append((Store(name).fetch(ref) / "index.html").read_bytes())
    assert pages[0] == pages[1]


class Tags(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags, self.attributes, self.texts = set[str](), set[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            assert name not in {"src", "href"} or (value or "").startswith("data:image/svg+xml;base64,")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def parsed(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def test_what_strangers_wrote_stays_text_on_both_pages(store: str) -> None:
    plain = stored_corpus(store, "plain", *whole(), [reject_row(1)])
    songs, tracks = whole(title=HOSTILE, artist=HOSTILE, genres=[HOSTILE], licence=HOSTILE, source=HOSTILE)
    hostile = stored_corpus(store, "hostile", songs, tracks, [reject_row(1, path=HOSTILE, detail=HOSTILE)])
    pages = []
    for corpus in (plain, hostile):
        card = Store(store).fetch(make_card(store, corpus)) / "index.html"
        drift = Path(compare_corpora(store, SETTINGS, corpus, plain).report)
        pages.append([parsed(path.read_text(encoding="utf-8")) for path in (card, drift)])
    for one, other in zip(*pages, strict=True):
        assert other.tags <= one.tags | {"p"}
        assert other.attributes <= one.attributes
        assert not other.tags & {"script", "iframe", "link", "object"}
        assert " ".join(HOSTILE.split()) in "".join(other.texts)


def test_a_corpus_without_music_years_and_rejects_has_a_page(store: str) -> None:
    songs = [song_row(number, year=None, genres=[], licence="") for number in range(12)]
    corpus = stored_corpus(store, "words", songs, [])
    card = card_of(store, corpus)
    assert card["numbers"]["tempo_bpm"]["n"] == 0
    page = (Store(store).fetch(make_card(store, corpus)) / "index.html").read_text(encoding="utf-8")
    assert "None is known." in page
    with_music = stored_corpus(store, "music", *whole())
    rows = {row.figure: row for row in compare_corpora(store, SETTINGS, corpus, with_music).rows}
    assert rows["tempo_bpm"].distance is None
    assert not rows["share_tracks"].met


def test_what_fails_beyond_the_live_corpus_is_not_blamed_on_it(
    far: tuple[str, ArtifactRef, ArtifactRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _, _ = far

    def damaged(*_: Any) -> str:
        raise DamagedArtifactError("The scratch folder is full.")

    monkeypatch.setattr("rhapsody_lib.operations.drift_page.drift_page", damaged)
    corpus = stored_corpus(store, "new", *whole(190, language="de"))
    with pytest.raises(DamagedArtifactError, match="scratch folder"):
        check_corpus(store, SETTINGS, corpus)


def test_a_refusal_names_no_scratch_path_of_a_store_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHAPSODY_CACHE", str(tmp_path))
    store = f"memory://{tmp_path.name}-drift"
    live, other = (stored_corpus(store, name, *whole(60, language=name)) for name in ("en", "pt"))
    verdict = compare_corpora(store, SETTINGS, other, live)
    with pytest.raises(RefusedError) as refusal:
        verdict.enforce()
    assert f"'rhapsody card {other.key[:12]} --against {live.key[:12]}'" in str(refusal.value)
    assert "index.html" not in str(refusal.value)
    assert Path(verdict.report).is_file()
