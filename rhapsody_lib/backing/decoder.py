"""A song plan and a primer to six parts: the GRU writes each stretch of music once, phrase by phrase.

Each section is primed anew with the song's header, the primer's section of the same kind and the last bars written, for
a recurrent network forgets. Of each phrase several candidates are sampled and the best is kept (`ranking`). Within a
section the third of four lines repeats the music of the first, as song melodies do, where the words allow; sections of
one label share their music. Bars, sections and sung lines are given by the plan, the last bar is the tonic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from rhapsody_lib.backing.copying import MelodyIndex
from rhapsody_lib.backing.finishing import finished
from rhapsody_lib.backing.grammar import Grammar
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.phrase_guard import PhraseGuard
from rhapsody_lib.backing.primer import Primer, transposed_opening
from rhapsody_lib.backing.ranking import (
    Wanted,
    chord_changes,
    grooves_of,
    melody_of,
    onset_shares,
    phrase_score,
    read_bar,
)
from rhapsody_lib.backing.rules import BarRule, Rules
from rhapsody_lib.backing.sampling import Branch, Candidate, write_phrase
from rhapsody_lib.backing.stock import stock_groove
from rhapsody_lib.backing.tokens import HEADER_TOKENS, decode
from rhapsody_lib.backing.vocabulary import METRES, STEPS_PER_BEAT, bar_steps
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.plan import PlannedSection, SongPlan
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.progress import Progress, silent
from rhapsody_lib.seeding import generator

CANDIDATES = 8
#: Times that a phrase is written where every candidate copies; then the one that copies least is kept.
TRIES = 4
#: Bars without words are written so many at a time.
INSTRUMENTAL_BARS = 4
#: Bars of the song so far by which a section is primed, after the primer's.
CARRIED_BARS = 2
DEFAULT_BPM = 100.0
#: A line may repeat the music of another whose syllables differ by no more.
LIKE_SYLLABLES = 3

Bar = tuple[int, ...]


@dataclass(frozen=True)
class _Phrase:
    """Bars of a section written at once; `repeats` is the phrase whose music returns, or -1."""

    bar: int
    bars: int
    syllables: int
    repeats: int = -1


def _phrases(plan: SongPlan, section: PlannedSection) -> list[_Phrase]:
    if not section.syllables:
        starts = range(0, section.bars, INSTRUMENTAL_BARS)
        return [_Phrase(bar, min(INSTRUMENTAL_BARS, section.bars - bar), 0) for bar in starts]
    wanted, bars = plan.shared_syllables(section.label), section.bars_per_line
    phrases: list[_Phrase] = []
    for line, syllables in enumerate(wanted):
        model = line - 4 if line >= 4 else line - 2
        inner = line >= 2 and line + 1 < len(wanted) and (line % 4 == 2 or line >= 4)
        like = inner and abs(wanted[model] - syllables) <= LIKE_SYLLABLES
        origin = phrases[model].repeats if like and phrases[model].repeats >= 0 else model
        phrases.append(_Phrase(line * bars, bars, syllables, origin if like else -1))
    return phrases


class _Writer:
    """The state of one song being written."""

    def __init__(
        self,
        model: BackingModel,
        plan: SongPlan,
        primer: Primer,
        header: Bar,
        key: Key,
        temperature: float,
        random: np.random.Generator,
        guard: PhraseGuard,
    ) -> None:
        self._model, self._plan, self._primer, self._header = model, plan, primer, header
        self._temperature, self._random, self._guard = temperature, random, guard
        self._vocabulary = model.vocabulary
        self._grammar = Grammar(model.vocabulary)
        self._rules = Rules(model.vocabulary, key, bar_steps(plan.metre))
        self._frame_tokens = model.vocabulary.mask("bar", "section", "metre", "tempo", "line")
        self._tonic = 0 if key.mode == "major" else 9
        self._drums = primer.drum_pitches
        self._music: dict[str, list[Bar]] = {}
        self.bars: list[Bar] = []
        self._given_bars = 0

    def _body(self, bar: Sequence[int]) -> Bar:
        return tuple(token for token in bar if not self._frame_tokens[token])

    def _frames(self, section: PlannedSection) -> list[Bar]:
        vocabulary, kind = self._vocabulary, section.kind
        wanted = self._plan.shared_syllables(section.label)
        frames = []
        for bar in range(section.bars):
            frame = [vocabulary.bar(section.bars - bar)]
            frame += [vocabulary.section(kind)] if bar == 0 else []
            sung = section.bars_per_line and bar % section.bars_per_line == 0
            frame += [vocabulary.line(wanted[bar // section.bars_per_line])] if sung else []
            frames.append(tuple(frame))
        return frames

    def add(self, section: PlannedSection, *, is_last: bool) -> None:
        """Write a section, or repeat the music of its label."""
        label = f"{section.label} (last)" if is_last else section.label
        if label not in self._music:
            self._music[label] = self._written(section, is_last=is_last)
        self.bars += [(*frame, *body) for frame, body in zip(self._frames(section), self._music[label], strict=True)]

    def open_with(self, section: PlannedSection, bars: Sequence[Bar]) -> None:
        """Take a section's music from given bars."""
        self._music[section.label] = [self._body(bar) for bar in bars]
        self._given_bars = len(bars)

    def _primed(self, section: PlannedSection) -> tuple[Branch, list[Bar]]:
        """A branch that has seen the header, the primer and the last bars, and the primer's bars."""
        branch = Branch.start(self._model, self._grammar)
        for token in self._header:
            branch.push(token) if branch.grammar.header_left == HEADER_TOKENS else branch.feed(self._model, [token])
        primed = self._primer.bars_for(section.kind)
        for bar in [*primed, *self.bars[-CARRIED_BARS:]]:
            branch.feed(self._model, bar)
        return branch, primed

    def _written(self, section: PlannedSection, *, is_last: bool) -> list[Bar]:
        branch, primed = self._primed(section)
        heard = [read_bar(self._vocabulary, bar) for bar in primed]
        grooves, changes = grooves_of(heard), chord_changes(heard)
        copied = frozenset(melody_of(bar) for bar in heard)
        parts = {part for part in PARTS[1:] for bar in heard if bar.notes[part]}
        sings = section.syllables or 2 * sum(bool(bar.notes["melody"]) for bar in heard) > len(heard)
        masks = self._rules.limited(parts | ({"melody"} if sings else set()), self._drums)
        masks.prefer({part: onset_shares(heard, part) for part in PARTS[1:]})
        frames, written = self._frames(section), list[Bar]()
        phrases = _phrases(self._plan, section)
        for number, phrase in enumerate(phrases):
            own = frames[phrase.bar : phrase.bar + phrase.bars]
            if phrase.repeats >= 0:
                begin = phrases[phrase.repeats].bar
                bodies = written[begin : begin + phrase.bars]
                for frame, body in zip(own, bodies, strict=True):
                    branch.feed(self._model, (*frame, *body))
                written += bodies
                continue
            rules = self._bar_rules(own, phrase, closes=is_last and number + 1 == len(phrases))
            tonic = self._tonic if number + 1 == len(phrases) else -1
            wanted = Wanted(phrase.syllables, grooves, tonic, STEPS_PER_BEAT, copied, changes)
            before = self._guard.before([*self.bars[self._given_bars :], *written])
            branch, bodies = self._best(branch, rules, masks, wanted, before)
            written += bodies
        return written

    def _bar_rules(self, frames: Sequence[Bar], phrase: _Phrase, *, closes: bool) -> list[BarRule]:
        """Sung bars need a melody, save the last of a line, where the singer breathes."""
        sung = max(1, phrase.bars - 1) if phrase.syllables else 0
        return [
            BarRule(
                frame,
                must_sing=index < sung,
                is_cadence=closes and index + 2 == len(frames),
                is_final=closes and index + 1 == len(frames),
            )
            for index, frame in enumerate(frames)
        ]

    def _best(
        self, branch: Branch, rules: Sequence[BarRule], masks: Rules, wanted: Wanted, before: list[tuple[int, int]]
    ) -> tuple[Branch, list[Bar]]:
        """The best of the candidates that copy nothing, and its bars; `before` are the melody's last notes."""
        options: list[tuple[int, float, Candidate]] = []
        while not any(copied == 0 for copied, _, _ in options) and len(options) < TRIES * CANDIDATES:
            found = write_phrase(
                self._model,
                branch,
                rules,
                masks,
                candidates=CANDIDATES,
                temperature=self._temperature,
                random=self._random,
            )
            for candidate in found:
                bars = [read_bar(self._vocabulary, bar) for bar in candidate.bars]
                score = phrase_score(bars, wanted, candidate.mean_log_probability)
                options.append((self._guard.copied(before, bars), -score, candidate))
        best = min(options, key=lambda option: option[:2])[2]
        return best.branch, [self._body(bar) for bar in best.bars]


def _header(primer: Primer, key: Key, tempo_bpm: float) -> Bar:
    vocabulary, header = primer.vocabulary, list(primer.song.headers[0])
    header[2] = vocabulary.tempo(tempo_bpm)
    header[3] = vocabulary.starts["mode"] + (key.mode == "minor")
    return tuple(header)


def _check(plan: SongPlan, primer: Primer | None, *, with_primer: bool) -> None:
    if plan.metre not in METRES:
        known = ", ".join(f"{n}/{d}" for n, d in METRES)
        raise InputError(f"Music in {plan.metre[0]}/{plan.metre[1]} cannot be written, only in {known}.")
    if not plan.sections:
        raise ValueError("the plan has no sections")
    if primer is None:
        if with_primer:
            raise InputError("The song cannot open with its primer's bars: it has no primer.")
        return
    if with_primer and len(plan.sections) == 1:
        raise InputError(
            "The song cannot open with its primer's bars: it has one section, which closes it. Plan an intro before it."
        )
    own = primer.score.metres[0]
    if (own.numerator, own.denominator) != plan.metre:
        raise InputError(
            f"The primer is in {own.numerator}/{own.denominator}, the song is planned in "
            f"{plan.metre[0]}/{plan.metre[1]}. Plan it in the primer's metre."
        )


def compose_backing(
    model: BackingModel,
    plan: SongPlan,
    primer: Score | None = None,
    *,
    key: Key | None = None,
    tempo_bpm: float | None = None,
    seed: int = 0,
    temperature: float = 0.7,
    with_primer: bool = False,
    style: str = "",
    title: str = "",
    melodies: MelodyIndex | None = None,
    progress: Progress = silent,
) -> Score:
    """Write the melody and the five backing parts of a planned song.

    Args:
        model: the trained network.
        plan: sections, bars and sung lines; in the primer's metre (`primer.primer_facts`).
        primer: a score whose style, programs, key and tempo carry over and whose bars prime the network.
        key: key of the song; none: the primer's, or C major.
        tempo_bpm: quarter notes a minute; none: the primer's, or 100.
        seed: same arguments and seed, same score.
        temperature: 1 samples as trained; lower is safer.
        with_primer: the plan's first section is played as the primer's own first bars.
        style: style of a song without primer, whose groove the arranger then gives; empty: by metre and tempo.
        title: title of the score.
        melodies: those that the model has learnt: candidates that copy one of them, or the primer, are dropped.
        progress: told of each section.

    Raises:
        InputError: the primer cannot be used, or cannot open the song, or the metre cannot be written.
    """
    own = Primer.of(model.vocabulary, primer) if primer else None
    _check(plan, own, with_primer=with_primer)
    prepared = own or Primer.of(
        model.vocabulary, stock_groove(style, plan.metre, key or Key(0, "major"), tempo_bpm or DEFAULT_BPM)
    )
    song_key, bpm = key or prepared.score.key, tempo_bpm or prepared.score.tempo_bpm
    header = _header(prepared, song_key, bpm)
    guard = PhraseGuard(model.vocabulary, bar_steps(plan.metre), melodies, primer)
    random = generator(seed, "backing", "song")
    writer = _Writer(model, plan, prepared, header, song_key, temperature, random, guard)
    if with_primer:
        writer.open_with(plan.sections[0], prepared.opening(plan.sections[0].bars))
    _write_sections(writer, plan, progress)
    ids = [*header, *(token for bar in writer.bars for token in bar), model.vocabulary.starts["end"]]
    score = decode(model.vocabulary, ids, song_key, title)
    if with_primer:
        score = _with_opening(score, prepared, plan, song_key)
    return finished(score, plan, bpm)


def _write_sections(writer: _Writer, plan: SongPlan, progress: Progress) -> None:
    # Products this small are many times slower on two threads than on one where the machine has other work.
    with threadpool_limits(1, "blas"):
        for index, section in enumerate(plan.sections):
            writer.add(section, is_last=index + 1 == len(plan.sections))
            progress(index + 1, len(plan.sections), section.name)


def _with_opening(score: Score, primer: Primer, plan: SongPlan, key: Key) -> Score:
    """The score whose first section is the primer as it was played, ungridded."""
    bars = plan.sections[0].bars
    shift = (key.tonic - primer.score.key.tonic) % 12
    own = transposed_opening(primer.played, primer.opening_bars(bars), shift - 12 if shift > 6 else shift)
    end = bars * plan.bar_ticks
    parts = {part: (*own[part], *(n for n in score.parts[part] if n.start_ticks >= end)) for part in PARTS}
    return replace(score, parts=parts)
