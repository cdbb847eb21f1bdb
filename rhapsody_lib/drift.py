"""How far a corpus is from another, by the figures of their data cards. Pure: two cards in, a verdict out.

Names (languages, genres) are compared by the Jensen-Shannon distance in base 2 (Lin 1991; 0 for the same shares, 1
where no name is shared), numbers (words, tempi) by the Kolmogorov-Smirnov distance of their histograms (the widest gap
between the shares of songs below a value). Two draws from the same songs differ too, the more the fewer they are: what
99 of 100 such draws stay below is no drift, whatever the limit (docs/decisions/0038).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rhapsody_lib.errors import RefusedError
from rhapsody_lib.seeding import generator
from rhapsody_lib.settings import DriftSettings

_Counts = npt.NDArray[np.int64]
#: Draws that the chance is told by, and the share of them below it.
_DRAWS, _LEVEL = 200, 0.99
_BETWEEN_WORDS = re.compile(r"[_\-/&,]+")
_NAMES = (("language", "languages"), ("genre", "genres"), ("key", "keys"), ("time_signature", "metres"))
_NUMBERS = (
    ("words", "words of a song"),
    ("lines", "lines of a song"),
    ("seconds", "seconds of music"),
    ("tempo_bpm", "tempo"),
    ("notes", "notes of a song"),
    ("year", "year"),
)


@dataclass(frozen=True)
class Row:
    """One figure of both corpora.

    Args:
        figure: its name on the card.
        label: what a person calls it.
        measure: how it is compared.
        live: of the live corpus, in words.
        candidate: of the other, in words.
        distance: between them; none where one of them has nothing to compare.
        limit: that the distance may reach.
        chance: what two draws from the same songs stay below; 0 where it is not told.
    """

    figure: str
    label: str
    measure: str
    live: str
    candidate: str
    distance: float | None
    limit: float
    chance: float = 0.0

    @property
    def met(self) -> bool:
        """Whether it is no farther than it may be, or than chance explains."""
        return self.distance is None or self.distance <= max(self.limit, self.chance)


@dataclass(frozen=True)
class CorpusVerdict:
    """Whether a corpus may be trained on.

    Args:
        rows: every figure beside that of the live corpus; empty where there is none to compare with.
        broken: what the corpus does not hold to, in sentences.
        live: number of the release it was compared with; 0 for none.
        accepted: whether drift is accepted, by a setting.
        notes: what else to know.
        report: path of the page, if it was written.
        where: what a person is told of where the page is, if its path is of no use to them.
    """

    rows: tuple[Row, ...] = ()
    broken: tuple[str, ...] = ()
    live: int = 0
    accepted: bool = False
    notes: tuple[str, ...] = ()
    report: str = ""
    where: str = ""

    @property
    def drifted(self) -> tuple[Row, ...]:
        """The figures that are too far."""
        return tuple(row for row in self.rows if not row.met)

    @property
    def before(self) -> str:
        """What it was compared with, in words."""
        return f"that of release {self.live}" if self.live else "the other one"

    @property
    def place(self) -> str:
        """Where the page is, for a person; '' if there is none."""
        return self.where or self.report

    @property
    def passed(self) -> bool:
        """Whether it may be trained on."""
        return not self.broken and (self.accepted or not self.drifted)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "passed": self.passed, "drifted": [row.figure for row in self.drifted]}

    def enforce(self) -> None:
        """Do nothing if the corpus may be trained on.

        Raises:
            RefusedError: it may not; the message lists why, where the report is, and what can be done.
        """
        if self.passed:
            return
        where = f" The report is {self.place}." if self.report else ""
        if self.broken:
            raise RefusedError(
                f"Nothing was trained: the corpus is not what it must be. {' '.join(self.broken)}{where} "
                "Remove it ('rhapsody artifacts gc') and prepare it again; if it comes out the same, a source is at "
                "fault ('rhapsody sources check' names it)."
            )
        raise RefusedError(
            f"Nothing was trained: the corpus drifted too far from {self.before}. "
            f"{' '.join(map(_sentence, self.drifted))}{where} If the songs are meant to be others, accept it with "
            "--accept-drift (drift.accept=true); else see what became of the sources. Limits are settings such as "
            "drift.names_distance=0.5."
        )


def _sentence(row: Row) -> str:
    label = row.label[:1].upper() + row.label[1:]
    return f"{label}: {row.candidate}, live {row.live} ({row.measure} {row.distance:.2f}, limit {row.limit:g})."


def judge_corpus(
    card: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    settings: DriftSettings,
    *,
    number: int = 0,
    notes: Sequence[str] = (),
) -> CorpusVerdict:
    """The verdict on a corpus.

    Args:
        card: of the corpus, as `corpus.card.describe_corpus` tells it.
        live: that of the live release's corpus; none where there is none to compare with.
        settings: the limits.
        number: of the live release.
        notes: what else to know.
    """
    rows = tuple(compare(card, live, settings)) if live is not None else ()
    broken = tuple(_broken(card.get("checks") or (), settings.broken_share))
    return CorpusVerdict(rows, broken, number, settings.accept, tuple(notes))


def _broken(checks: Sequence[Mapping[str, Any]], tolerance: float) -> Iterator[str]:
    for check in checks:
        # Of a few rows one may break a lenient check, however small the share, unless the share is 0.
        allowed = math.ceil(round(check["rows"] * tolerance, 6)) if check["lenient"] else 0
        if check["broken"] > allowed:
            such = f" (such as {', '.join(check['examples'])})" if check["examples"] else ""
            count = f"{check['broken']:,} of {check['rows']:,}"
            limit = f"; drift.broken_share={tolerance:g} allows {allowed:,}" if check["lenient"] else ""
            yield f"{check['table']}: '{check['what']}' does not hold for {count}{such}{limit}."


def compare(card: Mapping[str, Any], live: Mapping[str, Any], settings: DriftSettings) -> Iterator[Row]:
    """Every figure of a card beside that of another."""
    yield _songs(card["counts"]["songs"], live["counts"]["songs"], settings)
    yield from _shares(card, live, settings.share_difference)
    for figure, label in _NAMES:
        yield _names(figure, label, card["names"][figure], live["names"][figure], settings.names_distance)
    for figure, label in _NUMBERS:
        yield _numbers(figure, label, card["numbers"][figure], live["numbers"][figure], settings.numbers_distance)


def _songs(found: int, live: int, settings: DriftSettings) -> Row:
    if found < live:
        distance, limit, measure = 1 - found / live, settings.fewer_songs, "share that is gone"
    else:
        distance, limit, measure = found / max(1, live), settings.more_songs, "times as many"
    return Row("songs", "songs", measure, f"{live:,}", f"{found:,}", distance, limit)


def _shares(card: Mapping[str, Any], live: Mapping[str, Any], limit: float) -> Iterator[Row]:
    def shares(of: Mapping[str, Any]) -> dict[str, tuple[float, int]]:
        counts, songs = of["counts"], of["counts"]["songs"]
        read = songs + counts["rejects"]
        return {
            "rejects": (counts["rejects"] / max(1, read), read),
            "tracks": (counts["tracks"] / max(1, songs), songs),
            **{name: (1 - of["lacking"][name] / max(1, songs), songs) for name in ("lyrics", "genres")},
        }

    labels = {
        "rejects": "share of rejects",
        "tracks": "share with music",
        "lyrics": "share with words",
        "genres": "share with a genre",
    }
    ours, theirs = shares(card), shares(live)
    for figure, label in labels.items():
        (found, n), (before, m) = ours[figure], theirs[figure]
        pooled = (found * n + before * m) / max(1, n + m)
        # 99 of 100 differences of two shares of the same songs: 2.58 standard errors.
        chance = 2.58 * float(np.sqrt(pooled * (1 - pooled) * (1 / max(1, n) + 1 / max(1, m))))
        yield Row(
            f"share_{figure}", label, "difference", f"{before:.1%}", f"{found:.1%}", abs(found - before), limit, chance
        )


def _names(figure: str, label: str, found: Mapping[str, int], live: Mapping[str, int], limit: float) -> Row:
    merged = [_merged(of) for of in (found, live)]
    names = sorted(merged[0].keys() | merged[1].keys())
    ours, theirs = (np.array([of[name] for name in names], np.int64) for of in merged)
    told = (_most(live), _most(found))
    if not (ours.sum() and theirs.sum()):
        return Row(figure, label, "Jensen-Shannon distance", *told, None, limit)
    chance = _chance(ours, theirs, figure, jensen_shannon)
    return Row(figure, label, "Jensen-Shannon distance", *told, jensen_shannon(ours, theirs), limit, chance)


def _merged(counts: Mapping[str, int]) -> Counter[str]:
    """Counts by name, however its words are written and joined: `Pop_Rock` and `pop/rock` are one."""
    merged: Counter[str] = Counter()
    for name, count in counts.items():
        merged[" ".join(_BETWEEN_WORDS.sub(" ", name).casefold().split())] += count
    return merged


def _most(counts: Mapping[str, int]) -> str:
    """The three most frequent names with their shares."""
    total = sum(counts.values())
    if not total:
        return "none known"
    return ", ".join(f"{name} {count / total:.0%}" for name, count in list(counts.items())[:3])


def _numbers(figure: str, label: str, found: Mapping[str, Any], live: Mapping[str, Any], limit: float) -> Row:
    told = (_middle(live), _middle(found))
    if not (found["n"] and live["n"]):
        return Row(figure, label, "Kolmogorov-Smirnov distance", *told, None, limit)
    first = min(found["first_bin"], live["first_bin"])
    stop = max(of["first_bin"] + len(of["counts"]) for of in (found, live))
    ours, theirs = (_in_bins(of, first, stop) for of in (found, live))
    chance = _chance(ours, theirs, figure, kolmogorov_smirnov)
    distance = kolmogorov_smirnov(ours, theirs)
    return Row(figure, label, "Kolmogorov-Smirnov distance", *told, distance, limit, chance)


def _in_bins(told: Mapping[str, Any], first: int, stop: int) -> _Counts:
    counts = np.zeros(stop - first, np.int64)
    start = told["first_bin"] - first
    counts[start : start + len(told["counts"])] = told["counts"]
    return counts


def _middle(told: Mapping[str, Any]) -> str:
    if not told["n"]:
        return "none known"
    return f"{told['median']:.0f} ({told['p5']:.0f} to {told['p95']:.0f})"


def jensen_shannon(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Jensen-Shannon distance in base 2 of two rows of counts, [names]: 0 for equal shares, 1 for none in common."""
    p, q = a / a.sum(), b / b.sum()
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(of > 0, of * np.log2(of / middle), 0.0).sum() for of in (p, q)]
    return float(np.sqrt(max(0.0, sum(terms) / 2)))


def kolmogorov_smirnov(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    """Widest gap between the distribution functions of two histograms of the same bins, [bins]."""
    return float(np.abs(np.cumsum(a) / a.sum() - np.cumsum(b) / b.sum()).max())


def _chance(a: _Counts, b: _Counts, figure: str, distance: Any) -> float:
    """What 99 of 100 pairs of draws, as large as these, from both together stay below."""
    random = generator(0, "drift", figure)
    pooled = (a + b) / (a.sum() + b.sum())
    ones, others = (random.multinomial(int(of.sum()), pooled, size=_DRAWS) for of in (a, b))
    return float(np.quantile([distance(one, other) for one, other in zip(ones, others, strict=True)], _LEVEL))
