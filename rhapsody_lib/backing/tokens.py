"""Scores to tokens and back.

A song is a header and bars. The header is always ten tokens: style, metre, tempo, mode and the programs of the six
parts. A bar is, in this order:

    Bar_k                       k bars are left in the section, this one included
    [Section_kind]              where a section begins
    [Metre_n/d] [Tempo_bpm]     where they change
    [Line_n]                    where a sung line of n syllables begins
    then for each onset, in rising order:
      Position_p                grid step in the bar
      [Chord_C#m7 [Over_B]]     where the harmony changes, and at the bar's first step in any case
      notes in rising order of part and pitch, each: Piano_60 [Velocity_v] [Duration_d]

Each part (of the drums: each drum) enters a bar at its usual velocity (`usual_level`); a velocity is written where it
changes. A duration is written for the first note of a part in a bar, and where it changes; drums have none. So a bar
can be read without the bars before it. Songs in a major key are told in C, in a minor key in A; the key is no token.
The layout follows REMI (Huang and Yang 2020, "Pop Music Transformer", section 3), with part and pitch in one token.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rhapsody_lib.backing.quantise import quantise, tidy_part, velocity_bin, velocity_of
from rhapsody_lib.backing.vocabulary import (
    DRUM_STEPS,
    DURATIONS,
    KEY_SHIFTS,
    METRES,
    SECTION_KINDS,
    STEP_TICKS,
    TEMPI,
    Vocabulary,
    usual_level,
)
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Tempo, TimedChord

HEADER_TOKENS = 4 + len(PARTS)
_DURATION_INDEX = {steps: index for index, steps in enumerate(DURATIONS)}


@dataclass(frozen=True)
class TokenSong:
    """A song as tokens: `bars[i]` under the header `headers[i]` (style, metre, tempo, mode, programs at that bar)."""

    headers: tuple[tuple[int, ...], ...]
    bars: tuple[tuple[int, ...], ...]
    end: int

    @property
    def ids(self) -> list[int]:
        """The whole song as one sequence."""
        return [*self.headers[0], *(token for bar in self.bars for token in bar), self.end]


def model_shift(key: Key) -> int:
    """Semitones from a song's key to C major or A minor, within half an octave."""
    shift = ((0 if key.mode == "major" else 9) - key.tonic) % 12
    return shift - 12 if shift > KEY_SHIFTS[1] else shift


def _line_starts(score: Score, starts: Sequence[int], metres: Sequence[Metre]) -> dict[int, int]:
    """Syllables of the lines that begin in each bar; a line that begins late in a bar belongs to the next."""
    sizes: dict[int, int] = defaultdict(int)
    begins: dict[int, int] = {}
    for syllable in score.syllables:
        sizes[syllable.line] += 1
        begins.setdefault(syllable.line, syllable.start_ticks)
    lines: dict[int, int] = defaultdict(int)
    for line, ticks in begins.items():
        bar = max(0, bisect.bisect_right(starts, ticks) - 1)
        late = ticks - starts[bar] >= 0.6 * metres[bar].bar_ticks
        lines[min(bar + late, len(starts) - 1)] += sizes[line]
    return lines


class _BarWriter:
    """Writes the events of one bar, remembering velocities and durations already stated."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._velocities: dict[str | int, int] = {}
        self._durations: dict[str, int] = {}

    def onset(self, step: int, chord: ChordSymbol | None, notes: Sequence[tuple[int, Note, str]]) -> list[int]:
        """Tokens of one onset; `notes` are (token id, note, part) in rising order of id."""
        vocabulary = self._vocabulary
        ids = [vocabulary.starts["position"] + step]
        if chord is not None:
            ids += vocabulary.chord(chord)
        for token, note, part in notes:
            ids.append(token)
            voice = token if part == "drums" else part
            level = velocity_bin(note.velocity)
            if self._velocities.get(voice, usual_level(part, note.pitch)) != level:
                ids.append(vocabulary.starts["velocity"] + level)
                self._velocities[voice] = level
            steps = note.duration_ticks // STEP_TICKS
            if part != "drums" and self._durations.get(part) != steps:
                ids.append(vocabulary.starts["duration"] + _DURATION_INDEX[steps])
                self._durations[part] = steps
        return ids


def _bars_left(score: Score, starts: Sequence[int]) -> list[int]:
    """Bars to the end of the section, of the song before and after all sections, at each bar."""
    limits = sorted({bisect.bisect_left(starts, section.start_ticks) for section in score.sections} | {len(starts)})
    return [limits[bisect.bisect_right(limits, bar)] - bar for bar in range(len(starts))]


def _events_by_bar(
    vocabulary: Vocabulary, score: Score, starts: Sequence[int]
) -> list[dict[int, list[tuple[int, Note, str]]]]:
    shift = model_shift(score.key)
    bars: list[dict[int, list[tuple[int, Note, str]]]] = [defaultdict(list) for _ in starts]
    for part in PARTS:
        for note in score.parts[part]:
            token = vocabulary.note(part, note.pitch + (0 if part == "drums" else shift))
            bar = bisect.bisect_right(starts, note.start_ticks) - 1
            bars[bar][(note.start_ticks - starts[bar]) // STEP_TICKS].append((token, note, part))
    return bars


def _chords_by_bar(score: Score, starts: Sequence[int]) -> list[dict[int, ChordSymbol]]:
    shift = model_shift(score.key)
    bars: list[dict[int, ChordSymbol]] = [{} for _ in starts]
    for start, found in zip(starts, bars, strict=True):
        running = score.chord_at(start)
        if running is not None:
            found[0] = running.transposed(shift)
    for chord in score.chords:
        bar = bisect.bisect_right(starts, chord.start_ticks) - 1
        bars[bar][(chord.start_ticks - starts[bar]) // STEP_TICKS] = chord.symbol.transposed(shift)
    return bars


def encode(vocabulary: Vocabulary, score: Score) -> TokenSong:
    """Tokens of a score, which is quantised first.

    Raises:
        InputError: the score has a metre that the tokens cannot say.
    """
    grid = quantise(score)
    starts, metres = [start for start, _ in grid.bars()], [metre for _, metre in grid.bars()]
    notes, chords = _events_by_bar(vocabulary, grid, starts), _chords_by_bar(grid, starts)
    lines, left = _line_starts(score, starts, metres) if starts else {}, _bars_left(grid, starts)
    kinds = {section.start_ticks: section.kind for section in grid.sections}
    tempo_changes = [tempo.start_ticks for tempo in grid.tempi]
    tail = [vocabulary.starts["program"] + grid.programs[part] for part in PARTS]
    mode = vocabulary.starts["mode"] + (grid.key.mode == "minor")
    headers, bars = [], []
    for bar, start in enumerate(starts or [0]):
        metre = metres[bar] if starts else grid.metres[0]
        tempo = grid.tempi[bisect.bisect_right(tempo_changes, start) - 1].bpm
        head = (vocabulary.metre((metre.numerator, metre.denominator)), vocabulary.tempo(tempo))
        headers.append((vocabulary.style(grid.style), *head, mode, *tail))
        if not starts:
            break
        ids = [vocabulary.bar(left[bar])]
        ids += [vocabulary.section(kinds[start])] if start in kinds else []
        ids += [token for token, old in zip(head, headers[bar - 1][1:3], strict=True) if bar and token != old]
        ids += [vocabulary.line(lines[bar])] if bar in lines else []
        writer = _BarWriter(vocabulary)
        for step in sorted(notes[bar].keys() | chords[bar].keys()):
            ids += writer.onset(step, chords[bar].get(step), notes[bar].get(step, ()))
        bars.append(tuple(ids))
    return TokenSong(tuple(headers), tuple(bars), vocabulary.starts["end"])


class _Reader:
    """Collects the events of a token sequence; times in ticks, pitches in the model's key."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.notes: dict[str, list[Note]] = {part: [] for part in PARTS}
        self.chords: list[TimedChord] = []
        self.sections: list[tuple[int, str]] = []
        self.metres: list[Metre] = []
        self.tempi: list[Tempo] = []
        self.style, self.mode = "", 0
        self.programs: list[int] = []
        self.end_ticks = 0
        self._bar_start = self._now = 0
        self._in_bar = False
        self._part: str = PARTS[0]
        self._voice: str | int = PARTS[0]
        self._velocities: dict[str | int, int] = {}
        self._durations: dict[str, int] = {}

    def read(self, token: int) -> None:
        """Take one token."""
        family = self._vocabulary.family_of[token]
        offset = token - self._vocabulary.starts[family]
        if family in self.notes:
            self._note(family, token)
        elif family == "velocity":
            self._velocities[self._voice] = velocity_of(offset)
            self._change_last(velocity=velocity_of(offset))
        elif family == "duration":
            self._durations[self._part] = DURATIONS[offset]
            self._change_last(steps=DURATIONS[offset])
        elif family == "position":
            self._now = self._bar_start + offset * STEP_TICKS
        elif family == "chord":
            self.chords.append(TimedChord(self._now, self._vocabulary.symbol(token)))
        elif family == "over":
            root = self.chords.pop().symbol
            self.chords.append(TimedChord(self._now, ChordSymbol(root.root, root.quality, offset)))
        else:
            self._frame(family, offset)

    def _frame(self, family: str, offset: int) -> None:
        if family == "bar":
            self._bar_start, self._in_bar = self.end_ticks, True
            self._velocities, self._durations = {}, {}
            self.end_ticks += self.metres[-1].bar_ticks if self.metres else 0
        elif family == "section":
            self.sections.append((self._bar_start, SECTION_KINDS[offset]))
        elif family == "metre":
            metre = Metre(self._bar_start, *METRES[offset])
            self.metres = [*(old for old in self.metres if old.start_ticks < metre.start_ticks), metre]
            self.end_ticks = self._bar_start + (metre.bar_ticks if self._in_bar else 0)
        elif family == "tempo":
            self.tempi = [*(old for old in self.tempi if old.start_ticks < self._bar_start)]
            self.tempi.append(Tempo(self._bar_start, float(TEMPI[offset])))
        elif family == "style":
            self.style = self._vocabulary.names[self._vocabulary.starts["style"] + offset].removeprefix("Style_")
        elif family == "mode":
            self.mode = offset
        elif family == "program":
            self.programs.append(offset)

    def _note(self, part: str, token: int) -> None:
        self._part, self._voice = part, token if part == "drums" else part
        pitch = self._vocabulary.part_and_pitch(token)[1]
        steps = DRUM_STEPS if part == "drums" else self._durations.get(part, DURATIONS[0])
        velocity = self._velocities.get(self._voice, velocity_of(usual_level(part, pitch)))
        self.notes[part].append(Note(self._now, pitch, steps * STEP_TICKS, velocity))

    def _change_last(self, *, steps: int | None = None, velocity: int | None = None) -> None:
        old = self.notes[self._part].pop()
        duration = old.duration_ticks if steps is None else steps * STEP_TICKS
        self.notes[self._part].append(Note(old.start_ticks, old.pitch, duration, velocity or old.velocity))


def decode(vocabulary: Vocabulary, ids: Iterable[int], key: Key, title: str = "") -> Score:
    """The score of a sequence that keeps the grammar (`grammar.Grammar`).

    Args:
        vocabulary: the vocabulary of the ids.
        ids: header, bars and `End`.
        key: key of the score; its mode should be that of the header.
        title: title of the score.
    """
    reader = _Reader(vocabulary)
    for token in ids:
        reader.read(token)
    shift = -model_shift(key)
    moved = {
        part: [
            Note(n.start_ticks, n.pitch + (0 if part == "drums" else shift), n.duration_ticks, n.velocity)
            for n in reader.notes[part]
        ]
        for part in PARTS
    }
    begins = [start for start, _ in reader.sections]
    score = Score(
        title,
        key,
        tuple(reader.tempi),
        tuple(reader.metres),
        {part: tidy_part(part, notes) for part, notes in moved.items()},
        tuple(TimedChord(chord.start_ticks, chord.symbol.transposed(shift)) for chord in reader.chords),
        tuple(
            Section(kind, begin, end)
            for (begin, kind), end in zip(reader.sections, [*begins[1:], reader.end_ticks], strict=False)
        ),
        (),
        dict(zip(PARTS, reader.programs, strict=True)),
        reader.style,
    )
    return quantise(score)
