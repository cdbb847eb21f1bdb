"""Syllables on their true note: our underlay beside one syllable a note in order, and syllables spread evenly.

A line is given with its melody, from its first note to the next line's, and is placed as a generated song's lines are
(`song.phrase`). A whole song is given at once too, all its words on all its notes, without lines (`song.underlay`).
What a line is, and which syllable of ours is which of the sheet's: `underlay_cases`.
"""

from __future__ import annotations

import bisect
import random
from collections import Counter
from collections.abc import Iterator, Sequence

from rhapsody_lib.music.leadsheet import LeadSheet
from rhapsody_lib.music.score import TICKS_PER_BEAT
from rhapsody_lib.song.phrase import Phrase, place_lines
from rhapsody_lib.song.underlay import align
from tests.benchmarks.backing_bench import Bench
from tests.benchmarks.table import Row
from tests.benchmarks.underlay_cases import SHEETS, Case, line_cases, sheets, song_case
from tests.benchmarks.underlay_fit import LEARNT_FROM

TARGET = 0.85
QUICK_SHEETS = 6
#: Times that songs are drawn for an interval.
DRAWS = 1000
#: Ways to place syllables: ours and two baselines.
OURS, IN_ORDER, EVENLY = "ours", "in order", "spread evenly"


def _baselines(case: Case) -> dict[str, list[int]]:
    """The note of each syllable by the two baselines."""
    notes, words = len(case.notes), len(case.words)
    return {
        IN_ORDER: [min(word, notes - 1) for word in range(words)],
        EVENLY: [word * notes // words for word in range(words)],
    }


def _phrase(case: Case, end_ticks: int, seconds_per_tick: float) -> Phrase:
    """The phrase of a line that is sung up to `end_ticks`."""
    start = case.notes[0].start_ticks
    bar_starts = [bar for bar, _ in case.bars]
    first, last = bisect.bisect_right(bar_starts, start) - 1, bisect.bisect_left(bar_starts, end_ticks)
    return Phrase(start, end_ticks, case.bars[max(0, first) : last], seconds_per_tick, case.notes)


def _placed(lines: Sequence[Case], sheet: LeadSheet) -> Iterator[list[int]]:
    """Of each line the note that sounds, or did last, where each syllable is placed."""
    ends = [*(case.notes[0].start_ticks for case in lines[1:]), sheet.end_ticks]
    per_tick = 60 / sheet.tempo_bpm / TICKS_PER_BEAT
    phrases = [_phrase(case, end, per_tick) for case, end in zip(lines, ends, strict=True)]
    for case, onsets in zip(lines, place_lines(phrases, [case.words for case in lines]), strict=True):
        starts = [note.start_ticks for note in case.notes]
        yield [max(0, bisect.bisect_right(starts, onset) - 1) for onset in onsets]


def _lines(sheet: LeadSheet) -> Iterator[Case]:
    """The lines of a sheet that can be asked for: each syllable needs a tick."""
    for case in line_cases(sheet):
        if len(case.words) <= case.notes[-1].end_ticks - case.notes[0].start_ticks:
            yield case


def line_counts(found: Sequence[LeadSheet]) -> Counter[tuple[str, bool]]:
    """Syllables, and those on their true note by each way, of lines whose counts differ (True) and of all others."""
    counts: Counter[tuple[str, bool]] = Counter()
    for sheet in found:
        lines = list(_lines(sheet))
        for case, ours in zip(lines, _placed(lines, sheet), strict=True):
            ways = {OURS: ours, **_baselines(case)}
            counts["all", case.counts_differ] += len(case.sheet)
            for way, landed in ways.items():
                counts[way, case.counts_differ] += case.right(landed)
    return counts


def song_counts(found: Sequence[LeadSheet]) -> Counter[tuple[str, bool]]:
    """The same of whole songs at once; True is what stands in lines whose counts differ."""
    counts: Counter[tuple[str, bool]] = Counter()
    for sheet in found:
        case = song_case(sheet)
        differ = [line.counts_differ for line in line_cases(sheet) for _ in line.sheet]
        ways = {OURS: align([case.line])[0], **_baselines(case)}
        for (word, note), differs in zip(case.sheet, differ, strict=True):
            counts["all", differs] += 1
            for way, landed in ways.items():
                counts[way, differs] += landed[word] == note
    return counts


def _share(counts: Sequence[Counter[tuple[str, bool]]], among: Sequence[bool]) -> float:
    """Of some songs' syllables the share that ours puts on their true note."""
    right, whole = (sum(song[way, differ] for song in counts for differ in among) for way in (OURS, "all"))
    return right / whole


def _interval(counts: Sequence[Counter[tuple[str, bool]]], among: Sequence[bool]) -> str:
    """Interval of 95 in 100 of our share, songs drawn anew (bootstrap by percentiles; Efron, Tibshirani 1993)."""
    songs = [song for song in counts if any(song["all", differ] for differ in among)]
    order = random.Random(0)
    shares = sorted(_share(order.choices(songs, k=len(songs)), among) for _ in range(DRAWS))
    return f"{shares[DRAWS // 40]:.3f} to {shares[-DRAWS // 40 - 1]:.3f}"


def _rows(what: str, songs: Sequence[Counter[tuple[str, bool]]], *, target: bool) -> Iterator[Row]:
    counts = sum(songs, Counter[tuple[str, bool]]())
    differing = {way: counts[way, True] for way in ("all", OURS, IN_ORDER, EVENLY)}
    whole = {way: count + counts[way, False] for way, count in differing.items()}
    for which, found, among in (("all", whole, (True, False)), ("where counts differ", differing, (True,))):
        if not found["all"]:
            continue
        ours = found[OURS] / found["all"]
        for peer in (IN_ORDER, EVENLY):
            theirs = found[peer] / found["all"]
            yield Row(
                f"{what}, {which} ({found['all']} syllables; by songs {_interval(songs, among)}), beside {peer}",
                round(ours, 4),
                round(theirs, 4),
                round(ours / theirs, 3) if theirs else None,
                f">= {TARGET:g}" if target else "",
                ours >= TARGET if target else None,
            )


def words(bench: Bench) -> list[Row]:
    """Share of syllables on their true note, on songs that are kept back and on those that were learnt from."""
    rows: list[Row] = []
    for corpus, place in SHEETS.items():
        if not (bench.datasets / place).is_dir():
            bench.left_out.append(f"{corpus}: the dataset is absent")
            continue
        for kept_back in (True, False) if corpus == LEARNT_FROM else (True,):
            found = sheets(bench.datasets, corpus, kept_back=kept_back, most=QUICK_SHEETS if bench.quick else None)
            half = "kept back" if kept_back else "learnt from"
            for kind, counted in (("lines", line_counts), ("whole songs", song_counts)):
                rows += _rows(f"{corpus}, {half}, {kind}", [counted([sheet]) for sheet in found], target=kept_back)
    return rows
