"""A song plan and a primer to six parts, written by the GRU.

The sections are written by `sections`; here is what is around them: the header, a primer's own bars as an opening, the
score. Bars, sections and sung lines are given by the plan, the last bar is the tonic.
"""

from __future__ import annotations

from dataclasses import replace

from threadpoolctl import threadpool_limits

from rhapsody_lib.backing.copying import MelodyIndex
from rhapsody_lib.backing.finishing import finished
from rhapsody_lib.backing.holding import articulated
from rhapsody_lib.backing.model import BackingModel
from rhapsody_lib.backing.phrase_guard import PhraseGuard
from rhapsody_lib.backing.primer import Primer, transposed_opening
from rhapsody_lib.backing.sampling import Bar
from rhapsody_lib.backing.sections import SongWriter
from rhapsody_lib.backing.stock import stock_groove
from rhapsody_lib.backing.tokens import decode
from rhapsody_lib.backing.vocabulary import METRES, bar_steps
from rhapsody_lib.errors import InputError
from rhapsody_lib.music.chords import Key
from rhapsody_lib.music.plan import SongPlan
from rhapsody_lib.music.score import PARTS, Score
from rhapsody_lib.progress import Progress, silent

DEFAULT_BPM = 100.0


def _header(primer: Primer, key: Key, tempo_bpm: float) -> Bar:
    vocabulary, header = primer.vocabulary, list(primer.song.headers[0])
    header[2] = vocabulary.tempo(tempo_bpm)
    header[3] = vocabulary.starts["mode"] + (key.mode == "minor")
    return tuple(header)


def _heard(model: BackingModel, primer: Score) -> Primer:
    """The primer as the network can go on from it."""
    return Primer.of(model.vocabulary, primer, model.parts, keeps_free=model.knows_free_playing)


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
    own = _heard(model, primer) if primer else None
    _check(plan, own, with_primer=with_primer)
    prepared = own or _heard(model, stock_groove(style, plan.metre, key or Key(0, "major"), tempo_bpm or DEFAULT_BPM))
    song_key, bpm = key or prepared.score.key, tempo_bpm or prepared.score.tempo_bpm
    header = _header(prepared, song_key, bpm)
    guard = PhraseGuard(model.vocabulary, bar_steps(plan.metre), melodies, primer)
    writer = SongWriter(model, plan, prepared, header, song_key, guard, seed=seed, temperature=temperature)
    if with_primer:
        writer.open_with(prepared.opening(plan.sections[0].bars))
    # Products this small are many times slower on two threads than on one where the machine has other work.
    with threadpool_limits(1, "blas"):
        bars = writer.written(progress)
    ids = [*header, *(token for bar in bars for token in bar), model.vocabulary.starts["end"]]
    score = decode(model.vocabulary, ids, song_key, title)
    if primer:
        score = articulated(score, prepared.score, plan)
    if with_primer:
        score = _with_opening(score, prepared, plan, song_key)
    return finished(score, plan, bpm)


def _with_opening(score: Score, primer: Primer, plan: SongPlan, key: Key) -> Score:
    """The score whose first section is the primer as it was played, ungridded."""
    bars = plan.sections[0].bars
    shift = (key.tonic - primer.score.key.tonic) % 12
    own = transposed_opening(primer.played, primer.opening_bars(bars), shift - 12 if shift > 6 else shift)
    end = bars * plan.bar_ticks
    parts = {part: (*own[part], *(n for n in score.parts[part] if n.start_ticks >= end)) for part in PARTS}
    return replace(score, parts=parts)
