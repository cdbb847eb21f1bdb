"""A melody for words over chords, by rule, seeded by the song's title.

Each lyric line is a phrase over its bars (`rhythm` places the syllables, `contour` finds the pitches). Lines of one
role in a section share contour and rhythm (A A' B A'), a second verse follows the first, a chorus that returns is
the same to the note, and choruses lie higher.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rhapsody_lib.music.chords import ChordSymbol, Key
from rhapsody_lib.music.contour import SHAPES, Line, Place, pitches_for
from rhapsody_lib.music.form import Bars, ending_bars, intro_bars_of, timed_chords
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.rhythm import EIGHTH_TICKS, Frame, place, strength
from rhapsody_lib.music.score import TICKS_PER_BEAT, Metre, Note, Section, Syllable, TimedChord
from rhapsody_lib.seeding import generator, split_seed
from rhapsody_lib.words.syllables import line_words, syllables

#: Roles of a section's lines, by how many there are.
_ROLES = {1: "A", 2: "AB", 3: "AAB", 4: "AABA", 5: "AABCA", 6: "AABAAB", 7: "AABAABA", 8: "AABACCBA"}
#: How welcome syncopation is, by style; 0.2 elsewhere.
_OFFBEAT = {"funk": 0.8, "pop": 0.6, "soul": 0.7, "reggae": 0.6, "bossa": 0.7, "disco": 0.6, "swing": 0.6, "rock": 0.4,
            "blues": 0.5, "lullaby": 0.0, "waltz": 0.0, "sea-song": 0.0}  # fmt: skip
#: Semitones above the middle of the range at which each kind of section lies.
_HEIGHT = {"verse": -2.5, "pre-chorus": 0.5, "chorus": 2.5, "refrain": 1.5, "bridge": 1.0, "outro": -1.0}
_SPAN = 16
_SHORTEST_BREATH = TICKS_PER_BEAT // 4


@dataclass(frozen=True)
class SungSyllable:
    """A syllable to set: its text, stress 0 to 2, and whether it starts and ends its word."""

    text: str
    stress: int
    starts_word: bool
    ends_word: bool


@dataclass(frozen=True)
class SongSection:
    """A section in performed order: the chords of each bar, and lines that divide the bars evenly."""

    name: str
    bars: Bars
    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.rstrip("0123456789 ")


Syllabify = Callable[[str], Sequence[SungSyllable]]


def line_syllables(line: str) -> list[SungSyllable]:
    """The syllables of a line, by `words.syllables`."""
    found = []
    for word in line_words(line):
        pieces = syllables(word)
        for index, piece in enumerate(pieces):
            found.append(SungSyllable(piece.text, piece.stress, index == 0, index == len(pieces) - 1))
    return found


@dataclass(frozen=True)
class _Phrase:
    """A line as set: (onset from the line's first barline, pitch) of each syllable."""

    onsets: tuple[int, ...]
    pitches: tuple[int, ...]


@dataclass
class _Composer:
    title: str
    style: str
    key: Key
    metre: Metre
    tempo_bpm: float
    syllabify: Syllabify
    _references: dict[tuple[str, str], _Phrase] = field(default_factory=dict)
    _known: dict[tuple[str, Bars, tuple[str, ...]], list[_Phrase]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seed = split_seed(0, "composer", self.title, self.style)
        low = 55 + (self.key.tonic - 55) % 12
        low = low - 5 if low > 60 else low
        self.low = max(55, min(low, 61))

    def _frame(self, role: str, bars: int, reference: _Phrase | None, *, pickup: bool) -> Frame:
        rng = generator(self.seed, "rhythm", role)
        compound = self.metre.denominator == 8
        pickup_ticks = min(EIGHTH_TICKS * 2, self.metre.bar_ticks // 3) if pickup else 0
        return Frame(
            metre=self.metre,
            bars=bars,
            tempo_bpm=self.tempo_bpm,
            pickup_ticks=pickup_ticks,
            offbeat=0.0 if compound else _OFFBEAT.get(self.style, 0.2),
            jitter=rng.normal(0.0, 0.35, 8 * bars),
            reference=frozenset(reference.onsets) if reference else frozenset(),
        )

    def _line(self, kind: str, role: str, cadence: str) -> Line:
        rng = generator(self.seed, "contour", kind, role)
        centre = self.low + _SPAN / 2 + _HEIGHT.get(kind, 0.0)
        low = self.low + (3 if kind == "chorus" else 0)
        high = self.low + _SPAN - (3 if kind == "verse" else 0)
        return Line(
            key=self.key,
            low=low,
            high=min(high, 77),
            centre=centre,
            shape=SHAPES[int(rng.integers(len(SHAPES)))],
            cadence=cadence,
            taste=rng.normal(0.0, 0.6, (24, _SPAN + 1)),
            blue=self.style == "blues",
        )

    def _phrase(self, kind: str, role: str, cadence: str, line: str, bars: Bars, reference: _Phrase | None) -> _Phrase:
        sung = self.syllabify(line)
        if not sung:
            return _Phrase((), ())
        frame = self._frame(kind + role, len(bars), reference, pickup=True)
        onsets = place([s.stress for s in sung], [s.starts_word for s in sung], frame)
        chords = timed_chords(bars, self.metre, 0)
        known = dict(zip(reference.onsets, reference.pitches, strict=True)) if reference else {}
        places = [
            Place(
                strength(self.metre, onset),
                index / max(1, len(onsets) - 1),
                _chord_at(chords, onset),
                known.get(onset),
            )
            for index, onset in enumerate(onsets)
        ]
        return _Phrase(tuple(onsets), tuple(pitches_for(places, self._line(kind, role, cadence))))

    def section(self, section: SongSection) -> list[_Phrase]:
        """The phrases of a section's lines. The same section again gives the same phrases."""
        key = (section.kind, section.bars, section.lines)
        if key in self._known:
            return self._known[key]
        count = len(section.lines)
        roles = _ROLES.get(count) or "".join("AABA"[index % 4] for index in range(count))
        span = len(section.bars) // count
        phrases: list[_Phrase] = []
        said: dict[tuple[str, Bars], _Phrase] = {}
        for index, (line, role) in enumerate(zip(section.lines, roles, strict=True)):
            bars = section.bars[index * span : (index + 1) * span]
            plain = re.sub(r"[^\w']+", " ", line.lower()).strip()
            cadence = (
                "home" if index == count - 1 and section.kind != "pre-chorus" else "open" if index % 2 == 0 else "chord"
            )
            same_line = (section.kind, f"line {index}")
            reference = self._references.get(same_line) or self._references.get((section.kind, role))
            phrase = said.get((plain, bars)) or self._phrase(section.kind, role, cadence, line, bars, reference)
            said.setdefault((plain, bars), phrase)
            self._references.setdefault(same_line, phrase)
            self._references.setdefault((section.kind, role), phrase)
            phrases.append(phrase)
        self._known[key] = phrases
        return phrases


def _chord_at(chords: Sequence[TimedChord], ticks: int) -> ChordSymbol:
    """The chord at a tick; a pickup belongs to the first."""
    return [chord for chord in chords if chord.start_ticks <= max(ticks, 0)][-1].symbol


def _notes(phrases: Sequence[tuple[int, int, _Phrase]], metre: Metre) -> list[Note]:
    """Notes of all phrases, given as (start, end, phrase): each held to the next, but for a breath between lines."""
    onsets = [
        (start + onset, pitch, end)
        for start, end, p in phrases
        for onset, pitch in zip(p.onsets, p.pitches, strict=True)
    ]
    notes = []
    for index, (onset, pitch, end) in enumerate(onsets):
        following, _, following_end = onsets[index + 1] if index + 1 < len(onsets) else (end, 0, -1)
        room = following - onset
        if following_end != end:
            limit = min(metre.bar_ticks, TICKS_PER_BEAT * 4)
            room = min(room, limit, max(end - onset, EIGHTH_TICKS))
            room -= min(_SHORTEST_BREATH, room // 2)
        else:
            room = min(room, TICKS_PER_BEAT * 3)
        notes.append(Note(onset, pitch, max(1, room), 90))
    return notes


def _without_lost_pickup(notes: list[Note]) -> list[Note]:
    """Notes that start before tick 0 (a pickup without an intro) spread over the first note's place from tick 0 on."""
    early = [note for note in notes if note.start_ticks < 0]
    rest = notes[len(early) :]
    until = rest[0].start_ticks if rest and rest[0].start_ticks > 0 else 0
    if until == 0 and rest:
        early, rest = [*early, rest[0]], rest[1:]
        until = rest[0].start_ticks if rest else early[-1].end_ticks
    share = max(1, until // len(early))
    moved = [Note(index * share, note.pitch, share, note.velocity) for index, note in enumerate(early)]
    return moved + rest


@dataclass
class _Draft:
    """The song as it grows. `phrases` are (start, end, phrase); `sung` has the line of each syllable."""

    metre: Metre
    end_ticks: int = 0
    lines: int = 0
    chords: list[TimedChord] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    phrases: list[tuple[int, int, _Phrase]] = field(default_factory=list)
    sung: list[tuple[SungSyllable, int]] = field(default_factory=list)

    def add_bars(self, name: str, bars: Bars) -> int:
        """Append a section's bars and return where it starts."""
        start = self.end_ticks
        if bars:
            self.end_ticks += len(bars) * self.metre.bar_ticks
            self.sections.append(Section(name, start, self.end_ticks))
            self.chords += timed_chords(bars, self.metre, start)
        return start

    def add_section(self, section: SongSection, composer: _Composer) -> None:
        """Append a section with its melody and words."""
        start = self.add_bars(section.name, section.bars)
        length = (self.end_ticks - start) // len(section.lines)
        for index, phrase in enumerate(composer.section(section)):
            self.phrases.append((start + index * length, start + (index + 1) * length, phrase))
            self.sung += [(syllable, self.lines) for syllable in composer.syllabify(section.lines[index])]
            self.lines += 1

    def melody(self) -> list[Note]:
        """The notes, one a syllable."""
        notes = _notes(self.phrases, self.metre)
        return _without_lost_pickup(notes) if notes and notes[0].start_ticks < 0 else notes

    def chord_changes(self) -> tuple[TimedChord, ...]:
        """The chords without those that repeat the one before."""
        return tuple(c for i, c in enumerate(self.chords) if i == 0 or c.symbol != self.chords[i - 1].symbol)


def compose_melody(
    *,
    title: str,
    style: str,
    key: Key,
    metre: tuple[int, int],
    tempo_bpm: float,
    intro_bars: int,
    sections: Sequence[SongSection],
    syllabify: Syllabify = line_syllables,
) -> LeadSheet:
    """Compose a song's lead sheet: intro, the sections in the order given, an ending on the tonic.

    Every syllable gets one note, in pitch range 55 to 77. The same arguments give the same sheet.

    Args:
        title: seeds the melody.
        style: of `corpus.songbook.STYLES`; colours rhythm, ending and blue notes.
        key: of the song.
        metre: numerator, denominator.
        tempo_bpm: quarter notes a minute.
        intro_bars: bars before the first section.
        sections: in performed order, with the bars of each divided evenly by its lines.
        syllabify: splits a line into syllables.

    Raises:
        InputError: a line has more syllables than its bars have ticks.
    """
    draft = _Draft(Metre(0, *metre))
    composer = _Composer(title, style, key, draft.metre, tempo_bpm, syllabify)
    draft.add_bars("intro", intro_bars_of(sections[0].bars, intro_bars, key) if sections else ())
    for section in sections:
        draft.add_section(section, composer)
    draft.add_bars("ending", ending_bars(style, key, tempo_bpm))
    notes = draft.melody()
    return LeadSheet(
        title=title,
        style=style,
        key=key,
        tempo_bpm=tempo_bpm,
        metres=(draft.metre,),
        melody=tuple(notes),
        chords=draft.chord_changes(),
        sections=tuple(draft.sections),
        syllables=tuple(
            Syllable(note.start_ticks, syllable.text, syllable.ends_word, line)
            for note, (syllable, line) in zip(notes, draft.sung, strict=True)
        ),
        end_ticks=draft.end_ticks,
    )
