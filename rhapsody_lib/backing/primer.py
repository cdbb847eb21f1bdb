"""The primer: which bars of a given score start the model off, and what carries over from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rhapsody_lib.backing.metres import known_metres
from rhapsody_lib.backing.quantise import fold_into, to_step
from rhapsody_lib.backing.tokens import TokenSong, encode
from rhapsody_lib.backing.vocabulary import METRES, STEP_TICKS, STEPS_PER_BEAT, Vocabulary
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.arranger import arrange
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.parts import without_overlaps
from rhapsody_lib.music.score import PART_RANGES, PARTS, Metre, Note, Score, TimedChord

MIN_BARS = 2
#: Bars and tokens by which the model is primed at most.
PRIME_BARS, PRIME_TOKENS = 16, 2400
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
_ACCOMPANIMENT = ("piano", "guitar", "bass", "strings")
_BEAT_WEIGHTS = np.asarray([3, 0, 0, 1, 1, 0, 2, 0, 1, 1, 0, 0])
_SHIFTS = (0, 1, -1, 2, -2)
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
    return InputError(f"{title} cannot prime the music: {reason}. Choose another song or file.")


def _in_known_metres(score: Score) -> Score:
    """The score with rare metres told by known ones (9/4 as 3/4), where each has one."""
    try:
        return replace(score, metres=known_metres(score))
    except InputError:
        return score  # its main metre may be known all the same


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


def _on_the_grid(score: Score) -> Score:
    """A score of another maker, moved by up to two steps if its beats lie beside the grid as a whole.

    The shift is the one by which most notes start on quarters, then eighths, then sixteenths and triplets.
    """
    steps = np.asarray([to_step(note.start_ticks) for part in PARTS for note in score.parts[part]], dtype=np.int64)
    weights = [int(_BEAT_WEIGHTS[(steps + shift) % STEPS_PER_BEAT].sum()) for shift in _SHIFTS]
    shift = _SHIFTS[int(np.argmax(weights))] * STEP_TICKS
    if score.style or not shift:
        return score
    parts = {
        part: tuple(sorted(replace(note, start_ticks=max(0, note.start_ticks + shift)) for note in score.parts[part]))
        for part in PARTS
    }
    return replace(score, parts=parts)


def usable_part(score: Score) -> Score:
    """The longest run of bars in the score's main metre, from the first bar with notes on.

    Raises:
        InputError: the score has no notes, only drums, fewer than `MIN_BARS` bars with notes, or an unknown metre.
    """
    if not any(score.parts[part] for part in PARTS):
        raise _refuse(score, "it has no notes")
    if not any(score.parts[part] for part in PARTS if part != "drums"):
        raise _refuse(score, "it has only drums")
    score = _in_known_metres(_on_the_grid(score))
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
    return any(score.parts[part] for part in _ACCOMPANIMENT)


def completed(score: Score) -> Score:
    """A score of another maker with the parts that cannot prime played by the arranger, in the style that it chooses.

    These are the parts it lacks, and those without a groove that holds from bar to bar (a pianist's free playing),
    which the network would answer with silence. Scores that name their style and have an accompaniment are left as
    they are.
    """
    if score.style and _is_accompanied(score):
        return score
    bars = list(score.bars())
    end = bars[-1][0] + bars[-1][1].bar_ticks
    melody = without_overlaps(score.parts["melody"])
    sheet = LeadSheet(
        score.title, "", score.key, score.tempo_bpm, score.metres, melody, score.chords, score.sections, (), end
    )
    arranged = arrange(sheet)
    own = {part for part in PARTS if part == "melody" or _is_regular(score.parts[part], score.metres[0].bar_ticks)}
    parts = {part: score.parts[part] if part in own else _between(arranged.parts[part], 0, end) for part in PARTS}
    programs = {part: (score if score.parts[part] else arranged).programs[part] for part in PARTS}
    chords = score.chords or tuple(chord for chord in arranged.chords if chord.start_ticks < end)
    return replace(score, parts=parts, programs=programs, style=score.style or arranged.style, chords=chords)


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
    """A usable score as it is, the tokens of it with the parts it lacks, and what a song may open with.

    The last is the score as it is, or with the parts it lacks where it has a melody alone.
    """

    score: Score
    song: TokenSong
    vocabulary: Vocabulary
    played: Score

    @classmethod
    def of(cls, vocabulary: Vocabulary, score: Score) -> Primer:
        """Prepare a score.

        Raises:
            InputError: it cannot be a primer; the message says why.
        """
        part = usable_part(score)
        full = completed(part)
        return cls(part, encode(vocabulary, full), vocabulary, part if _is_accompanied(part) else full)

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
        families = [{self.vocabulary.family_of[token] for token in bar} & set(PARTS) for bar in self.song.bars]
        size = min(PRIME_BARS // 2, len(families))
        begin = max(
            range(len(families) - size + 1), key=lambda first: (sum(map(len, families[first : first + size])), -first)
        )
        return begin, begin + size

    def bars_for(self, kind: str) -> list[tuple[int, ...]]:
        """Bars that prime a section: the primer's first of its kind, one like it, or those where most parts play."""
        spans = self._spans()
        length = len(self.song.bars)
        begin, end = next(
            ((begin, end) for wanted in (kind, *_INSTEAD.get(kind, ())) for own, begin, end in spans if own == wanted),
            (length - 4, length) if kind in {"ending", "outro"} else self._fullest(),
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

    def opening_bars(self, count: int) -> list[int]:
        """Numbers of the bars that a song opens with: the first in which more than drums and melody strike.

        A primer with fewer of them begins again; one without any opens with its first bars.
        """
        length, tokens = self.score.metres[0].bar_ticks, len(self.song.bars)
        notes = (note for part in _ACCOMPANIMENT for note in self.played.parts[part])
        sounding = sorted({note.start_ticks // length for note in notes if note.start_ticks < tokens * length})
        sounding = sounding or list(range(tokens))
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
            for n in sorted(_between(score.parts[part], begin * length, end * length))
        )
    return parts
