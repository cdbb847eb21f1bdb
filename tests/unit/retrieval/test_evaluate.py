"""Two releases are asked the same queries among the same songs."""

from __future__ import annotations

from rhapsody_lib.retrieval.calibration import Calibration
from rhapsody_lib.retrieval.evaluate import compare_halves
from rhapsody_lib.words.document import parse_lyrics

#: What the lines' lengths say of three songs is chance.
WORDS = Calibration((1.0, 1.0, 0.0), 1.0, 0.0)
EASY = [parse_lyrics(text) for text in ("river boat\nboat river", "ice snow\nsnow ice", "oven\noven oven")]


def test_halves_with_words_of_their_own_are_found(encoder) -> None:  # type: ignore[no-untyped-def]
    found = compare_halves(encoder, EASY, [], calibration=WORDS)
    assert found == {"recall_at_1": 1, "recall_at_10": 1, "mrr": 1, "ndcg_at_10": 1, "queries": 3, "songs": 3}


def test_others_that_are_nearer_stand_before_the_song(encoder) -> None:  # type: ignore[no-untyped-def]
    query = parse_lyrics("river river\nsnow ice coat")
    nearer = parse_lyrics("snow ice coat\nrail")
    alone, beside = (compare_halves(encoder, [query, *EASY[2:]], o, calibration=WORDS) for o in ([], [nearer]))
    assert (alone["songs"], beside["songs"]) == (2, 3)
    assert beside["queries"] == alone["queries"] == 2
    assert beside["mrr"] < alone["mrr"]


def test_songs_too_short_to_be_halved_give_no_figure(encoder) -> None:  # type: ignore[no-untyped-def]
    assert compare_halves(encoder, [parse_lyrics("snow")], EASY, calibration=WORDS) == {"queries": 0, "songs": 3}
