"""Pieces of work of the writing benchmark, each in a process of its own: `python -m ... WHAT JSON` prints JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

#: A song of about three minutes at this tempo: verses and choruses of four lines of eight syllables, two bars each.
BPM, METRE = 100.0, (4, 4)
_VERSE = "the river runs along the road\nand carries every heavy load\nthe water knows the way to go\nbelow the bridge"
_CHORUS = (
    "oh hold the light above the door\nand I will be afraid no more\noh hold the light for me tonight\nand leave it on"
)
FORM = "verse 1|chorus|verse 2|chorus|verse 3|bridge|chorus|verse 4|chorus"


def _load(model: str) -> Any:
    from rhapsody_lib.backing.model import BackingModel

    return BackingModel.load(Path(model))


def write(model: str, times: int) -> dict[str, Any]:
    """Write a song of three minutes with another seed each time, its model in memory, as `rhapsody song` writes it.

    Candidates that copy are dropped, and a song that copies is written anew: that is part of the seconds. `sampled` are
    the events of all candidates of all drafts, `kept` those of the last draft's phrases without their bar lines, each
    phrase counted once however often its section returns, `events` those of the finished song.
    """
    from rhapsody_lib.backing.copying import MELODIES_FILE, MelodyIndex
    from rhapsody_lib.backing.decoder import compose_backing
    from rhapsody_lib.backing.stock import stock_groove
    from rhapsody_lib.backing.tokens import encode
    from rhapsody_lib.music.chords import Key
    from rhapsody_lib.music.plan import plan_from_lyrics
    from rhapsody_lib.music.score import PARTS
    from rhapsody_lib.operations.originality import write_original
    from rhapsody_lib.words.document import parse_lyrics

    loaded, key = _load(model), Key(0, "major")
    primer = stock_groove("pop", METRE, key, BPM)
    text = "\n\n".join(f"[{name}]\n{_CHORUS if name == 'chorus' else _VERSE}" for name in FORM.split("|"))
    lyrics, melodies = parse_lyrics(text), MelodyIndex.load(Path(model) / MELODIES_FILE)
    plan = plan_from_lyrics(lyrics, METRE, tempo_bpm=BPM)
    sampled, kept = _counted()
    found = []

    def draft(seed: int) -> Any:
        kept.clear()
        return compose_backing(loaded, plan, primer, seed=seed, melodies=melodies)

    for seed in range(times + 1):
        sampled.clear()
        started = time.perf_counter()
        score, _ = write_original(draft, seed, lyrics=lyrics, melodies=melodies, primer=primer)
        seconds = time.perf_counter() - started
        events = len(encode(loaded.vocabulary, score).ids)
        parts = sum(bool(score.parts[part]) for part in PARTS)
        found.append(
            {
                "seconds": seconds,
                "sampled": sum(sampled),
                "kept": sum(kept),
                "events": events,
                "parts": parts,
                "duration_s": plan.bars * METRE[0] * 60 / BPM,
            }
        )
    return {"songs": found[1:], "hidden": loaded.hidden_size}  # the first one also loads what is kept


def _counted() -> tuple[list[int], list[int]]:
    """From now on: events that each draft sampled, all candidates together, and those of the candidates kept."""
    from rhapsody_lib.backing.sampling import Band
    from rhapsody_lib.backing.sections import SongWriter

    sampled: list[int] = []
    kept: list[int] = []
    write, best = Band.write, SongWriter._best

    def writing(band: Any, *arguments: Any) -> Any:
        before = band.sampled
        found = write(band, *arguments)
        sampled.append(band.sampled - before)
        return found

    def choosing(*arguments: Any, **named: Any) -> Any:
        candidate = yield from best(*arguments, **named)
        kept.append(candidate.sampled)
        return candidate

    Band.write, SongWriter._best = writing, choosing  # type: ignore[assignment, method-assign]
    return sampled, kept


def notebooks_write(model: str, events: int) -> dict[str, Any]:
    """The notebooks' loop: an event a call of a GRU of the same size, one sequence, sampled from the whole softmax.

    What it writes is not read: the weights are random.
    """
    import torch

    torch.set_num_threads(1)
    loaded = _load(model)
    size, hidden, embedding = len(loaded.vocabulary), loaded.hidden_size, loaded.embedding_size
    torch.manual_seed(0)
    table, gru = torch.nn.Embedding(size, embedding), torch.nn.GRU(embedding, hidden, batch_first=True)
    output = torch.nn.Linear(hidden, size)
    ids, state = [1], None

    def add_event() -> None:
        nonlocal state
        with torch.no_grad():
            seen, state = gru(table(torch.tensor([[ids[-1]]])), state)
            shares = torch.softmax(output(seen[:, -1]), dim=-1)
            ids.append(int(torch.multinomial(shares, 1)))

    for _ in range(50):
        add_event()
    started = time.perf_counter()
    for _ in range(events):
        add_event()
    return {"events_per_s": events / (time.perf_counter() - started)}


def steps(model: str, batch: int, times: int) -> dict[str, Any]:
    """One step of all candidates, the network and its softmax's logits, in NumPy and in PyTorch by turns."""
    import statistics

    import numpy as np
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    loaded = _load(model)
    size, hidden, embedding = len(loaded.vocabulary), loaded.hidden_size, loaded.embedding_size
    gru, output = torch.nn.GRUCell(embedding, hidden), torch.nn.Linear(hidden + embedding, size)
    embedded = np.random.default_rng(0).normal(size=(batch, embedding)).astype(np.float32)
    state, tensor = loaded.start(batch), torch.from_numpy(embedded)
    before = torch.zeros(batch, hidden)

    def in_numpy() -> None:
        loaded.logits(embedded, loaded.advance(embedded, state))

    def in_torch() -> None:
        with torch.no_grad():
            output(torch.cat([gru(tensor, before), tensor], dim=1))

    found: dict[str, list[float]] = {"numpy": [], "torch": []}
    with threadpool_limits(1, "blas"):
        for _ in range(times):
            for name, step in (("numpy", in_numpy), ("torch", in_torch)):
                started = time.perf_counter()
                for _ in range(20):
                    step()
                found[name].append((time.perf_counter() - started) / 20)
    return {name: 1e6 * statistics.median(seconds) for name, seconds in found.items()}


if __name__ == "__main__":
    works = {work.__name__: work for work in (write, notebooks_write, steps)}
    print(json.dumps(works[sys.argv[1]](**json.loads(sys.argv[2]))))
