"""Whether a phrase that may be the song's next copies a melody, together with the notes before it."""

from __future__ import annotations

from collections.abc import Sequence

from rhapsody_lib.backing.copying import MelodyGuard, MelodyIndex
from rhapsody_lib.backing.ranking import BarNotes, read_bar
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.music.score import Score

Onsets = list[tuple[int, int]]


class PhraseGuard:
    """Counts the runs of a phrase that are longer than may be shared.

    Args:
        vocabulary: of the bars.
        bar_steps: length of every bar in grid steps.
        melodies: those that the model has learnt; none: nothing is refused.
        primer: the music that the song is primed with, if any.
    """

    def __init__(
        self, vocabulary: Vocabulary, bar_steps: int, melodies: MelodyIndex | None, primer: Score | None
    ) -> None:
        self._vocabulary, self._bar_steps = vocabulary, bar_steps
        self._guard = MelodyGuard(melodies, primer) if melodies else None

    def before(self, bars: Sequence[Sequence[int]]) -> Onsets:
        """The last melody notes of a song's new bars, as many as a copied run may begin with.

        Returns:
            (step, pitch); steps count back from the end of the bars.
        """
        notes: Onsets = []
        for back, bar in enumerate(reversed(bars), start=1):
            if self._guard is None or len(notes) >= self._guard.before:
                break
            start = -back * self._bar_steps
            notes[:0] = [(start + step, pitch) for step, pitch in read_bar(self._vocabulary, bar).notes["melody"]]
        return notes[-self._guard.before :] if self._guard else []

    def copied(self, before: Onsets, phrase: Sequence[BarNotes]) -> int:
        """How many runs that end in the phrase are copies; 0 for none."""
        if self._guard is None:
            return 0
        notes = [
            (index * self._bar_steps + step, pitch)
            for index, bar in enumerate(phrase)
            for step, pitch in bar.notes["melody"]
        ]
        return self._guard.copied([*before, *notes])
