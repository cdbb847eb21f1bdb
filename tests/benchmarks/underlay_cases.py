"""Real songs whose words stand under their notes, as questions: given the melody and the plain words, which syllable is
sung on which note?

A sheet's words are joined from its syllables and taken apart again by our own rules; a syllable of the sheet is then
the one of ours that shares most letters with it. Lead sheets have no lines: `corpus.phrases` cuts them where the melody
rests and the punctuation stands, and a line's melody is all from its first note to the next line's. Songs are in one of
two halves by the hash of their file's name: weights are learnt on one, the other is kept back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from rhapsody_lib.corpus.leadsheets import lead_sheet
from rhapsody_lib.corpus.musicxml import read_sheet
from rhapsody_lib.corpus.musicxml_file import load_musicxml
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import Metre, Note, Syllable
from rhapsody_lib.song.sung_words import SungSyllable, sung_syllables
from rhapsody_lib.song.underlay import Line

#: Folders of sheets, below that of the datasets.
SHEETS = {"openewld": "openewld/songs", "openscore_lieder_en": "lyrics/openscore_lieder_en/songs"}


@dataclass(frozen=True)
class Case:
    """One line or song, and what its sheet says.

    Args:
        notes: the melody.
        bars: (start tick, metre) of the song's bars.
        words: the text as our syllables.
        sheet: of each syllable of the sheet: the index of ours that has most of its letters, and of its note.
        own: of each of our syllables the index of its note, by most letters too.
    """

    notes: tuple[Note, ...]
    bars: tuple[tuple[int, Metre], ...]
    words: tuple[SungSyllable, ...]
    sheet: tuple[tuple[int, int], ...]
    own: tuple[int, ...]

    @property
    def counts_differ(self) -> bool:
        """Whether there are more or fewer notes than syllables of ours."""
        return len(self.notes) != len(self.words)

    @property
    def line(self) -> Line:
        """What is asked."""
        return Line(self.notes, self.bars, self.words)

    def right(self, landed: Sequence[int]) -> int:
        """Syllables of the sheet on their true note, ours beginning on the notes `landed`."""
        return sum(landed[word] == note for word, note in self.sheet)


def _letters(text: str) -> str:
    return "".join(text.split())


def case_of(notes: Sequence[Note], bars: Sequence[tuple[int, Metre]], syllables: Sequence[Syllable]) -> Case:
    """The question that a stretch of a sheet asks; each of `syllables` stands at the start of a note."""
    words = sung_syllables("".join(s.text + " " * s.ends_word for s in syllables))
    ours = [index for index, word in enumerate(words) for _ in _letters(word.text)]
    theirs = [index for index, syllable in enumerate(syllables) for _ in _letters(syllable.text)]
    shared: dict[tuple[int, int], int] = {}
    for pair in zip(ours, theirs, strict=True):
        shared[pair] = shared.get(pair, 0) + 1
    note_at = {note.start_ticks: index for index, note in enumerate(notes)}
    best_word, best_syllable = [(0, 0)] * len(syllables), [(0, 0)] * len(words)
    for (word, syllable), count in shared.items():
        best_word[syllable] = max(best_word[syllable], (count, -word))
        best_syllable[word] = max(best_syllable[word], (count, -syllable))
    places = [note_at[syllable.start_ticks] for syllable in syllables]
    return Case(
        tuple(notes),
        tuple(bars),
        words,
        tuple((-word, place) for (_, word), place in zip(best_word, places, strict=True)),
        tuple(places[-syllable] for _, syllable in best_syllable),
    )


def song_case(sheet: LeadSheet) -> Case:
    """A whole song as one question."""
    return case_of(sheet.melody, sheet.bars(), sheet.syllables)


def line_cases(sheet: LeadSheet) -> Iterator[Case]:
    """Each line of a song as a question of its own."""
    lines = [list(group) for _, group in groupby(sheet.syllables, key=lambda syllable: syllable.line)]
    bounds = [line[0].start_ticks for line in lines] + [sheet.melody[-1].start_ticks + 1]
    for line, (start, end) in zip(lines, pairwise(bounds), strict=True):
        notes = [note for note in sheet.melody if start <= note.start_ticks < end]
        yield case_of(notes, sheet.bars(), line)


def is_kept_back(name: str) -> bool:
    """Whether a song is in the half that nothing is learnt on."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def sheets(datasets: Path, corpus: str, *, kept_back: bool, most: int | None = None) -> list[LeadSheet]:
    """The sheets of a half of a corpus that have words, at most `most`."""
    paths = [path for path in sorted((datasets / SHEETS[corpus]).glob("*.mxl")) if is_kept_back(path.stem) == kept_back]
    read = [lead_sheet(read_sheet(load_musicxml(path, path.name), path.name), path.name) for path in paths[:most]]
    return [sheet for sheet in read if sheet.syllables]
