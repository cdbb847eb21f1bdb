"""What is left out of every data set and why, and floods of broken files."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from rhapsody_lib.corpus.found import Found, Reject
from rhapsody_lib.settings import CorpusSettings
from tests.benchmarks.corpora_bench import Bench
from tests.benchmarks.table import Row, at_most
from tests.mutations import write_mutated
from tests.watched import Watched, read_watched

FILE_S, FILE_MB, MUTATED = 5.0, 300.0, 1_000
#: Data sets, where in the folder they are, and changes of settings.
_WORDLESS = ("corpus.instrumentals=true", "corpus.language=any")
_SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "openewld": ("openewld/songs", ()),
    "pop909": ("pop909.zip", _WORDLESS),
    "mini_lpd": ("mini_lpd", _WORDLESS),
    "open_hymnal": ("lyrics/open_hymnal", ()),
    "openscore_lieder_en": ("lyrics/openscore_lieder_en", ()),
    "pd_poems": ("lyrics/pd_poems", ()),
    "kaggle_shape, newer": ("lyrics/kaggle_shape.zip/lyrics-data.csv", ()),
    "kaggle_shape, large": ("lyrics/kaggle_shape.zip/lyrics-data.large.csv", ()),
    "kaggle_shape, older": ("lyrics/kaggle_shape.zip/old_v1_lyrics-data.csv", ()),
    "good_midi": ("good_midi", _WORDLESS),
    "good_musicxml": ("good_musicxml", _WORDLESS),
    "bad_inputs": ("bad_inputs", _WORDLESS),
}
_QUICK = ("mini_lpd", "good_midi", "good_musicxml")


def _unpacked(bench: Bench, place: str) -> Path:
    """A data set's path; what is in a zip file is unpacked into the scratch folder."""
    archive, packed, inside = place.partition(".zip")
    if not packed:
        return bench.datasets / place
    folder = bench.folder / f"unpacked-{Path(archive).name}"
    if not folder.exists():
        with zipfile.ZipFile(bench.datasets / f"{archive}.zip") as opened:
            opened.extractall(folder)
    return folder / Path(archive).name / inside.strip("/")


def rejects(bench: Bench) -> list[Row]:
    """Songs kept of every data set; those left out by reason are in the text."""
    rows = []
    for name, (place, changes) in _SETS.items():
        source = _unpacked(bench, place)
        if bench.quick and name not in _QUICK:
            continue
        if not source.exists():
            bench.left_out.append(f"{name}: the data set is absent")
            continue
        store = bench.store("rejects")
        _, told = bench.prepare(store, [source], *changes)
        shutil.rmtree(store)
        codes = Counter(told["summary"]["rejects"]).most_common()
        said = ", ".join(f"{code} {count}" for code, count in codes) or "nothing"
        rows.append(Row(f"{name}: songs kept; left out: {said}", told["summary"]["songs"]))
    return rows


def _figures(what: str, watched: Watched, files: set[str]) -> list[Row]:
    told = {path.partition("#")[0] for path in watched.items}
    dead = watched.rejected("crashed", "timeout")
    about = {path: item for path, item in watched.items.items() if path.partition("#")[0] in files}
    read = {path.partition("#")[0] for path, item in about.items() if isinstance(item, Found)}
    codes = Counter(item.code.value for item in about.values() if isinstance(item, Reject)).most_common()
    said = ", ".join(f"{code} {count}" for code, count in codes)
    return [
        Row(f"{what}: accounted for ({said})", len(files & told), target=f"{len(files)}", met=files <= told),
        Row(f"{what}: read for what they hold", len(read)),
        at_most(f"{what}: brought the parser down or ran out of time", len(dead), 0),
        at_most(f"{what}: slowest file, s", max(watched.seconds.values()), FILE_S),
        at_most(f"{what}: peak memory of a parsing process, MB", max(watched.peak_mb.values()), FILE_MB),
    ]


def bad(bench: Bench) -> list[Row]:
    """All broken files among good ones, and good files mutated at random, read with the default limits."""
    limits = CorpusSettings(instrumentals=True, language="any")
    folder = bench.folder / "bad"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(bench.datasets / "bad_inputs", folder / "bad_inputs")
    (folder / "bad_inputs" / "manifest.csv").unlink()
    for source in ("good_midi", "openewld/songs"):
        shutil.copytree(bench.datasets / source, folder / Path(source).name)
    manifest = _manifest(bench.datasets / "bad_inputs" / "manifest.csv")
    watched = read_watched(folder, limits)
    files = {f"bad_inputs/{name}" for name in manifest}
    rows = _figures("bad inputs", watched, files)
    rows += _agreement(watched, manifest)
    rows += _largest(folder / "largest", limits)
    names = set(write_mutated(folder / "mutated", _good(bench), bench.size(60, MUTATED, MUTATED), seed=1))
    return rows + _figures("mutated files", read_watched(folder / "mutated", limits), names)


def _largest(folder: Path, limits: CorpusSettings) -> list[Row]:
    """What the largest files take that are accepted: 100,000 notes of MIDI, 1,400 bars of MusicXML."""
    folder.mkdir()
    steps = np.arange(10_000, dtype=np.int32)
    pitches, loud = (40 + steps % 40).astype(np.int8), np.full(10_000, 80, np.int8)
    score: Any = symusic.Score(480)
    for number in range(10):
        track = symusic.Track(f"track {number}", 8 * number, number == 9)
        track.notes = symusic.Note.from_numpy(40 * steps, np.full(10_000, 60, np.int32), pitches, loud)
        score.tracks.append(track)
    score.dump_midi(str(folder / "notes.mid"))
    sung = "<lyric><syllabic>single</syllabic><text>la</text></lyric>"
    note = f"<note><pitch><step>C</step><octave>5</octave></pitch><duration>1</duration>{sung}</note>"
    bars = "".join(f'<measure number="{number}">{note * 4}</measure>' for number in range(1, 1_400))
    first = f'<measure number="0"><attributes><divisions>1</divisions></attributes>{note * 4}</measure>'
    sheet = f'<score-partwise><part id="P1">{first}{bars}</part></score-partwise>'
    (folder / "bars.xml").write_text(sheet, encoding="utf-8")
    watched = read_watched(folder, limits)
    rows = []
    for name, item in watched.items.items():
        code = "read" if isinstance(item, Found) else item.code.value
        rows.append(at_most(f"largest files: {name} ({code}), s", watched.seconds[name], FILE_S))
        rows.append(at_most(f"largest files: {name}, peak MB of its process", watched.peak_mb[name], FILE_MB))
    return rows


def _good(bench: Bench) -> list[Path]:
    """Good files of each kind that a corpus may hold, small ones."""
    patterns = (
        "good_midi/*.mid", "good_musicxml/*.mxl", "good_musicxml/*.xml", "openewld/songs/*.mxl", "mini_lpd/**/*.npz",
        "mini_lpd/**/*.mid", "bad_inputs/midi/made_karaoke.kar", "bad_inputs/csv/made_lyrics_ok.csv",
        "lyrics/open_hymnal/**/*.abc",
    )  # fmt: skip
    found = [sorted(bench.datasets.glob(pattern))[:8] for pattern in patterns]
    return [path for some in found for path in some]


def _manifest(path: Path) -> dict[str, str]:
    """What other libraries did with each broken file, by its name."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["file"]: row["reader_results"] for row in csv.DictReader(stream)}


def _agreement(watched: Watched, manifest: dict[str, str]) -> list[Row]:
    """MIDI files in which symusic or mido find notes and Rhapsody does not, and the other way round."""
    ours, theirs = set(), set()
    for name, results in manifest.items():
        if name.startswith("midi/"):
            if isinstance(watched.items.get(f"bad_inputs/{name}"), Found):
                ours.add(name)
            if re.search(r"(?:mido|symusic)=ok [^;]*notes[1-9]", results):
                theirs.add(name)
    differing = {"refused": sorted(theirs - ours), "read": sorted(ours - theirs)}
    print(json.dumps(differing, indent=1), file=sys.stderr)
    return [
        Row("bad MIDI: with notes for mido or symusic, refused here (named on stderr)", len(theirs - ours)),
        Row("bad MIDI: without notes for both, read here (named on stderr)", len(ours - theirs)),
    ]
