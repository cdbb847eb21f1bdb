"""How far two corpora are apart: what is the same is near, what is not is far, and chance is no drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhapsody_lib.drift import CorpusVerdict, compare, jensen_shannon, judge_corpus, kolmogorov_smirnov
from rhapsody_lib.errors import RefusedError
from rhapsody_lib.music.foreign import BELIEVED_BPM
from rhapsody_lib.settings import DriftSettings
from tests.unit.corpus.corpus_tables import reject_row, song_row, track_row, write_corpus

pytest.importorskip("dataframely")
COUNTS = st.lists(st.integers(0, 500), min_size=3, max_size=3).filter(any)


def card_of(
    folder: Path, songs: list[dict[str, Any]], tracks: list[dict[str, Any]], rejects: int = 0
) -> dict[str, Any]:
    from rhapsody_lib.corpus.card import describe_corpus

    return describe_corpus(write_corpus(folder, songs, tracks, [reject_row(number) for number in range(rejects)]))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    numbers = range(400)
    folder = tmp_path_factory.mktemp("live")
    return card_of(folder, [song_row(number) for number in numbers], [track_row(number) for number in numbers], 20)


def drifted(card: dict[str, Any], live: dict[str, Any]) -> set[str]:
    return {row.figure for row in compare(card, live, DriftSettings()) if not row.met}


@given(COUNTS, COUNTS)
@settings(max_examples=100, deadline=None)
def test_distances_lie_between_none_and_all_and_do_not_depend_on_the_order(a: list[int], b: list[int]) -> None:
    for distance in (jensen_shannon, kolmogorov_smirnov):
        one = distance(np.array(a), np.array(b))
        assert 0 <= one <= 1 + 1e-9
        assert one == pytest.approx(distance(np.array(b), np.array(a)))
        assert distance(np.array(a), 3 * np.array(a)) == pytest.approx(0, abs=1e-7)


def test_distances_of_known_counts() -> None:
    assert jensen_shannon(np.array([5, 0]), np.array([0, 9])) == pytest.approx(1)
    assert jensen_shannon(np.array([1, 1]), np.array([1, 0])) == pytest.approx(np.sqrt(0.311278), rel=1e-4)
    assert kolmogorov_smirnov(np.array([4, 0, 0, 0]), np.array([1, 1, 1, 1])) == pytest.approx(0.75)


def test_other_songs_of_the_same_kind_are_no_drift(tmp_path: Path, live: dict[str, Any]) -> None:
    numbers = range(1000, 1450)
    card = card_of(tmp_path, [song_row(number) for number in numbers], [track_row(number) for number in numbers], 30)
    assert drifted(card, live) == set()


def test_a_few_songs_are_apart_by_chance_alone(tmp_path: Path) -> None:
    one = card_of(tmp_path / "a", [song_row(n) for n in (1, 2, 3)], [track_row(n) for n in (1, 2, 3)])
    other = card_of(tmp_path / "b", [song_row(n) for n in (14, 26, 47)], [track_row(n) for n in (14, 26, 47)])
    far = [row for row in compare(other, one, DriftSettings()) if row.distance is not None and row.distance > row.limit]
    assert far, "three songs should be beyond some limit"
    assert drifted(other, one) == set()


@pytest.mark.parametrize(
    ("changes", "figures"),
    [
        ({"language": "pt"}, {"language"}),
        ({"genres": ["metal"]}, {"genre"}),
        ({"lyrics": "[verse 1]\n" + "la la la sings the river\n" * 200}, {"words", "lines"}),
        ({"year": 1700}, {"year"}),
    ],
)
def test_songs_of_another_kind_are_drift_in_just_that(
    tmp_path: Path, live: dict[str, Any], changes: dict[str, Any], figures: set[str]
) -> None:
    card = card_of(tmp_path, [song_row(n, **changes) for n in range(400)], [track_row(n) for n in range(400)], 20)
    assert drifted(card, live) == figures


def test_genres_that_are_only_written_otherwise_are_no_drift(tmp_path: Path, live: dict[str, Any]) -> None:
    songs = [song_row(n, genres=["FOLK", "Pop"][: 1 + n % 2]) for n in range(400)]
    assert drifted(card_of(tmp_path, songs, [track_row(n) for n in range(400)], 20), live) == set()


def test_music_of_another_kind_is_drift(tmp_path: Path, live: dict[str, Any]) -> None:
    tracks = [track_row(n, tempo_bpm=200.0, key="F# minor", time_signature="7/8") for n in range(400)]
    card = card_of(tmp_path, [song_row(n) for n in range(400)], tracks, 20)
    assert drifted(card, live) == {"tempo_bpm", "key", "time_signature"}


def test_half_the_songs_and_many_rejects_are_drift(tmp_path: Path, live: dict[str, Any]) -> None:
    card = card_of(tmp_path, [song_row(n) for n in range(200)], [track_row(n) for n in range(200)], 200)
    assert drifted(card, live) == {"songs", "share_rejects"}


def test_songs_without_music_are_drift(tmp_path: Path, live: dict[str, Any]) -> None:
    card = card_of(tmp_path, [song_row(n) for n in range(400)], [track_row(n) for n in range(100)], 20)
    assert "share_tracks" in drifted(card, live)


def test_a_verdict_names_what_drifted_and_how_to_go_on(tmp_path: Path, live: dict[str, Any]) -> None:
    card = card_of(tmp_path, [song_row(n, language="pt") for n in range(400)], [track_row(n) for n in range(400)], 20)
    verdict = judge_corpus(card, live, DriftSettings(), number=7)
    with pytest.raises(RefusedError, match=r"release 7\. Languages: pt 100%, live en 100%.*--accept-drift"):
        verdict.enforce()
    judge_corpus(card, live, DriftSettings(accept=True), number=7).enforce()
    judge_corpus(card, live, DriftSettings(names_distance=1.0), number=7).enforce()
    judge_corpus(card, None, DriftSettings()).enforce()


def test_a_corpus_that_is_not_whole_is_refused_though_drift_is_accepted(tmp_path: Path) -> None:
    songs, tracks = [song_row(n) for n in range(60)], [track_row(n) for n in range(60)]
    card = card_of(tmp_path, [*songs, songs[1]], tracks)
    with pytest.raises(RefusedError, match=r"song_id is unique.*1 of 61.*prepare it again"):
        judge_corpus(card, None, DriftSettings(accept=True)).enforce()


def test_a_few_odd_tempi_are_no_reason_to_refuse_and_many_are(tmp_path: Path) -> None:
    songs = [song_row(n) for n in range(200)]
    for odd, passed in ((1, True), (30, False)):
        tracks = [track_row(n, **({"tempo_bpm": 900.0} if n < odd else {})) for n in range(200)]
        card = card_of(tmp_path / str(odd), songs, tracks)
        assert judge_corpus(card, None, DriftSettings()).passed is passed


def test_of_a_few_songs_one_may_state_what_cannot_be_and_the_refusal_of_more_names_the_limit(tmp_path: Path) -> None:
    songs = [song_row(n) for n in range(40)]

    def judged(tempo_bpm: float, odd: int, **limits: float) -> CorpusVerdict:
        tracks = [track_row(n, **({"tempo_bpm": tempo_bpm} if n < odd else {})) for n in range(40)]
        card = card_of(tmp_path / f"{tempo_bpm}-{odd}", songs, tracks)
        return judge_corpus(card, None, DriftSettings(**limits))

    for read in BELIEVED_BPM:
        assert judged(read, 40).broken == ()
    assert judged(900.0, 1).passed
    assert not judged(900.0, 1, broken_share=0.0).passed
    with pytest.raises(RefusedError, match=r"2 of 40 .*drift\.broken_share=0\.01 allows 1\."):
        judged(900.0, 2).enforce()
    assert judged(900.0, 2, broken_share=0.05).passed
