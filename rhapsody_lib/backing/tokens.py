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

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rhapsody_lib.backing.encoding import (
    ID_MASK,
    ONSET_BITS,
    bar_headers,
    model_shift,
    placed_chords,
    placed_frames,
    placed_notes,
)
from rhapsody_lib.backing.quantise import quantise, quantised_bars, tidy_part, velocity_of
from rhapsody_lib.backing.vocabulary import (
    DRUM_STEPS,
    DURATIONS,
    METRES,
    SECTION_KINDS,
    STEP_TICKS,
    TEMPI,
    Vocabulary,
    usual_level,
)
from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.midi_reader import midi_to_tables
from rhapsody_lib.music.note_tables import Ints, ScoreTables
from rhapsody_lib.music.score import PARTS, Metre, Note, Score, Section, Tempo, TimedChord

__all__ = ["HEADER_TOKENS", "TokenSong", "decode", "encode", "encode_tables", "midi_to_tokens", "model_shift"]
HEADER_TOKENS = 4 + len(PARTS)


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

    def told(self, vocabulary: Vocabulary) -> list[str]:
        """The song for a person to read: the names of the header's tokens, then of each bar's, a line each."""
        lines = (self.headers[0], *self.bars, (self.end,))
        return [" ".join(vocabulary.names[token] for token in line) for line in lines]


def encode(vocabulary: Vocabulary, score: Score) -> TokenSong:
    """Tokens of a score, which is quantised first.

    Raises:
        InputError: the score has a metre that the tokens cannot say.
    """
    return encode_tables(vocabulary, ScoreTables.of(score))


def midi_to_tokens(vocabulary: Vocabulary, data: bytes, name: str) -> TokenSong:
    """Tokens of any MIDI file (`music.midi_reader`).

    Raises:
        UnreadableFileError: the file cannot be read.
        InputError: it has a metre that the tokens cannot say.
    """
    return encode_tables(vocabulary, midi_to_tables(data, name))


def encode_tables(vocabulary: Vocabulary, tables: ScoreTables) -> TokenSong:
    """`encode` of notes in tables."""
    grid, starts, metres = quantised_bars(tables)
    end = vocabulary.starts["end"]
    if not starts:
        return TokenSong((bar_headers(vocabulary, grid.frame, [0], [grid.frame.metres[0]])[0],), (), end)
    headers = bar_headers(vocabulary, grid.frame, starts, metres)
    lines = np.array(starts, dtype=np.int64)
    placed = np.concatenate(
        (
            *placed_frames(vocabulary, tables.frame, grid.frame, starts, metres, headers),
            *placed_notes(vocabulary, grid, lines),
            *placed_chords(vocabulary, grid.frame, lines),
        )
    )
    placed.sort(kind="stable")
    ids = _with_positions(vocabulary, placed)
    cuts = (ids < vocabulary.starts["section"]).nonzero()[0].tolist()  # a bar opens with the one token of that range
    told = tuple(vocabulary.numbers.take(ids).tolist())
    return TokenSong(headers, tuple([told[cut:limit] for cut, limit in zip(cuts, [*cuts[1:], None], strict=True)]), end)


def _with_positions(vocabulary: Vocabulary, placed: Ints) -> Ints:
    """The tokens of sorted places (`encoding.placed`), with a position before each that is the first of its onset."""
    onsets = placed >> ONSET_BITS
    first = (onsets[1:] != onsets[:-1]).nonzero()[0] + 1
    steps = onsets.take(first) & 127
    is_onset = steps > 0  # the others are the frames of bars
    first, steps = first.compress(is_onset), steps.compress(is_onset)
    told = np.empty(len(placed) + len(first), dtype=np.int64)
    is_event = np.ones(len(told), dtype=bool)
    first += np.arange(len(first))
    is_event[first] = False
    told[is_event] = placed & ID_MASK
    told[first] = steps + (vocabulary.starts["position"] - 1)
    return told


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
