"""The gate: whether a candidate may become the live release, judged by what an evaluation measured.

Both releases were measured on the same held-out songs, so no noise of sampling lies between them; the tolerances are
for what two trainings of the same settings differ by (docs/decisions/0017). Pure: an evaluation in, a verdict out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rhapsody_lib.errors import RefusedError
from rhapsody_lib.settings import GateSettings

Better = Literal["lower", "higher"]

#: Figures that are compared: name in the evaluation, what a person calls it, which way is better, its tolerance.
_FIGURES: tuple[tuple[str, str, Better, str], ...] = (
    ("lyrics.word_perplexity", "lyrics: perplexity per word", "lower", "lyrics_tolerance"),
    ("lyrics.word_perplexity_with_cache", "lyrics: perplexity per word, with cache", "lower", "lyrics_tolerance"),
    ("backing.nats_per_beat", "backing: nats per quarter note", "lower", "backing_tolerance"),
    ("retrieval.mrr", "retrieval: mean reciprocal rank", "higher", "retrieval_tolerance"),
    ("retrieval.recall_at_1", "retrieval: found at rank 1", "higher", "recall_tolerance"),
)
SHARED_WORDS, SHARED_NOTES = "song.longest_shared_words", "song.longest_shared_notes"
#: Figures of the candidate's song that have a limit of their own and are compared with none.
LIMITED = (SHARED_WORDS, SHARED_NOTES)


@dataclass(frozen=True)
class Row:
    """One figure of both releases.

    Args:
        figure: its name in the evaluation, e.g. `lyrics.word_perplexity`.
        label: what a person calls it.
        live: of the live release; none where there is none, or it could not be measured.
        candidate: of the candidate; none where it could not be measured.
        change: candidate by live, less 1; none where either is missing or the live one is 0.
        tolerance: share by which the candidate may be worse.
        better: `lower` or `higher`.
        met: whether the candidate is not worse by more.
    """

    figure: str
    label: str
    live: float | None
    candidate: float | None
    change: float | None
    tolerance: float
    better: Better
    met: bool


@dataclass(frozen=True)
class Verdict:
    """What the gate says.

    Args:
        rows: every figure.
        reasons: why the candidate is refused; empty if it is not.
        notes: what else to know.
        live: whether there is a live release.
    """

    rows: tuple[Row, ...]
    reasons: tuple[str, ...]
    notes: tuple[str, ...] = ()
    live: bool = True

    @property
    def passed(self) -> bool:
        """Whether the candidate may be released."""
        return not self.reasons

    @property
    def compared(self) -> bool:
        """Whether any figure of a live release stood beside the candidate's."""
        return any(row.live is not None for row in self.rows)

    def enforce(self) -> None:
        """Do nothing if the candidate passed.

        Raises:
            RefusedError: it did not; the message lists what is worse, and what can be done.
        """
        if not self.passed:
            raise RefusedError(
                f"Not released: {' '.join(self.reasons)} The live release stays. Train with other songs or settings, "
                "allow more with settings such as gate.lyrics_tolerance=0.1, or release it all the same without the "
                "gate (--no-gate)."
            )


def judge(evaluation: Mapping[str, Any], settings: GateSettings) -> Verdict:
    """The verdict on the candidate of an evaluation (`operations.evaluation` says what one holds)."""
    rows = [
        _compare(evaluation, figure, label, better, getattr(settings, tolerance))
        for figure, label, better, tolerance in _FIGURES
    ]
    song = evaluation.get("song") or {}
    reasons = [_sentence(row) for row in rows if not row.met]
    reasons += [
        f"{stage.capitalize()} could not be compared with the live release: no held-out song can be measured on."
        for stage in evaluation.get("uncompared") or ()
    ]
    reasons += [f"The candidate cannot make a song: {song['error']}"] if song.get("error") else []
    for row, refusal in _of_song(song, settings):
        rows.append(row)
        reasons += [] if row.met else [refusal]
    notes = tuple(evaluation.get("notes") or ())
    return Verdict(tuple(rows), tuple(reasons), notes, live=evaluation.get("live") is not None)


def _of_song(song: Mapping[str, Any], settings: GateSettings) -> Iterator[tuple[Row, str]]:
    """What the candidate's song shares with the training songs, and the reason if that is too much."""
    words = (SHARED_WORDS, "words", "a training song", settings.max_shared_words)
    notes = (SHARED_NOTES, "notes", "a training song or its primer", song.get("most_shared_notes"))
    for figure, what, whose, limit in (words, notes):
        found, most = _number(song.get(figure.removeprefix("song."))), _number(limit)
        if found is not None and most is not None:
            label = f"song: longest run of training {what}"
            refusal = f"Its song shares {found:.0f} {what} in a row with {whose} ({most:.0f} may be)."
            yield Row(figure, label, None, found, None, 0.0, "lower", found <= most), refusal


def _number(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None  # type: ignore[arg-type]


def _figure(evaluation: Mapping[str, Any], side: str, figure: str) -> float | None:
    stage, _, name = figure.partition(".")
    return _number(((evaluation.get(side) or {}).get(stage) or {}).get(name))


def _compare(evaluation: Mapping[str, Any], figure: str, label: str, better: Better, tolerance: float) -> Row:
    live, candidate = _figure(evaluation, "live", figure), _figure(evaluation, "candidate", figure)
    if live is None:
        return Row(figure, label, None, candidate, None, tolerance, better, met=True)
    if candidate is None:
        return Row(figure, label, live, None, None, tolerance, better, met=False)
    change = candidate / live - 1 if live else None
    allowed = live * (1 + tolerance if better == "lower" else 1 - tolerance)
    met = candidate <= allowed if better == "lower" else candidate >= allowed
    return Row(figure, label, live, candidate, change, tolerance, better, met)


def _sentence(row: Row) -> str:
    name, live = row.label[:1].upper() + row.label[1:], _shown(row.live)
    if row.candidate is None:
        return f"{name} cannot be measured of the candidate, and is {live} live."
    worse = "" if row.change is None else f", {abs(row.change):.1%} worse"
    return f"{name} is {_shown(row.candidate)}, live {live}{worse} ({row.tolerance:.1%} is allowed)."


def _shown(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
