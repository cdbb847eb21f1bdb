"""Two releases are asked the same queries among the same songs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rhapsody_lib.errors import DamagedArtifactError
from rhapsody_lib.retrieval.evaluate import compare_halves, lexical_weight_of
from rhapsody_lib.words.document import parse_lyrics

EASY = [parse_lyrics(text) for text in ("river boat\nboat river", "ice snow\nsnow ice", "oven\noven oven")]


def test_halves_with_words_of_their_own_are_found(encoder) -> None:  # type: ignore[no-untyped-def]
    found = compare_halves(encoder, EASY, [], lexical_weight=0.5)
    assert found == {"recall_at_1": 1, "recall_at_10": 1, "mrr": 1, "queries": 3, "songs": 3}


def test_others_that_are_nearer_stand_before_the_song(encoder) -> None:  # type: ignore[no-untyped-def]
    query = parse_lyrics("river river\nsnow ice coat")
    nearer = parse_lyrics("snow ice coat\nrail")
    alone, beside = (compare_halves(encoder, [query, *EASY[2:]], o, lexical_weight=0.5) for o in ([], [nearer]))
    assert (alone["songs"], beside["songs"]) == (2, 3)
    assert beside["queries"] == alone["queries"] == 2
    assert beside["mrr"] < alone["mrr"]


def test_songs_too_short_to_be_halved_give_no_figure(encoder) -> None:  # type: ignore[no-untyped-def]
    assert compare_halves(encoder, [parse_lyrics("snow")], EASY, lexical_weight=0.5) == {"queries": 0, "songs": 3}


def test_the_weight_is_the_catalogue_s_own(tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_text(json.dumps({"lexical_weight": 0.25}))
    assert lexical_weight_of(tmp_path) == 0.25
    (tmp_path / "catalogue.json").write_text("{}")
    with pytest.raises(DamagedArtifactError, match="Embed the catalogue again"):
        lexical_weight_of(tmp_path)
