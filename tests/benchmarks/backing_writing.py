"""Writing music: how fast, beside the notebooks' loop of the same size."""

from __future__ import annotations

import statistics
from typing import Any

from rhapsody_lib.backing.decoder import CANDIDATES
from tests.benchmarks.backing_bench import SONGBOOK, Bench, factor
from tests.benchmarks.table import Row, at_most

#: Ours and the peer's are measured by turns, so many times; the medians are stated.
ROUNDS = 5
LOOP_EVENTS = 1500
LONGEST_S = 8.0


def writing(bench: Bench) -> list[Row]:
    """Events a second of one song, and the seconds of one of three minutes. One thread, ours and theirs."""
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
        return statistics.median(found[what] / found["seconds"] for found in ours)

    return [
        factor(
            f"writing one song, hidden {hidden}: events sampled/s ({CANDIDATES} candidates a phrase), "
            "beside the notebooks' loop",
            rate("sampled"),
            peer,
            at_least=5,
            shown=0,
        ),
        factor("of it: events of the finished song/s", rate("events"), peer, shown=0),
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
