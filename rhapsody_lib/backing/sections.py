"""The music of a song's sections: each is written once, phrase by phrase, all that are new side by side.

Each section is primed with the song's header and the primer's section of the same kind. Of each phrase several
candidates are sampled and the best is kept (`ranking`). Within a section the third of four lines has the tune of the
first, as song melodies do, where the words allow; sections of one label share their tune. A tune that returns keeps its
melody and chords, while some bars of its accompaniment are written anew, as players would.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from rhapsody_lib.backing.lines import Line, lines_of, music_label, tune_of
from rhapsody_lib.backing.metrics import bar_likeness
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.phrase_guard import PhraseGuard
from rhapsody_lib.backing.primer import Primer
from rhapsody_lib.backing.ranking import (
    BarNotes,
    Wanted,
    bars_alike,
    chord_changes,
    consonance_of,
    firmness_of,
    grooves_of,
    melody_of,
    onset_shares,
    phrase_score,
    read_bar,
    safety_of,
)
from rhapsody_lib.backing.rules import BarRule, Rules
from rhapsody_lib.backing.sampling import FREE_SHARE, MIN_SHARE, Band, Bar, Candidate, Mark, Phrase, Steps, Writer
from rhapsody_lib.backing.vocabulary import MAX_BARS_LEFT, STEPS_PER_BEAT, bar_steps
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.plan import PlannedSection, SongPlan
from rhapsody_lib.music.score import PARTS
from rhapsody_lib.progress import Progress
from rhapsody_lib.seeding import generator

CANDIDATES = 8
#: Candidates of a phrase whose tune is given.
VARIANTS = 2
#: Times that a phrase is written where every candidate copies; then the one that copies least is kept.
TRIES = 4
#: More lines than any section has.
MAX_LINES = 1000
#: Strings join a section that returns if they play in so much more of its bars in the primer.
JOINING = 0.25
#: Where a section returns, one line of so many is accompanied anew. Of free playing, in which nothing is alike but what
#: returns, as many as make the song's bars like earlier ones as the primer's are: by so much less, if all are.
NEWLY_PLAYED = 3
_RETURNED, _NEW_LESS = 0.46, 0.13


@dataclass(frozen=True)
class _Start:
    """Where a section begins: the place after the primer's bars, and these; in `lines`, where the lines at bars do."""

    mark: Mark
    primed: Sequence[Bar]
    lines: dict[int, Mark] = field(default_factory=dict)

    def at(self, line: Line) -> Mark:
        """Where a line begins; of a section that is not written from here, where the section does."""
        return self.lines.get(line.bar, self.mark)


class SongWriter:
    """Writes the sections of one song.

    Args:
        model: the trained network.
        plan: of the song.
        primer: in the plan's metre.
        header: tokens of the song's header.
        key: of the song.
        guard: tells of copied melodies.
        seed: of the song; each section draws from a source of its own.
        temperature: 1 samples as trained; lower is safer. Of a primer played freely it is nearer to 1 (`firmness_of`).
    """

    def __init__(
        self,
        model: BackingModel,
        plan: SongPlan,
        primer: Primer,
        header: Bar,
        key: Key,
        guard: PhraseGuard,
        *,
        seed: int,
        temperature: float,
    ) -> None:
        self._model, self._plan, self._primer, self._header = model, plan, primer, header
        self._guard, self._seed, self._temperature = guard, seed, temperature
        self._vocabulary = model.vocabulary
        self._frame_tokens = model.vocabulary.mask("bar", "section", "metre", "tempo", "line")
        self._tonic = 0 if key.mode == "major" else 9
        self._drums = primer.drum_pitches
        heard = [read_bar(self._vocabulary, bar) for bar in primer.song.bars]
        played = {part for part in PARTS if any(bar.notes[part] for bar in heard)}
        self._rules = Rules(model.vocabulary, key, bar_steps(plan.metre), played)
        self._consonance = consonance_of(heard)
        self._strings = onset_shares([bar for bar in heard if bar.notes["strings"]], "strings")
        self._firmness = self._firmness_of_primer(heard)
        self._newly = NEWLY_PLAYED if 2 * self._firmness > 1 else _newly_played(primer)
        self._music: dict[str, list[Bar]] = {}
        self._labels = [music_label(plan, number) for number in range(len(plan.sections))]

    def _firmness_of_primer(self, heard: Sequence[BarNotes]) -> float:
        """By the sections that prime, for a song's sections differ; of a primer without sections by all its bars."""
        if not self._primer.score.sections:
            return firmness_of(heard)
        kinds = dict.fromkeys(section.kind for section in self._plan.sections)
        primed = [[read_bar(self._vocabulary, bar) for bar in self._primer.bars_for(kind)] for kind in kinds]
        return sum(map(firmness_of, primed)) / len(primed)

    def open_with(self, bars: Sequence[Bar]) -> None:
        """Take the first section's music from given bars."""
        self._music[self._labels[0]] = [tuple(token for token in bar if not self._frame_tokens[token]) for bar in bars]

    def written(self, progress: Progress) -> list[Bar]:
        """The bars of the whole song, with their frames."""
        sections, labels = self._plan.sections, self._labels
        firsts = {label: labels.index(label) for label in labels}
        new = [label for label in firsts if label not in self._music]
        safety = safety_of(self._firmness)
        temperature = 1 - (1 - self._temperature) * self._firmness * safety
        min_share = MIN_SHARE * FREE_SHARE ** (1 - safety)
        band = Band(self._model, bar_steps(self._plan.metre), temperature, min_share)
        starts = self._heard(band, {label: self._primed_by(firsts[label]) for label in new})
        writers = [
            self._writer(sections[firsts[label]], starts[label], label, is_last=label == labels[-1]) for label in new
        ]
        players = self._players(band, starts)
        played = band.write([*writers, *(player for _, _, player in players)], progress)[len(new) :]
        music = [list(self._music[label]) for label in labels]
        for (number, line, _), bars in zip(players, played, strict=True):
            music[number][line.bar : line.bar + line.bars] = bars
        return [
            (*frame, *body)
            for section, bodies in zip(sections, music, strict=True)
            for frame, body in zip(self._frames(section), bodies, strict=True)
        ]

    def _players(self, band: Band, starts: Mapping[str, _Start]) -> list[tuple[int, Line, Writer]]:
        """Who plays lines of sections that return anew: the number of the section, the line, the writer."""
        sections, labels = self._plan.sections, self._labels
        firsts = {label: labels.index(label) for label in starts if labels.count(label) > 1}
        primed = {label: self._primer.bars_again(sections[first].kind) for label, first in firsts.items()}
        again = self._heard(band, {label: bars for label, bars in primed.items() if bars})
        begins = {label: again.get(label, starts[label]) for label in firsts}
        asked = {
            label: self._asked(sections[first], begins[label], first=starts[label]) for label, first in firsts.items()
        }
        return [
            (number, line, self._player(number, line, begins[label], asked[label], joins=joins))
            for number, label in enumerate(labels)
            if number != firsts.get(label, number)
            for line, joins in self._played_again(number, asked[label][0])
        ]

    def _primed_by(self, number: int) -> list[Bar]:
        """The primer's bars for a section: of its second of the kind where the song has had one, else of its first."""
        kind = self._plan.sections[number].kind
        had = any(section.kind == kind for section in self._plan.sections[:number])
        return (self._primer.bars_again(kind) if had else []) or self._primer.bars_for(kind)

    def _heard(self, band: Band, primed: Mapping[str, Sequence[Bar]]) -> dict[str, _Start]:
        """Where sections begin, by their labels, after the primer's bars."""
        sequences = {label: (*self._header, *chain.from_iterable(bars)) for label, bars in primed.items()}
        different = list(dict.fromkeys(sequences.values()))
        marks = dict(zip(different, band.heard(different), strict=True))
        return {label: _Start(marks[sequences[label]], bars) for label, bars in primed.items()}

    def _played_again(self, number: int, wanted: Wanted) -> list[tuple[Line, bool]]:
        """Lines of a section that returns, where its accompaniment is not as it was, and whether strings only join."""
        lines = lines_of(self._plan, self._plan.sections[number])
        newly = set(range(len(lines))[min(1, self._newly - 1) :: self._newly])
        return [(line, at not in newly) for at, line in enumerate(lines) if at in newly or wanted.joined]

    def _frames(self, section: PlannedSection) -> list[Bar]:
        """What opens each bar. A model that knows no sections has learnt how many bars are left of the song."""
        vocabulary, kind = self._vocabulary, section.kind
        wanted = self._plan.shared_syllables(section.label)
        sectioned, lined = self._model.knows("section"), self._model.knows("line")
        counted = sectioned or section is self._plan.sections[-1]
        frames = []
        for bar in range(section.bars):
            frame = [vocabulary.bar(section.bars - bar if counted else MAX_BARS_LEFT)]
            frame += [vocabulary.section(kind)] if bar == 0 and sectioned else []
            sung = lined and section.bars_per_line and bar % section.bars_per_line == 0
            frame += [vocabulary.line(wanted[bar // section.bars_per_line])] if sung else []
            frames.append(tuple(frame))
        return frames

    def _writer(self, section: PlannedSection, start: _Start, label: str, *, is_last: bool) -> Writer:
        """Writes a section that is new."""
        wanted, rules = self._asked(section, start)
        steps = self._steps(section, start, label, wanted, is_last=is_last)
        chance = generator(self._seed, "backing", "section", label)
        return Writer(section.name, steps, rules, chance, CANDIDATES)

    def _player(self, number: int, line: Line, start: _Start, asked: tuple[Wanted, Rules], *, joins: bool) -> Writer:
        """Accompanies a line of a section that returns anew, or lets strings join, as soon as that line is written."""
        section, label, (wanted, rules) = self._plan.sections[number], self._labels[number], asked
        steps = self._played(number, line, start, replace(wanted, syllables=line.syllables), joins=joins)
        chance = generator(self._seed, "backing", "line", number, line.bar)
        end = line.bar + line.bars
        return Writer(section.name, steps, rules, chance, VARIANTS, lambda: len(self._music.get(label, ())) >= end)

    def _asked(self, section: PlannedSection, start: _Start, *, first: _Start | None = None) -> tuple[Wanted, Rules]:
        """What is asked of a section's phrases, and the rules of its notes; `first` is its start where it returns."""
        heard = [read_bar(self._vocabulary, bar) for bar in start.primed]
        shares = {part: onset_shares(heard, part) for part in PARTS[1:]}
        parts = {part for part in shares if shares[part]}
        joins = False
        if first:
            before = _with_strings([read_bar(self._vocabulary, bar) for bar in first.primed])
            shares["strings"] = shares["strings"] or (self._strings if not before else {})
            joins = bool(shares["strings"]) and _with_strings(heard) >= before + JOINING * bool(before)
            parts |= {"strings"} if joins else set()
        sings = section.syllables or 2 * sum(bool(bar.notes["melody"]) for bar in heard) > len(heard)
        rules = self._rules.limited(parts | ({"melody"} if sings else set()), self._drums)
        rules.prefer(shares, self._firmness)
        copied = frozenset(melody_of(bar) for bar in heard)
        grooves, changes, likeness = grooves_of(heard), chord_changes(heard), bars_alike(heard)
        wanted = Wanted(
            0, grooves, -1, STEPS_PER_BEAT, copied, changes, self._firmness, self._consonance, likeness, joins
        )
        return wanted, rules

    def _steps(self, section: PlannedSection, start: _Start, label: str, usual: Wanted, *, is_last: bool) -> Steps:
        """Ask for one phrase of a section after another."""
        frames, written = self._frames(section), self._music.setdefault(label, [])
        lines, mark = lines_of(self._plan, section), start.mark
        for number, line in enumerate(lines):
            own, ends = frames[line.bar : line.bar + line.bars], number + 1 == len(lines)
            start.lines[line.bar] = mark
            wanted = replace(usual, syllables=line.syllables, tonic=self._tonic if ends else -1)
            if line.repeats >= 0:
                begin = lines[line.repeats].bar
                again = self._again(own, written[begin : begin + line.bars])
                best = yield from self._best(Phrase(mark, again, VARIANTS), wanted, [], tries=1)
            else:
                rules, before = _bar_rules(own, line, closes=is_last and ends), self._guard.before(written)
                best = yield from self._best(Phrase(mark, rules, CANDIDATES), wanted, before, tries=TRIES)
            mark = best.end
            written += best.bars
        return written

    def _played(self, number: int, line: Line, start: _Start, wanted: Wanted, *, joins: bool) -> Steps:
        """Ask for one line of a section that returns."""
        bars = slice(line.bar, line.bar + line.bars)
        written = self._music[self._labels[number]][bars]
        again = self._again(self._frames(self._plan.sections[number])[bars], written, joins=joins)
        return (yield from self._best(Phrase(start.at(line), again, VARIANTS), wanted, [], tries=1)).bars

    def _again(self, frames: Sequence[Bar], bodies: Sequence[Bar], *, joins: bool = False) -> list[BarRule]:
        """Bars whose tune is given, or all but the strings."""
        rules = []
        for frame, body in zip(frames, bodies, strict=True):
            tune = tune_of(self._vocabulary, body, PARTS[:-1] if joins else PARTS[:1])
            rules.append(BarRule(frame, tune=tune, joins=joins) if tune else BarRule(frame, given=body))
        return rules

    def _best(
        self, phrase: Phrase, wanted: Wanted, before: list[tuple[int, int]], *, tries: int
    ) -> Generator[Phrase, list[Candidate], Candidate]:
        """The best of the candidates that copy nothing; `before` are the melody's last notes."""
        options: list[tuple[int, float, Candidate]] = []
        while not any(copied == 0 for copied, _, _ in options) and len(options) < tries * phrase.candidates:
            for candidate in (yield phrase):
                bars = [read_bar(self._vocabulary, bar) for bar in candidate.bars]
                score = phrase_score(bars, wanted, candidate.mean_log_probability)
                options.append((self._guard.copied(before, bars), -score, candidate))
        return min(options, key=lambda option: option[:2])[2]


def _newly_played(primer: Primer) -> int:
    """One line of so many is accompanied anew in a song that is primed by free playing."""
    returns = bar_likeness(primer.score)[1]
    share = min(1.0, (_RETURNED - returns) / _NEW_LESS)
    return round(1 / share) if share > 1 / MAX_LINES else MAX_LINES


def _with_strings(bars: Sequence[BarNotes]) -> float:
    """Share of bars in which strings play."""
    return sum(bool(bar.notes["strings"]) for bar in bars) / max(1, len(bars))


def _bar_rules(frames: Sequence[Bar], line: Line, *, closes: bool) -> list[BarRule]:
    """Sung bars need a melody, save the last of a line, where the singer breathes."""
    sung = max(1, line.bars - 1) if line.syllables else 0
    return [
        BarRule(
            frame,
            must_sing=index < sung,
            is_cadence=closes and index + 2 == len(frames),
            is_final=closes and index + 1 == len(frames),
        )
        for index, frame in enumerate(frames)
    ]
