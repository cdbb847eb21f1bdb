"""Writing music: how fast, beside the notebooks' loop of the same size."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from rhapsody_lib.backing.sections import CANDIDATES
from tests.benchmarks.backing_bench import SONGBOOK, Bench, factor
from tests.benchmarks.table import Row, at_most

#: Ours and the peer's are measured by turns, so many times; the medians are stated.
ROUNDS = 5
LOOP_EVENTS = 1500
LONGEST_S = 8.0
FASTER = 5.0


def speeds(hidden: int, rates: Mapping[str, float], peer: float) -> list[Row]:
    """Events a second of one song beside the notebooks' loop.

    The target is on what the network samples, for that is what the loop counts. Of ours most are dropped again: of each
    phrase one candidate is kept, so the rows of what is kept and of the finished song stand beside it.
    """
    return [
        factor(
            f"writing one song, hidden {hidden}: events sampled/s, all {CANDIDATES} candidates of each phrase, beside "
            "the notebooks' loop",
            rates["sampled"],
            peer,
            at_least=FASTER,
            shown=0,
        ),
        factor("of it: events of the finished song/s, with what returns", rates["events"], peer, shown=0),
        factor("of it: events newly written and kept/s, one candidate of each phrase", rates["kept"], peer, shown=0),
    ]


def writing(bench: Bench) -> list[Row]:
    """Events a second of one song, and the seconds of one of three minutes, checked for copying and written anew where
    it copies. One thread, ours and theirs.
    """
    model = str(bench.backing_model(SONGBOOK))
    rounds, events = (1, 200) if bench.quick else (ROUNDS, LOOP_EVENTS)
    ours: list[dict[str, Any]] = []
    peers: list[float] = []
    for _ in range(rounds):
        loop = bench.child("backing_writing_child", "notebooks_write", model=model, events=events)
        written = bench.child("backing_writing_child", "write", model=model, times=1 if bench.quick else 2)
        peers.append(loop["events_per_s"])
        ours += written["songs"]
    step = bench.child("backing_writing_child", "steps", model=model, batch=CANDIDATES, times=5 if bench.quick else 25)
    peer, hidden = statistics.median(peers), written["hidden"]
    song = ours[0]

    def rate(what: str) -> float:
        return float(statistics.median(found[what] / found["seconds"] for found in ours))

    return [
        *speeds(hidden, {what: rate(what) for what in ("kept", "sampled", "events")}, peer),
        at_most(
            f"a song of {song['duration_s'] / 60:.1f} minutes, {min(found['parts'] for found in ours)} parts, "
            f"{statistics.median(found['events'] for found in ours):.0f} events, s",
            statistics.median(found["seconds"] for found in ours),
            LONGEST_S,
        ),
        Row(
            f"one step of {CANDIDATES} candidates, hidden {hidden}, us: NumPy, beside PyTorch",
            round(step["numpy"]),
            round(step["torch"]),
            round(step["numpy"] / step["torch"], 3),
        ),
    ]
