from __future__ import annotations

import numpy as np

from rhapsody_lib.music.score import Metre, Note, Syllable
from rhapsody_lib.song.underlay import SHARE_LIMIT, learnt
from rhapsody_lib.song.underlay_lattice import Lattice, Weights
from tests.benchmarks.underlay_cases import case_of, is_kept_back
from tests.benchmarks.underlay_fit import fit, table, truth, wanted

BEAT = 480
BARS = ((0, Metre(0, 4, 4)), (4 * BEAT, Metre(0, 4, 4)))


def melody(count: int) -> list[Note]:
    return [Note(index * BEAT, 60 + index, BEAT, 90) for index in range(count)]


def syllables(*placed: tuple[int, str, bool]) -> list[Syllable]:
    return [Syllable(beat * BEAT, text, ends, 0) for beat, text, ends in placed]


def test_a_word_sung_on_fewer_notes_than_we_would_still_has_its_syllable() -> None:
    case = case_of(melody(3), BARS, syllables((0, "the", True), (1, "heaven", True), (2, "high", True)))
    assert [word.text for word in case.words] == ["the", "heav", "en", "high"]
    assert case.sheet == ((0, 0), (1, 1), (3, 2))
    assert case.own == (0, 1, 1, 2)
    assert case.counts_differ
    assert case.right([0, 1, 2, 2]) == 3
    assert case.right([0, 0, 1, 2]) == 2


def test_truth_tells_melismas_from_interludes() -> None:
    notes = [*melody(3), Note(6 * BEAT, 60, BEAT, 90), Note(7 * BEAT, 62, BEAT, 90)]
    labels = truth(case_of(notes, BARS, syllables((1, "oh", True), (7, "love", True))))
    assert labels.rest.tolist() == [1, 0, 0, 0, 0]
    assert labels.hold[2].tolist() == [1, 0]
    assert labels.leave[3].tolist() == [1, 0]
    assert labels.begin.sum() == 2


def test_fit_makes_the_truth_likelier() -> None:
    case = case_of(melody(4), BARS, syllables((0, "my", True), (1, "love", True), (3, "sings", True)))
    ((_, (rows, sums)),) = wanted([case])
    weights = fit([(rows, sums)], epochs=5)
    (before, after) = (
        Lattice(found, [rows], SHARE_LIMIT).expected()[0].begin[[0, 1, 3], range(3)].prod()
        for found in (Weights.of_vector(np.zeros_like(sums)), weights)
    )
    assert after > before


def test_what_no_weights_could_say_is_not_learnt_from() -> None:
    crowded = case_of(melody(2), BARS, syllables((0, "oh", True), (1, "wonderful", True)))
    assert wanted([crowded]) == []


def test_the_table_reads_as_it_was_written() -> None:
    rounded = Weights.of_vector(np.round(np.linspace(-2, 2, len(learnt(opens=True).vector())), 2))
    names: dict[str, str] = {}
    exec(table({"LINES": rounded}), names)
    assert np.array_equal(np.array(names["LINES"].split(), dtype=float), rounded.vector())


def test_half_of_the_songs_are_kept_back() -> None:
    kept = [is_kept_back(f"song {index}") for index in range(400)]
    assert 160 < sum(kept) < 240
