"""The data card of a prepared corpus: what it holds, whether that is whole, and how far it is from the live release's.

A card is an artifact beside the corpus, made once. The drift of one corpus from another is an artifact too, so that a
run that was refused can show why.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rhapsody_lib.artifacts import ArtifactRef, Recipe, Store
from rhapsody_lib.drift import CorpusVerdict, judge_corpus
from rhapsody_lib.errors import DamagedArtifactError, SourceError
from rhapsody_lib.operations.releasing import newest_release
from rhapsody_lib.optional import require
from rhapsody_lib.progress import reporter
from rhapsody_lib.settings import Settings

logger = logging.getLogger(__name__)

CARD, DRIFT = "card", "drift"
#: Raised whenever the same corpus gives other figures or another page.
CARD_VERSION = 1
CARD_FILE, PAGE_FILE, DRIFT_FILE = "card.json", "index.html", "drift.json"


def card_recipe(corpus: ArtifactRef) -> Recipe:
    """Recipe of the data card of a corpus."""
    return Recipe(CARD, CARD_VERSION, {}, {"corpus": corpus.sha256})


def make_card(store: str, corpus: ArtifactRef) -> ArtifactRef:
    """Go through a prepared corpus once: count it, check it, write its page.

    Raises:
        MissingExtraError: dataframely or matplotlib is not installed.
        SourceError: its tables cannot be read.
    """
    opened = Store(store)

    def make(folder: Path) -> None:
        for module in ("dataframely", "matplotlib"):
            require(module)
        from rhapsody_lib.corpus.card import describe_corpus
        from rhapsody_lib.operations.data_card_page import card_page

        card = describe_corpus(opened.fetch(corpus), reporter("Looking through"))
        _write(folder / CARD_FILE, card)
        (folder / PAGE_FILE).write_text(card_page(card, corpus.key), encoding="utf-8")

    return opened.build(card_recipe(corpus), make)


def read_card(store: str, card: ArtifactRef) -> dict[str, Any]:
    """The figures of a data card."""
    return _read(Store(store).fetch(card) / CARD_FILE)


def card_of(store: str, corpus: ArtifactRef) -> dict[str, Any]:
    """The figures of a corpus's data card, which is made if it is not there."""
    # Looked for first: who compares asks for a card more than once, and need not say each time that it is kept.
    return read_card(store, Store(store).intact(card_recipe(corpus)) or make_card(store, corpus))


def check_corpus(store: str, settings: Settings, corpus: ArtifactRef, compare: bool = True) -> CorpusVerdict:
    """Whether a corpus may be trained on: it is whole, and not too far from the live release's.

    Args:
        store: address of the store.
        settings: of the run; `drift` holds the limits.
        corpus: about to be trained on.
        compare: whether it is held against the live release's; that it is whole it must be in any case.

    Raises:
        MissingExtraError: its card is not there, and what makes one is not installed.
    """
    card = card_of(store, corpus)
    live = newest_release(Store(store))[1] if compare else None
    if live is None or live.refs["corpus"].sha256 == corpus.sha256:
        return judge_corpus(card, None, settings.drift)
    try:
        card_of(store, live.refs["corpus"])  # what comparing raises beyond this is no fault of the live corpus
    except (DamagedArtifactError, SourceError) as error:
        logger.warning("The corpus of release %d cannot be compared with: %s", live.number, error)
        note = f"The corpus of release {live.number} cannot be read, so nothing was compared."
        return judge_corpus(card, None, settings.drift, notes=[note])
    return compare_corpora(store, settings, corpus, live.refs["corpus"], live.number)


def compare_corpora(
    store: str, settings: Settings, corpus: ArtifactRef, before: ArtifactRef, number: int = 0
) -> CorpusVerdict:
    """How far a corpus is from another; the page of it is an artifact as well.

    Args:
        store: address of the store.
        settings: `drift` holds the limits.
        corpus: one of them.
        before: the other, which was there first.
        number: of the release that `before` is of; 0 for none.

    Raises:
        DamagedArtifactError: one of them is damaged.
        SourceError: the tables of one cannot be read.
    """
    opened, card, other = Store(store), card_of(store, corpus), card_of(store, before)
    verdict = judge_corpus(card, other, settings.drift, number=number)
    values = {"drift": settings.drift.model_dump(mode="json"), "live": number}
    recipe = Recipe(DRIFT, CARD_VERSION, values, {"corpus": corpus.sha256, "live-corpus": before.sha256})

    def make(folder: Path) -> None:
        from rhapsody_lib.operations.drift_page import drift_page

        _write(folder / DRIFT_FILE, verdict.to_json())
        (folder / PAGE_FILE).write_text(drift_page(verdict, card, other, corpus.key), encoding="utf-8")

    report = str(opened.fetch(opened.build(recipe, make)) / PAGE_FILE)
    return replace(verdict, report=report, where="" if opened.is_local else _elsewhere(corpus, before))


def _elsewhere(corpus: ArtifactRef, before: ArtifactRef) -> str:
    """Where the page is that lies in a store which is no folder: the copy in this machine's scratch folder goes."""
    command = f"rhapsody card {corpus.key[:12]} --against {before.key[:12]}"
    return f"the artifact corpus-drift on the run's page, or what '{command}' shows"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
