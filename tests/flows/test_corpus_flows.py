"""A corpus in the flows: its data card on the page of the run, and no training on one that drifted."""

from __future__ import annotations

from pathlib import Path

import pytest

import tasks
from rhapsody_lib.errors import MissingExtraError
from tests.flows.shown import artifact
from tests.trained import TINY, songs_folder
from tests.unit.corpus.corpus_tables import released, stored_corpus, whole

pytest.importorskip("dataframely")


def test_a_prepared_corpus_shows_its_card_and_is_not_trained_on_if_it_drifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.prepare_corpus import prepare_corpus
    from flows.retrain import retrain

    store, source = str(tmp_path / "store"), str(songs_folder(tmp_path / "few", each=2))
    prepare_corpus(sources=[source], profile=TINY, store=store)
    page = artifact("data-card")
    assert "data:image/svg+xml;base64," in page
    assert "| songs | 8 |" in page
    assert "song_id is unique" in artifact("corpus-checks")

    began = []
    for name in ("train_lyrics", "train_encoder", "train_backing"):
        monkeypatch.setattr(tasks, name, lambda *_, name=name: began.append(name) or 1 / 0)
    released(store, stored_corpus(store, "live", *whole()))
    asked = {"sources": [source], "profile": TINY, "store": store}
    state = retrain(**asked, return_state=True)
    assert (state.name, began) == ("Refused", [])
    assert "drifted too far from that of release 1" in state.message
    assert "--accept-drift" in state.message
    shown = artifact("corpus-drift")
    assert "nothing is trained" in shown
    assert "| songs | 60 | 8 |" in shown
    state = retrain(**asked, accept_drift=True, return_state=True)
    assert (state.name, began) == ("Failed", ["train_encoder"])


def test_a_corpus_is_made_though_its_card_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.prepare_corpus import prepare_corpus

    def missing(*_: object) -> None:
        raise MissingExtraError("'dataframely' is not installed.")

    monkeypatch.setattr(tasks, "make_card", missing)
    source = str(songs_folder(tmp_path / "few", each=1))
    state = prepare_corpus(sources=[source], profile=TINY, store=str(tmp_path / "store"), return_state=True)
    assert state.is_completed()
