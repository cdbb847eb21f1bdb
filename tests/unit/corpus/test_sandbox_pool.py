from __future__ import annotations

import sys
import threading
from pathlib import Path

import psutil
import pytest

from rhapsody_lib.corpus.found import Job, Reject
from rhapsody_lib.corpus.reading import read_source
from rhapsody_lib.corpus.sandbox import Sandbox
from rhapsody_lib.corpus.sandbox_pool import in_order
from rhapsody_lib.corpus.sources import open_source
from rhapsody_lib.settings import CorpusSettings
from tests.unit.corpus.corpus_samples import WORDS, midi_bytes

HOSTILE = (sys.executable, str(Path(__file__).with_name("hostile_child.py")))


def _sandboxes(count: int, timeout_s: float = 60.0) -> list[Sandbox]:
    return [Sandbox(timeout_s=timeout_s, memory_mb=1000, command=HOSTILE) for _ in range(count)]


def _parsed(job: Job, parse) -> tuple[str, str]:
    song = parse(job)
    return song.title, song.artist


def _jobs(*names: str) -> list[Job]:
    return [Job("midi", f"/nowhere/{name}", name) for name in names]


def test_results_come_in_order_from_several_processes_that_end_with_them() -> None:
    names = [f"song {number}" for number in range(40)]
    # The first three are held until all three are under way, so that none of the sandboxes can do the work of another.
    together = threading.Barrier(3, timeout=60)

    def parsed(job: Job, parse) -> tuple[str, str]:
        if job.name in names[:3]:
            together.wait()
        return _parsed(job, parse)

    results = list(in_order(_jobs(*names), parsed, _sandboxes(3)))
    processes = {int(process) for _, process in results}
    assert [title for title, _ in results] == names
    assert len(processes) == 3
    assert not any(psutil.pid_exists(process) for process in processes)


@pytest.mark.timeout(60)
def test_giving_up_ends_a_file_that_hangs() -> None:
    results = in_order(_jobs("good", "hang", "hang", *["more"] * 9), _parsed, _sandboxes(2, timeout_s=600))
    assert next(results)[0] == "good"
    results.close()
    assert not [child for child in psutil.Process().children() if "hostile_child" in " ".join(child.cmdline())]


def test_an_error_of_one_file_reaches_the_caller_in_its_turn() -> None:
    results = in_order(_jobs("good", "refuse", "good"), _parsed, _sandboxes(2))
    assert next(results)[0] == "good"
    with pytest.raises(Exception, match="is bad"):
        next(results)


def test_a_source_reads_the_same_with_any_number_of_workers(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.mid").write_bytes(midi_bytes(WORDS, f"Title {number}") if number % 3 else b"broken")
    (tmp_path / "x.png").write_bytes(b"")
    one, three = (list(read_source(open_source(str(tmp_path)), CorpusSettings(), workers=count)) for count in (1, 3))
    assert one == three
    assert sum(isinstance(item, Reject) for _, item in one) == 3
