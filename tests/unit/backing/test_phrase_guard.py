"""A phrase is judged together with the notes before it, wherever the bar lines are."""

from __future__ import annotations

from rhapsody_lib.backing.copying import LEAST_LIMIT, MelodyIndex
from rhapsody_lib.backing.phrase_guard import PhraseGuard
from rhapsody_lib.backing.ranking import read_bar
from rhapsody_lib.backing.vocabulary import Vocabulary

VOCABULARY = Vocabulary(())
BAR_STEPS = 48
#: Twelve notes over three bars, the last bar in another rhythm.
MELODY = [(step, 60 + step % 7) for step in (0, 12, 24, 36, 48, 60, 72, 84, 96, 102, 120, 126)]


def _bars(notes: list[tuple[int, int]], bars: int = 3) -> list[tuple[int, ...]]:
    """Notes as the tokens of bars, moved up three semitones, which changes nothing."""
    tokens: list[list[int]] = [[VOCABULARY.bar(1)] for _ in range(bars)]
    for step, pitch in notes:
        bar, place = divmod(step, BAR_STEPS)
        tokens[bar] += [VOCABULARY.starts["position"] + place, VOCABULARY.note("melody", pitch + 3)]
    return list(map(tuple, tokens))


def test_a_run_may_begin_before_the_phrase() -> None:
    guard = PhraseGuard(VOCABULARY, BAR_STEPS, MelodyIndex.build([MELODY], []), None)
    first, second, third = _bars(MELODY)
    phrase = [read_bar(VOCABULARY, third)]
    before = guard.before([first, second])
    assert before[-1][0] == 84 - 2 * BAR_STEPS
    assert len(before) == LEAST_LIMIT
    assert guard.copied(before, phrase) == 4  # each of its notes ends a run of nine
    assert guard.copied([], phrase) == 0
    assert guard.copied(guard.before([second]), phrase) == 0  # eight notes are within the limit
    other = _bars([(step, 60) for step, _ in MELODY])[2]
    assert guard.copied(before, [read_bar(VOCABULARY, other)]) < 2


def test_without_an_index_nothing_is_refused() -> None:
    guard = PhraseGuard(VOCABULARY, BAR_STEPS, None, None)
    bars = _bars(MELODY)
    assert guard.before(bars) == []
    assert guard.copied([], [read_bar(VOCABULARY, bar) for bar in bars]) == 0
