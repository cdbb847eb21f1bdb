"""The gate lets through what is not worse, refuses what is, and says why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhapsody_lib.errors import RefusedError
from rhapsody_lib.gate import SHARED_NOTES, SHARED_WORDS, judge
from rhapsody_lib.settings import GateSettings, Settings

FIGURES = {
    "lyrics.word_perplexity": ("lyrics_tolerance", "lower"),
    "lyrics.word_perplexity_with_cache": ("lyrics_tolerance", "lower"),
    "backing.nats_per_beat": ("backing_tolerance", "lower"),
    "retrieval.mrr": ("retrieval_tolerance", "higher"),
    "retrieval.recall_at_1": ("recall_tolerance", "higher"),
}
SONG = {"error": "", "longest_shared_words": 4}
values = st.fixed_dictionaries({name: st.floats(0.01, 1e5) for name in FIGURES})
tolerances = st.builds(
    GateSettings,
    lyrics_tolerance=st.floats(0, 0.9),
    backing_tolerance=st.floats(0, 0.9),
    retrieval_tolerance=st.floats(0, 0.9),
    recall_tolerance=st.floats(0, 0.9),
)


def nested(figures: dict[str, float]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for name, value in figures.items():
        stage, _, figure = name.partition(".")
        found.setdefault(stage, {})[figure] = value
    return found


def evaluation(candidate: dict[str, float], live: dict[str, float] | None, **more: Any) -> dict[str, Any]:
    return {"candidate": nested(candidate), "live": None if live is None else nested(live), "song": SONG, **more}


@given(live=values, candidate=values, settings=tolerances)
def test_a_figure_is_met_exactly_when_it_is_within_its_tolerance(live, candidate, settings) -> None:  # type: ignore[no-untyped-def]
    verdict = judge(evaluation(candidate, live), settings)
    rows = {row.figure: row for row in verdict.rows}
    for name, (tolerance, better) in FIGURES.items():
        share = getattr(settings, tolerance)
        worse = candidate[name] / live[name] - 1 if better == "lower" else 1 - candidate[name] / live[name]
        if abs(worse - share) > 1e-9:
            assert rows[name].met == (worse < share)
        assert rows[name].change == pytest.approx(candidate[name] / live[name] - 1)
    assert verdict.passed == all(row.met for row in verdict.rows)
    assert len(verdict.reasons) == sum(not row.met for row in verdict.rows)


@given(live=values, settings=tolerances, better=st.floats(1, 10))
def test_what_is_as_good_or_better_always_passes(live, settings, better) -> None:  # type: ignore[no-untyped-def]
    ways = {name: value / better if FIGURES[name][1] == "lower" else value * better for name, value in live.items()}
    assert judge(evaluation(ways, live), settings).passed


@given(candidate=values)
def test_a_first_release_has_nothing_to_be_worse_than(candidate: dict[str, float]) -> None:
    verdict = judge(evaluation(candidate, None), GateSettings())
    assert verdict.passed
    assert not verdict.compared
    verdict.enforce()


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), "a lot", True])
def test_a_figure_that_cannot_be_measured(missing: Any) -> None:
    known, unknown = {"lyrics.word_perplexity": 100.0}, {"lyrics.word_perplexity": missing}
    lost = judge(evaluation(unknown, known), GateSettings())
    assert not lost.passed
    assert "cannot be measured" in lost.reasons[0]
    # What the live release cannot be measured by is not held against the candidate.
    assert judge(evaluation(known, unknown), GateSettings()).passed


def test_a_refusal_names_every_figure_that_is_worse_and_the_remedy() -> None:
    live = {"lyrics.word_perplexity": 100.0, "backing.nats_per_beat": 2.0, "retrieval.mrr": 0.8}
    worse = {"lyrics.word_perplexity": 120.0, "backing.nats_per_beat": 2.01, "retrieval.mrr": 0.4}
    with pytest.raises(RefusedError) as refusal:
        judge(evaluation(worse, live), GateSettings()).enforce()
    message = str(refusal.value)
    assert "perplexity per word is 120, live 100, 20.0% worse (5.0% is allowed)" in message
    assert "mean reciprocal rank is 0.4, live 0.8, 50.0% worse" in message
    assert "nats" not in message
    assert "--no-gate" in message
    assert refusal.value.exit_code == 6


def test_a_candidate_that_makes_no_song_or_copies_is_refused() -> None:
    for song, reason in (
        ({"error": "ValueError: no bars"}, "cannot make a song: ValueError"),
        ({"error": "", "longest_shared_words": 6}, "shares 6 words in a row"),
    ):
        verdict = judge({**evaluation({}, None), "song": song}, GateSettings())
        assert not verdict.passed
        assert reason in verdict.reasons[0]
    rows = {row.figure: row for row in verdict.rows}
    assert not rows[SHARED_WORDS].met


@pytest.mark.parametrize(("shared", "refused"), [(9, False), (10, True)])
def test_a_melody_beyond_its_limit_is_refused(shared: int, refused: bool) -> None:
    song = {**SONG, "longest_shared_notes": shared, "most_shared_notes": 9}
    verdict = judge({**evaluation({}, None), "song": song}, GateSettings())
    assert verdict.passed != refused
    assert [row.met for row in verdict.rows if row.figure == SHARED_NOTES] == [not refused]
    assert (
        any("shares 10 notes in a row with a training song or its primer (9 may be)" in r for r in verdict.reasons)
        == refused
    )


def test_a_stage_that_could_not_be_compared_is_a_reason() -> None:
    found = {**evaluation({}, {}), "uncompared": ["backing"]}
    assert judge(found, GateSettings()).reasons[0].startswith("Backing could not be compared with the live release")


def test_the_gate_is_in_no_recipe() -> None:
    from rhapsody_lib.artifacts import ArtifactRef
    from rhapsody_lib.operations import recipes

    ref = ArtifactRef(kind="corpus", key="0", uri="", sha256="0")
    strict, lax = Settings(), Settings(gate=GateSettings(lyrics_tolerance=0.5))
    for recipe in (recipes.lyrics_recipe, recipes.backing_recipe):
        assert recipe(strict, ref).key == recipe(lax, ref).key
    assert recipes.encoder_recipe(strict).key == recipes.encoder_recipe(lax).key
    assert recipes.catalogue_recipe(strict, ref, ref).key == recipes.catalogue_recipe(lax, ref, ref).key
    assert recipes.corpus_recipe(strict, []).key == recipes.corpus_recipe(lax, []).key
