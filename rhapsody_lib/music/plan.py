"""The plan of a song: which sections follow each other, how many bars each lyric line gets, which sections share music.

Made from lyrics before any music is written. The music is then composed to the plan, and the words are laid on it by
the plan; nothing here knows of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rhapsody_lib.errors import InputError
from rhapsody_lib.music.score import TICKS_PER_BEAT
from rhapsody_lib.words.document import Lyrics, LyricSection
from rhapsody_lib.words.languages import latin_language
from rhapsody_lib.words.syllables import count_syllables

INTRO, BREAK, ENDING = "intro", "interlude", "ending"
#: Bars that a lyric line may span; a phrase of an odd number of bars sounds unfinished.
LINE_BARS = (1, 2, 4, 8)
#: Faster than this, syllables a second cannot be sung clearly.
SINGABLE_SYLLABLES_PER_S = 4.5
#: Sections after which an instrumental break comes best, and the fewest sections that are worth one.
_CHORUSES = frozenset({"chorus", "refrain"})
_BROKEN_FROM = 3
#: A longer song than this is no song; it would take minutes to write.
MAX_BARS = 1200


@dataclass(frozen=True, slots=True)
class Unsung:
    """Bars of a song in which nobody sings: before the words, between them, after them; 0 leaves a stretch out."""

    intro_bars: int = 4
    break_bars: int = 0
    ending_bars: int = 2


#: Of a song whose primer says nothing of it.
UNSUNG = Unsung()


@dataclass(frozen=True, slots=True)
class PlannedSection:
    """One section of the form.

    Args:
        name: as in the lyrics (`verse 1`, `chorus`), or `intro`, `interlude`, `ending`.
        label: sections of equal label share their music, and so have equally many lines and bars.
        bars: length in bars; the lines divide it evenly.
        syllables: syllables of each lyric line; empty in an instrumental section.
    """

    name: str
    label: str
    bars: int
    syllables: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.bars < 1 or (self.syllables and self.bars % len(self.syllables)):
            raise ValueError(f"{self.name}: {self.bars} bars do not divide over {len(self.syllables)} lines")

    @property
    def kind(self) -> str:
        """The name without its number, and without `instrumental`."""
        return self.name.removeprefix("instrumental ").rstrip("0123456789 ")

    @property
    def bars_per_line(self) -> int:
        """Bars that each lyric line spans, 0 in an instrumental section."""
        return self.bars // len(self.syllables) if self.syllables else 0


@dataclass(frozen=True, slots=True)
class PlannedLine:
    """Where one lyric line is sung: `line` counts the lyric lines of the song from 0, bars count from the start."""

    line: int
    section: int
    start_bar: int
    bars: int
    syllables: int


@dataclass(frozen=True)
class SongPlan:
    """The form of a song in one metre (`numerator`, `denominator`). It starts at tick 0 and has no pickup."""

    metre: tuple[int, int]
    sections: tuple[PlannedSection, ...]

    def __post_init__(self) -> None:
        shapes: dict[str, tuple[int, int]] = {}
        for section in self.sections:
            shape = (section.bars, len(section.syllables))
            if shapes.setdefault(section.label, shape) != shape:
                raise ValueError(f"sections labelled '{section.label}' differ in lines or bars")

    @property
    def bars(self) -> int:
        """Bars of the whole song."""
        return sum(section.bars for section in self.sections)

    @property
    def bar_ticks(self) -> int:
        """Length of a bar in ticks."""
        return self.metre[0] * TICKS_PER_BEAT * 4 // self.metre[1]

    def starts(self) -> Iterator[tuple[PlannedSection, int]]:
        """Each section with its first bar, counted from 0."""
        bar = 0
        for section in self.sections:
            yield section, bar
            bar += section.bars

    def lines(self) -> tuple[PlannedLine, ...]:
        """Every lyric line with its bars, in order of performance."""
        lines: list[PlannedLine] = []
        for index, (section, start) in enumerate(self.starts()):
            for number, syllables in enumerate(section.syllables):
                bar = start + number * section.bars_per_line
                lines.append(PlannedLine(len(lines), index, bar, section.bars_per_line, syllables))
        return tuple(lines)

    def shared_syllables(self, label: str) -> tuple[int, ...]:
        """Syllables that each phrase of the shared music should hold: the most that any section sings on it."""
        rows = [section.syllables for section in self.sections if section.label == label]
        return tuple(max(column) for column in zip(*rows, strict=True))


def line_capacity(bars: int, metre: tuple[int, int], tempo_bpm: float) -> float:
    """Syllables that a line of so many bars holds: an eighth note each and a breath, and no more than can be sung.

    Args:
        bars: bars of the line.
        metre: numerator and denominator.
        tempo_bpm: quarter notes a minute.
    """
    beats = bars * metre[0] * 4 / metre[1]
    compound = metre[1] == 8 and metre[0] % 3 == 0
    return min(beats * 2.5 if compound else beats * 2 - 1, beats * 60 / tempo_bpm * SINGABLE_SYLLABLES_PER_S)


def bars_for_lines(syllables: Sequence[int], metre: tuple[int, int], tempo_bpm: float, usual_bars: int = 2) -> int:
    """Bars for each of some lines, so that the longest can be sung: `usual_bars`, or more if it needs them.

    Args:
        syllables: syllables of each line.
        metre: numerator and denominator.
        tempo_bpm: quarter notes a minute.
        usual_bars: bars that a line has in the music taken as a model. Kept below what leaves the lines too thin.
    """
    longest = max(syllables)
    beats = metre[0] * 4 / metre[1]
    roomy = [bars for bars in LINE_BARS if bars <= max(1, usual_bars)]
    while len(roomy) > 1 and longest < roomy[-1] * beats * 0.6 and roomy[-1] > 2:
        roomy.pop()
    for bars in LINE_BARS:
        if bars >= roomy[-1] and longest <= line_capacity(bars, metre, tempo_bpm):
            return bars
    return LINE_BARS[-1]


def _labelled(sections: Sequence[LyricSection], shapes: Sequence[tuple[int, int]]) -> list[str]:
    """`verse` for all verses of one shape, `verse 4x4` (lines x bars a line) for one of another."""
    first: dict[str, tuple[int, int]] = {}
    labels = []
    for section, shape in zip(sections, shapes, strict=True):
        same = first.setdefault(section.kind, shape) == shape
        labels.append(section.kind if same else f"{section.kind} {shape[0]}x{shape[1]}")
    return labels


def _instrumental(kind: str, sung: Sequence[LyricSection], bars: int) -> PlannedSection:
    """A section without words; where the lyrics sing one of its name, it has another, for words go by the name."""
    name = f"instrumental {kind}" if any(section.name == kind for section in sung) else kind
    return PlannedSection(name, f"instrumental {kind}", bars)


def _break_place(sections: Sequence[PlannedSection]) -> int:
    """Before which section an instrumental break comes: after the chorus nearest to the middle of what is sung.

    Of two as near it is the later one; without a chorus, the end of any section. 0 where the song is too short for one.
    """
    if len(sections) < _BROKEN_FROM:
        return 0
    places = range(1, len(sections))
    after_chorus = [place for place in places if sections[place - 1].kind in _CHORUSES]
    total = sum(section.bars for section in sections)
    return min(
        after_chorus or places,
        key=lambda place: (abs(2 * sum(section.bars for section in sections[:place]) - total), -place),
    )


def plan_from_lyrics(
    lyrics: Lyrics,
    metre: tuple[int, int] = (4, 4),
    *,
    tempo_bpm: float = 100.0,
    usual_bars_per_line: int = 2,
    unsung: Unsung = UNSUNG,
) -> SongPlan:
    """Plan a song for its words: an intro, the sections in order with a break among them, an ending.

    Sections of one kind with equally many lines and bars share music. A section whose longest line cannot be sung in
    the usual bars gets twice as many for all its lines.

    Args:
        lyrics: the words; sections without lines are left out.
        metre: numerator and denominator of the whole song.
        tempo_bpm: quarter notes a minute.
        usual_bars_per_line: bars that a line has in the primer, see `bars_for_lines`.
        unsung: bars without words.

    Raises:
        InputError: there are no words, or so many that the song would pass `MAX_BARS`.
    """
    sung = [section for section in lyrics.sections if section.lines]
    if not sung:
        raise InputError("The lyrics have no lines, so there is no song to plan. Give a prompt with words.")
    language = latin_language(word for line in lyrics.lines for word in line.split())
    counts = [tuple(max(1, count_syllables(line, language)) for line in section.lines) for section in sung]
    shapes = [(len(row), bars_for_lines(row, metre, tempo_bpm, usual_bars_per_line)) for row in counts]
    sections = [
        PlannedSection(section.name, label, lines * bars, row)
        for section, label, (lines, bars), row in zip(sung, _labelled(sung, shapes), shapes, counts, strict=True)
    ]
    place = _break_place(sections)
    if unsung.break_bars and place:
        sections.insert(place, _instrumental(BREAK, sung, unsung.break_bars))
    if unsung.intro_bars:
        sections.insert(0, _instrumental(INTRO, sung, unsung.intro_bars))
    if unsung.ending_bars:
        sections.append(_instrumental(ENDING, sung, unsung.ending_bars))
    plan = SongPlan(metre, tuple(sections))
    if plan.bars > MAX_BARS:
        raise InputError(
            f"The lyrics would make a song of {plan.bars} bars; at most {MAX_BARS} are written. Shorten them."
        )
    return plan
