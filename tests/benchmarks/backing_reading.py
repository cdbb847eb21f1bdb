"""Reading music into tokens: speed beside pretty_midi, round trips, melodies found, and what bad files come to."""

from __future__ import annotations

import io
import statistics
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import symusic

from rhapsody_lib.backing.primer import Primer
from rhapsody_lib.backing.quantise import quantise
from rhapsody_lib.backing.tokens import decode, encode, midi_to_tokens
from rhapsody_lib.backing.vocabulary import Vocabulary
from rhapsody_lib.corpus.found import Job
from rhapsody_lib.corpus.parsing import parse_job
from rhapsody_lib.corpus.sandbox import TOO_MUCH_MEMORY, Sandbox
from rhapsody_lib.errors import InputError, UnreadableFileError
from rhapsody_lib.music.grid_phase import off_grid_ticks
from rhapsody_lib.music.melody_finding import is_melody_name
from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.midi_reader import midi_to_tables
from rhapsody_lib.music.note_tables import START, NoteTable
from rhapsody_lib.music.score import PARTS, Metre, Score
from rhapsody_lib.operations.priming import PRIMER_MEMORY_MB, PRIMER_TIMEOUT_S
from tests.benchmarks.backing_bench import Bench
from tests.benchmarks.table import Row, at_most

#: What pretty_midi is to be beaten by, and how often each stretch of files is read, ours and theirs in turn: the
#: medians count.
FASTER, TIMES, _STRETCH = 10.0, 3, 32
#: Of the big folders only each n-th file in `--quick`.
_QUICK_STRIDE = 30
_BAD_MEMORY_MB = 300.0
#: How late files are made to see whether their bar lines are found, and how near is found.
LATE_TICKS, _NEAR_TICKS = (20, 60, 700), 12
_ON_GRID = {*range(_NEAR_TICKS + 1), *range(120 - _NEAR_TICKS, 120)}
_SHEETS = (".mxl", ".musicxml", ".xml")
#: Outcomes that a bad file may not come to.
_UNSEEMLY = ("crashed", "timeout", "memory", "no reason")
Files = list[tuple[str, bytes]]
_Reader = Callable[[bytes, str], object]


def _pop909(datasets: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(datasets / "pop909.zip") as archive:
        for name in sorted(archive.namelist()):
            if name.endswith(".mid"):
                yield name, archive.read(name)


def midi_sets(bench: Bench) -> dict[str, Files]:
    """Every good MIDI file of the datasets by folder; of `--quick` each n-th of POP909 and `mini_lpd`."""
    found: dict[str, Files] = {}
    stride = _QUICK_STRIDE if bench.quick else 1
    if (bench.datasets / "pop909.zip").is_file():
        found["pop909"] = list(_pop909(bench.datasets))[::stride]
    for name in ("good_midi", "mini_lpd"):
        paths = sorted((bench.datasets / name).rglob("*.mid"))
        own = {path.stem: path for path in paths}  # the tree holds a song under each of its ids
        found[name] = [(path.name, path.read_bytes()) for path in own.values()][:: stride if name == "mini_lpd" else 1]
    bench.left_out += [f"{name}: the dataset is absent" for name, files in found.items() if not files]
    return {name: files for name, files in found.items() if files}


def reading(bench: Bench) -> list[Row]:
    """Speed on one core, round trips of every good file, melodies found without names, bar lines of late files."""
    sets = midi_sets(bench)
    return [*_speed(sets), *_round_trips(bench, sets), *_melodies(sets), *late_files(bench, sets)]


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _read_all(read: _Reader, files: Files) -> None:
    for name, data in files:
        read(data, name)


def _speed(sets: dict[str, Files]) -> list[Row]:
    """Files a second of processor time, ours and pretty_midi's in turn on the same bytes.

    A turn is a stretch of files, as in a preparation: alone after the other reader's objects, a file costs either of
    them what their code and data cost to fetch again.
    """
    import pretty_midi

    vocabulary, rows = Vocabulary(()), []
    readers: tuple[_Reader, ...] = (
        lambda data, file: midi_to_tokens(vocabulary, data, file),
        lambda data, _: pretty_midi.PrettyMIDI(io.BytesIO(data)),
    )
    totals = [0.0, 0.0]
    for name, files in sets.items():
        spent = [0.0, 0.0]
        for first in range(0, len(files), _STRETCH):
            stretch = files[first : first + _STRETCH]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pretty_midi warns of tempo events outside the first track
                runs = [[_cpu_s(partial(_read_all, read, stretch)) for read in readers] for _ in range(TIMES)]
            for side in (0, 1):
                spent[side] += statistics.median(run[side] for run in runs)
        totals = [total + own for total, own in zip(totals, spent, strict=True)]
        rows.append(_times_faster(f"MIDI to tokens, files/s on one core, {name}", len(files), spent))
    count = sum(map(len, sets.values()))
    return [*rows, _times_faster("MIDI to tokens, files/s on one core, all", count, totals)] if rows else []


def _times_faster(what: str, files: int, spent: Sequence[float]) -> Row:
    ours, peer = (files / seconds for seconds in spent)
    return Row(what, round(ours, 1), round(peer, 1), round(ours / peer, 2), f">= {FASTER:g} x", ours >= FASTER * peer)


def _comes_back(score: Score) -> bool:
    """Whether tokens hold all that `quantise` keeps, and its grid is its own grid."""
    vocabulary = Vocabulary((score.style,))
    grid = quantise(score)
    told = decode(vocabulary, encode(vocabulary, score).ids, score.key, score.title)
    same = all(told.parts[part] == grid.parts[part] for part in PARTS)
    frame = (told.metres, told.tempi, told.chords, told.sections) == (
        grid.metres,
        grid.tempi,
        grid.chords,
        grid.sections,
    )
    return same and frame and quantise(grid) == grid


def _round_trips(bench: Bench, sets: dict[str, Files]) -> list[Row]:
    rows = []
    for name, files in sets.items():
        good = sum(_comes_back(midi_to_score(data, file)) for file, data in files)
        rows.append(Row(f"round trips, {name}", good, len(files), good / len(files), "all", good == len(files)))
    songs = sorted((bench.datasets / "openewld" / "songs").glob("*.mxl"))[:: _QUICK_STRIDE if bench.quick else 1]
    songs += sorted(path for path in (bench.datasets / "good_musicxml").glob("*") if path.suffix in _SHEETS)
    good = read = 0
    for path in songs:
        try:
            track = parse_job(Job("primer", str(path), path.name)).track
        except UnreadableFileError as error:
            bench.left_out.append(f"{path.name}: {error.detail}")
            continue
        if track is not None:
            read, good = read + 1, good + _comes_back(midi_to_score(track.midi, path.name))
    if read:
        rows.append(Row("round trips, lead sheets through the arranger", good, read, good / read, "all", good == read))
    return rows


def without_names(data: bytes) -> tuple[bytes, str]:
    """The file with names and words taken off its tracks, and the name that the melody had; empty if it had none."""
    score = symusic.Score.from_midi(data)
    melody = next((str(track.name) for track in score.tracks if is_melody_name(str(track.name))), "")
    program = 0
    for track in score.tracks:
        if str(track.name) == melody and melody:
            program = 1  # told apart by its program, which the search does not look at but for basses
        track.name, track.program, program = "", program, 0
        track.lyrics = type(track.lyrics)()
    return score.dumps_midi(), melody


def _melodies(sets: dict[str, Files]) -> list[Row]:
    """How often the melody is found where neither names nor words tell."""
    rows = []
    for name in ("pop909", "mini_lpd"):
        right = asked = 0
        for file, data in sets.get(name, ()):
            bare, melody = without_names(data)
            if melody:
                asked += 1
                right += midi_to_score(bare, file).programs["melody"] == 1
        if asked:
            rows.append(Row(f"melody found without names, {name}", right, asked, round(right / asked, 4)))
    return rows


def _steady(files: Iterable[tuple[str, bytes]]) -> list[tuple[Metre, NoteTable]]:
    """Metre and notes of the files that name one metre only, and whose notes lie on its sixteenths."""
    found = []
    for name, data in files:
        parsed = symusic.Score.from_midi(data)
        score = midi_to_tables(data, name)
        (metre, *others), table = score.frame.metres, score.notes
        if not parsed.time_signatures or others or any(event.numerator == 1 for event in parsed.time_signatures):
            continue
        if off_grid_ticks(table, metre) == 0 and off_grid_ticks(table, metre, has_metre=False) % 120 in _ON_GRID:
            shifted = table.copy()
            shifted[START] += 60
            if off_grid_ticks(shifted, metre):  # else it is played freely, or too short to tell
                found.append((metre, table))
    return found


def late_files(bench: Bench, sets: dict[str, Files]) -> list[Row]:
    """Bar lines found again in steady files that name their metre, all of whose notes are moved by some ticks."""
    rows = []
    midi = [file for name in ("good_midi", "mini_lpd") for file in sets.get(name, ())]
    songs = sorted((bench.datasets / "openewld" / "songs").glob("*.mxl"))[:: _QUICK_STRIDE if bench.quick else 4]
    for what, files in (("good_midi and mini_lpd", midi), ("openewld, each fourth", list(_arranged(songs)))):
        steady = _steady(files)
        for late in LATE_TICKS if steady else ():
            right = 0
            for metre, table in steady:
                moved = table.copy()
                moved[START] += late
                wrong = (off_grid_ticks(moved, metre) - late) % metre.bar_ticks
                right += min(wrong, metre.bar_ticks - wrong) <= _NEAR_TICKS
            share = round(right / len(steady), 4)
            rows.append(Row(f"bar lines of files {late} ticks late, {what}", right, len(steady), share))
    return rows


def _arranged(songs: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    for path in songs:
        try:
            track = parse_job(Job("primer", str(path), path.name)).track
        except UnreadableFileError:
            continue  # counted among the round trips
        if track is not None:
            yield path.name, track.midi


def refusing(bench: Bench) -> list[Row]:
    """Every bad file as a source and as a primer: used or refused with a reason, in time and memory."""
    rows: list[Row] = []
    for folder in ("midi", "musicxml"):
        paths = sorted(
            path for path in (bench.datasets / "bad_inputs" / folder).glob("*") if not path.name.startswith("LICENSE")
        )
        if not paths:
            bench.left_out.append(f"bad_inputs/{folder}: the dataset is absent")
            continue
        kind = "leadsheet" if folder == "musicxml" else "midi"
        for use, job_kind in (("source", kind), ("primer", "primer")):
            rows += _refusals(f"bad {folder} as a {use}", job_kind, paths)
    return rows


def _refusals(what: str, kind: Any, paths: Sequence[Path]) -> list[Row]:
    """A file that would take more than the limits is stopped by the sandbox and counted, so that none goes unseen."""
    outcomes: Counter[str] = Counter()
    slowest = peak_mb = 0.0
    jobs = [Job(kind, str(path), path.name) for path in paths]
    with Sandbox(timeout_s=PRIMER_TIMEOUT_S, memory_mb=PRIMER_MEMORY_MB) as sandbox:
        # The first file that can be used makes the child load what it needs: that is no file's own time.
        next((job for job in jobs if outcome(sandbox, job) == "used"), None)
        for job in jobs:
            began = time.monotonic()
            outcomes[outcome(sandbox, job)] += 1
            slowest = max(slowest, time.monotonic() - began)
            peak_mb = max(peak_mb, *(_peak_mb(child.pid) for child in psutil.Process().children()), 0.0)
    bad = sum(outcomes[code] for code in _UNSEEMLY)
    told = ", ".join(f"{count} {code}" for code, count in sorted(outcomes.items()))
    return [
        Row(f"{what}: {told}", len(paths) - bad, len(paths), None, "all", not bad),
        at_most(f"{what}: slowest, s", slowest, PRIMER_TIMEOUT_S),
        at_most(f"{what}: most memory, MB", peak_mb, _BAD_MEMORY_MB),
    ]


def outcome(sandbox: Any, job: Job) -> str:
    """`used`, or the code of the refusal; `unfit` is music that cannot prime, `memory` was stopped by the limit."""
    try:
        track = sandbox.parse(job).track
        if job.kind == "primer":
            Primer.of(Vocabulary(()), midi_to_score(track.midi, job.name))
    except UnreadableFileError as error:
        if error.detail == TOO_MUCH_MEMORY:
            return "memory"
        return str(error.code) if error.detail else "no reason"
    except InputError as error:
        return "unfit" if str(error) else "no reason"
    return "used"


def _peak_mb(pid: int) -> float:
    """Most memory that a process has held, in MB; where the system does not say, what it holds now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return float(psutil.Process(pid).memory_info().rss) / 1e6 if psutil.pid_exists(pid) else 0.0
