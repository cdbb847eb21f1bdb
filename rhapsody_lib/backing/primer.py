"""The primer: which bars of a given score start the model off, and what carries over from them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from rhapsody_lib.backing.quantise import fold_into
from rhapsody_lib.backing.tokens import TokenSong, encode
from rhapsody_lib.backing.vocabulary import METRES, Vocabulary
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.arranger import arrange
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.parts import without_overlaps
from rhapsody_lib.music.score import PART_RANGES, PARTS, Metre, Note, Score, TimedChord

MIN_BARS = 2
#: Bars and tokens by which the model is primed at most.
PRIME_BARS, PRIME_TOKENS = 16, 2400
_LINE_BARS = (1, 2, 4, 8)


@dataclass(frozen=True)
class PrimerFacts:
    """What a song takes over from its primer, for planning it: metre, key, tempo, style, bars of a sung line."""

    metre: tuple[int, int]
    key: Key
    tempo_bpm: float
    style: str
    bars_per_line: int


def _refuse(score: Score, reason: str) -> InputError:
    title = f"'{score.title}'" if score.title else "The score"
    return InputError(f"{title} cannot prime the music: {reason}. Choose another song or MIDI file.")


def _main_metre(score: Score) -> Metre:
    """The metre that most bars are in."""
    counts = Counter((metre.numerator, metre.denominator) for _, metre in score.bars())
    metre = Metre(0, *min(counts, key=lambda item: (-counts[item], item)))
    if (metre.numerator, metre.denominator) not in METRES:
        known = ", ".join(f"{n}/{d}" for n, d in METRES)
        raise _refuse(score, f"it is in {metre.numerator}/{metre.denominator}, and only {known} can be written")
    return metre


def _between(notes: tuple[Note, ...], begin: int, end: int) -> tuple[Note, ...]:
    """Notes that start in [begin, end), cut at its end, moved to tick 0."""
    return tuple(
        Note(note.start_ticks - begin, note.pitch, min(note.end_ticks, end) - note.start_ticks, note.velocity)
        for note in notes
        if begin <= note.start_ticks < end
    )


def usable_part(score: Score) -> Score:
    """The longest run of bars in the score's main metre, from the first bar with notes on.

    Raises:
        InputError: the score has no notes, only drums, fewer than `MIN_BARS` bars with notes, or an unknown metre.
    """
    if not any(score.parts[part] for part in PARTS):
        raise _refuse(score, "it has no notes")
    if not any(score.parts[part] for part in PARTS if part != "drums"):
        raise _refuse(score, "it has only drums")
    metre, bars = _main_metre(score), list(score.bars())
    first_note = min(note.start_ticks for notes in score.parts.values() for note in notes)
    runs: list[tuple[int, int]] = []
    for start, own in bars:
        if start + own.bar_ticks <= first_note or (own.numerator, own.denominator) != (
            metre.numerator,
            metre.denominator,
        ):
            continue
        if runs and runs[-1][1] == start:
            runs[-1] = (runs[-1][0], start + own.bar_ticks)
        else:
            runs.append((start, start + own.bar_ticks))
    begin, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    parts = {part: _between(score.parts[part], begin, end) for part in PARTS}
    sounding = {note.start_ticks // metre.bar_ticks for part in PARTS for note in parts[part]}
    if len(sounding) < MIN_BARS:
        raise _refuse(score, f"it has fewer than {MIN_BARS} bars with notes")
    tempo = [replace(t, start_ticks=max(0, t.start_ticks - begin)) for t in score.tempi if t.start_ticks < end]
    tempi = {t.start_ticks: t for t in tempo}
    before = score.chord_at(begin)
    chords = [TimedChord(c.start_ticks - begin, c.symbol) for c in score.chords if begin < c.start_ticks < end]
    return replace(
        score,
        tempi=tuple(tempi[ticks] for ticks in sorted(tempi)),
        metres=(metre,),
        parts=parts,
        chords=((TimedChord(0, before), *chords) if before else tuple(chords)),
        sections=tuple(
            replace(s, start_ticks=max(0, s.start_ticks - begin), end_ticks=min(s.end_ticks, end) - begin)
            for s in score.sections
            if s.start_ticks < end and s.end_ticks > begin
        ),
        syllables=tuple(
            replace(s, start_ticks=s.start_ticks - begin) for s in score.syllables if begin <= s.start_ticks < end
        ),
    )


def completed(score: Score) -> Score:
    """A score of another maker with the parts it lacks played by the arranger, and the style that the arranger chose.

    So a piano score primes six parts. Scores that name their style are left as they are: what they lack is meant.
    """
    if score.style:
        return score
    bars = list(score.bars())
    end = bars[-1][0] + bars[-1][1].bar_ticks
    melody = without_overlaps(score.parts["melody"])
    sheet = LeadSheet(
        score.title, "", score.key, score.tempo_bpm, score.metres, melody, score.chords, score.sections, (), end
    )
    arranged = arrange(sheet)
    parts = {
        part: score.parts[part] or (() if part == "melody" else _between(arranged.parts[part], 0, end))
        for part in PARTS
    }
    programs = {part: (score if score.parts[part] else arranged).programs[part] for part in PARTS}
    chords = score.chords or tuple(chord for chord in arranged.chords if chord.start_ticks < end)
    return replace(score, parts=parts, programs=programs, style=arranged.style, chords=chords)


def _bars_per_line(score: Score) -> int:
    """Usual distance of sung lines in bars, 2 where nothing is sung."""
    starts: dict[int, int] = {}
    for syllable in score.syllables:
        starts.setdefault(syllable.line, syllable.start_ticks)
    distances = np.diff(sorted(starts.values())) / score.metres[0].bar_ticks
    if not len(distances):
        return 2
    return min(_LINE_BARS, key=lambda bars: abs(bars - float(np.median(distances))))


def primer_facts(score: Score) -> PrimerFacts:
    """What a song planned on this primer takes over.

    Raises:
        InputError: the score cannot be a primer; the message says why.
    """
    part = usable_part(score)
    metre = part.metres[0]
    return PrimerFacts((metre.numerator, metre.denominator), part.key, part.tempo_bpm, part.style, _bars_per_line(part))


@dataclass(frozen=True)
class Primer:
    """A usable score as it is, and the tokens of it with the parts it lacks."""

    score: Score
    song: TokenSong
    vocabulary: Vocabulary

    @classmethod
    def of(cls, vocabulary: Vocabulary, score: Score) -> Primer:
        """Prepare a score.

        Raises:
            InputError: it cannot be a primer; the message says why.
        """
        part = usable_part(score)
        return cls(part, encode(vocabulary, completed(part)), vocabulary)

    def _spans(self) -> list[tuple[str, int, int]]:
        """(kind, first bar, end bar) of each section."""
        sections = self.vocabulary.span("section")
        marks = [
            (self.vocabulary.names[token].removeprefix("Section_"), index)
            for index, bar in enumerate(self.song.bars)
            for token in bar
            if sections.start <= token < sections.stop
        ]
        ends = [*(index for _, index in marks[1:]), len(self.song.bars)]
        return [(kind, begin, end) for (kind, begin), end in zip(marks, ends, strict=False)]

    def bars_for(self, kind: str) -> list[tuple[int, ...]]:
        """Bars that prime a section: those of the primer's first section of its kind, else the song's first or last."""
        begin, end = next(
            ((begin, end) for own, begin, end in self._spans() if own == kind),
            (len(self.song.bars) - 4, len(self.song.bars)) if kind in {"ending", "outro"} else (0, len(self.song.bars)),
        )
        chosen: list[tuple[int, ...]] = []
        for bar in self.song.bars[max(0, begin) : min(end, max(0, begin) + PRIME_BARS)]:
            if sum(map(len, chosen)) + len(bar) > PRIME_TOKENS:
                break
            chosen.append(bar)
        return chosen

    @property
    def drum_pitches(self) -> frozenset[int]:
        """Drums that the song strikes."""
        drums = self.vocabulary.span("drums")
        struck = {token for bar in self.song.bars for token in bar if drums.start <= token < drums.stop}
        return frozenset(self.vocabulary.part_and_pitch(token)[1] for token in struck)

    def opening(self, bars: int) -> list[tuple[int, ...]]:
        """The first bars; a primer that is shorter begins again."""
        return [self.song.bars[index % len(self.song.bars)] for index in range(bars)]


def transposed_opening(score: Score, bars: int, semitones: int) -> dict[str, tuple[Note, ...]]:
    """The score's own first bars as they were played, moved to another key within the parts' ranges."""
    length = score.metres[0].bar_ticks
    own = -(-score.end_ticks // length)
    parts: dict[str, tuple[Note, ...]] = {}
    for part in PARTS:
        low, high = PART_RANGES[part]
        shift = 0 if part == "drums" else semitones
        notes = [
            replace(n, start_ticks=n.start_ticks + turn * own * length, pitch=fold_into(n.pitch + shift, low, high))
            for turn in range(-(-bars // own))
            for n in score.parts[part]
        ]
        parts[part] = tuple(sorted(n for n in _between(tuple(notes), 0, bars * length)))
    return parts
