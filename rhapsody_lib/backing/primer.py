"""The primer: which bars of a given score start the model off, and what carries over from them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rhapsody_lib.backing.primer_part import HALF_STEP, between, usable_part
from rhapsody_lib.backing.quantise import fold_into, to_step
from rhapsody_lib.backing.tokens import TokenSong, encode
from rhapsody_lib.backing.unsung import PLAYING, longest_break, unsung_of
from rhapsody_lib.backing.vocabulary import STEP_TICKS, Vocabulary
from rhapsody_lib.music.arranger import arrange
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.parts import without_overlaps
from rhapsody_lib.music.plan import BREAK, UNSUNG, SongPlan, Unsung, plan_from_lyrics
from rhapsody_lib.music.score import PART_RANGES, PARTS, Note, Score
from rhapsody_lib.words.document import Lyrics

#: Bars and tokens by which the model is primed at most.
PRIME_BARS, PRIME_TOKENS = 16, 2400
#: Bars that prime a beginning or an ending which the primer has not named: its own first, from the accompaniment's
#: entry on, and its last.
INTRO_BARS, ENDING_BARS = 8, 4
#: Kinds of section that prime one which the primer does not have, in order of preference.
_INSTEAD = {
    "chorus": ("refrain", "bridge", "verse"),
    "refrain": ("chorus", "bridge", "verse"),
    "bridge": ("pre-chorus", "chorus", "verse"),
    "pre-chorus": ("bridge", "verse"),
    "verse": ("chorus", "refrain"),
    "outro": ("ending",),
    "ending": ("outro",),
}
#: Likeness of neighbouring bars from which on a part of another maker's score has a groove.
REGULAR = 0.6
_LINE_BARS = (1, 2, 4, 8)


@dataclass(frozen=True)
class PrimerFacts:
    """What a song takes over from its primer, for planning it: metre, key, tempo, style, bars of a sung line.

    And how long intro, instrumental break and ending are.
    """

    metre: tuple[int, int]
    key: Key
    tempo_bpm: float
    style: str
    bars_per_line: int
    unsung: Unsung = UNSUNG

    def plan(self, lyrics: Lyrics, tempo_bpm: float | None = None) -> SongPlan:
        """The plan of a song for its words; `tempo_bpm` where it is not the primer's.

        Raises:
            InputError: see `plan_from_lyrics`.
        """
        return plan_from_lyrics(
            lyrics,
            self.metre,
            tempo_bpm=tempo_bpm or self.tempo_bpm,
            usual_bars_per_line=self.bars_per_line,
            unsung=self.unsung,
        )


def _is_regular(notes: tuple[Note, ...], bar_ticks: int) -> bool:
    """Whether a part strikes alike from bar to bar: mean Jaccard similarity of neighbouring bars' onsets."""
    onsets: dict[int, set[int]] = {}
    for note in notes:
        step = to_step(note.start_ticks)
        bar, within = divmod(step * STEP_TICKS, bar_ticks)
        onsets.setdefault(bar, set()).add(within)
    pairs = [(onsets[bar], onsets[bar + 1]) for bar in sorted(onsets) if bar + 1 in onsets]
    return bool(pairs) and sum(len(a & b) / len(a | b) for a, b in pairs) / len(pairs) >= REGULAR


def _is_accompanied(score: Score) -> bool:
    return any(score.parts[part] for part in PLAYING)


def completed(score: Score, parts: Collection[str] = PARTS, *, keeps_free: bool = False) -> Score:
    """A score of another maker with the parts that cannot prime played by the arranger, in the style that it chooses.

    These are the parts it lacks, and those without a groove that holds from bar to bar (a pianist's free playing),
    which a network that has read patterns alone would answer with silence. Scores that name their style and have an
    accompaniment are left as they are.

    Args:
        score: in one metre.
        parts: those that the network knows; others are not added.
        keeps_free: whether the network has read free playing, so that it can go on from it.
    """
    if score.style and _is_accompanied(score):
        return score
    able = {part for part in PARTS if part == "melody" or (keeps_free and score.parts[part])}
    able |= {part for part in PARTS if _is_regular(score.parts[part], score.metres[0].bar_ticks)}
    played = set(parts) - able
    if not played:
        return score
    bars = list(score.bars())
    end = bars[-1][0] + bars[-1][1].bar_ticks
    melody = without_overlaps(score.parts["melody"])
    sheet = LeadSheet(
        score.title, "", score.key, score.tempo_bpm, score.metres, melody, score.chords, score.sections, (), end
    )
    arranged = arrange(sheet)
    full = {part: between(arranged.parts[part], 0, end) if part in played else score.parts[part] for part in PARTS}
    programs = {part: (score if score.parts[part] else arranged).programs[part] for part in PARTS}
    chords = score.chords or tuple(chord for chord in arranged.chords if chord.start_ticks < end)
    return replace(score, parts=full, programs=programs, style=score.style or arranged.style, chords=chords)


def _known(score: Score, parts: Collection[str]) -> Score:
    """The score without parts that are not among some, where another accompaniment than these is left."""
    left = replace(score, parts={part: score.parts[part] if part in parts else () for part in PARTS})
    return left if _is_accompanied(left) else score


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
    return PrimerFacts(
        (metre.numerator, metre.denominator),
        part.key,
        part.tempo_bpm,
        part.style,
        _bars_per_line(part),
        unsung_of(part, HALF_STEP),
    )


@dataclass(frozen=True)
class Primer:
    """A usable score as it is, the tokens of it with the parts it lacks, and what a song may open with.

    The last is the score as it is, or with the parts it lacks where it has a melody alone.
    """

    score: Score
    song: TokenSong
    vocabulary: Vocabulary
    played: Score

    @classmethod
    def of(
        cls, vocabulary: Vocabulary, score: Score, parts: Collection[str] = PARTS, *, keeps_free: bool = False
    ) -> Primer:
        """Prepare a score.

        Args:
            vocabulary: of the network.
            score: any.
            parts: those that the network knows.
            keeps_free: whether it has read free playing.

        Raises:
            InputError: it cannot be a primer; the message says why.
        """
        part = usable_part(score)
        full = completed(part, parts, keeps_free=keeps_free)
        played = part if _is_accompanied(part) else full
        return cls(part, encode(vocabulary, _known(full, parts)), vocabulary, played)

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

    def _fullest(self) -> tuple[int, int]:
        """The half of `PRIME_BARS` in which most parts play, the first of them."""
        families = [found & set(PARTS) for found in self._families()]
        size = min(PRIME_BARS // 2, len(families))
        begin = max(
            range(len(families) - size + 1), key=lambda first: (sum(map(len, families[first : first + size])), -first)
        )
        return begin, begin + size

    def bars_for(self, kind: str) -> list[tuple[int, ...]]:
        """Bars that prime a section: the primer's first of its kind, one like it, or `_unnamed`."""
        spans = self._spans()
        begin, end = next(
            ((begin, end) for wanted in (kind, *_INSTEAD.get(kind, ())) for own, begin, end in spans if own == wanted),
            self._unnamed(kind),
        )
        return self._prime(begin, end)

    def bars_again(self, kind: str) -> list[tuple[int, ...]]:
        """Bars that prime a section when it returns: the primer's second of its kind; none where it has but one."""
        spans = [(begin, end) for own, begin, end in self._spans() if own == kind]
        return self._prime(*spans[1]) if len(spans) > 1 else []

    def _prime(self, begin: int, end: int) -> list[tuple[int, ...]]:
        """The first bars of a span, no more than prime."""
        chosen: list[tuple[int, ...]] = []
        for bar in self.song.bars[max(0, begin) : min(end, max(0, begin) + PRIME_BARS)]:
            if sum(map(len, chosen)) + len(bar) > PRIME_TOKENS:
                break
            chosen.append(bar)
        return chosen

    def _unnamed(self, kind: str) -> tuple[int, int]:
        """Bars for a kind that no section of the primer is: its ends, its break, or those where most parts play."""
        length, families = len(self.song.bars), self._families()
        if kind in {"ending", "outro"}:
            return length - ENDING_BARS, length
        if kind == "intro":
            begin = next((bar for bar, found in enumerate(families) if found & set(PLAYING)), 0)
            return begin, begin + INTRO_BARS
        begin, end = self._break(families) if kind == BREAK else (0, 0)
        return (begin, end) if end else self._fullest()

    def _break(self, families: list[set[str]]) -> tuple[int, int]:
        """The bars of the primer's break; (0, 0) where it has none."""
        sung, played = (["melody" in found for found in families], [bool(found & set(PLAYING)) for found in families])
        return longest_break(sung, played, self.score.metres[0].bar_ticks)

    def _families(self) -> list[set[str]]:
        """The families of each bar's tokens, parts among them."""
        return [{self.vocabulary.family_of[token] for token in bar} for bar in self.song.bars]

    @property
    def drum_pitches(self) -> frozenset[int]:
        """Drums that the song strikes."""
        drums = self.vocabulary.span("drums")
        struck = {token for bar in self.song.bars for token in bar if drums.start <= token < drums.stop}
        return frozenset(self.vocabulary.part_and_pitch(token)[1] for token in struck)

    def opening_bars(self, count: int) -> list[int]:
        """Numbers of the bars that a song opens with: the first in which more than drums and melody strike.

        A primer with fewer of them begins again; one without any opens with its first bars.
        """
        length, tokens = self.score.metres[0].bar_ticks, len(self.song.bars)
        notes = (note for part in PLAYING for note in self.played.parts[part])
        struck = {(note.start_ticks + HALF_STEP) // length for note in notes}
        sounding = sorted(bar for bar in struck if bar < tokens) or list(range(tokens))
        return [sounding[index % len(sounding)] for index in range(count)]

    def opening(self, count: int) -> list[tuple[int, ...]]:
        """The tokens of the bars that a song opens with."""
        return [self.song.bars[bar] for bar in self.opening_bars(count)]


def transposed_opening(score: Score, bars: Sequence[int], semitones: int) -> dict[str, tuple[Note, ...]]:
    """Some bars of a score one after another as they were played, moved to another key within the parts' ranges.

    Args:
        score: in one metre.
        bars: numbers of its bars. Where the next is not the one that follows, notes end with their bar.
        semitones: how far the pitches move; those of drums stay.
    """
    length = score.metres[0].bar_ticks
    runs: list[tuple[int, int, int]] = []  # (place, first bar, end bar)
    for place, bar in enumerate(bars):
        if runs and runs[-1][2] == bar:
            runs[-1] = (*runs[-1][:2], bar + 1)
        else:
            runs.append((place, bar, bar + 1))
    parts: dict[str, tuple[Note, ...]] = {}
    for part in PARTS:
        low, high = PART_RANGES[part]
        shift = 0 if part == "drums" else semitones
        parts[part] = tuple(
            replace(n, start_ticks=n.start_ticks + place * length, pitch=fold_into(n.pitch + shift, low, high))
            for place, begin, end in runs
            for n in sorted(between(score.parts[part], begin * length, end * length))
        )
    return parts
