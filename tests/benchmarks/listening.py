"""Five songs listened to by measurement: loudness, clipping, parts, the guide vocal's pitch, syllables on notes, pages.

    python -m tests.benchmarks.listening [--json] [--keep FOLDER] [--songs N]

The songs are made by `rhapsody song --vocal` from the store there is (RHAPSODY_STORE or the user's), and kept with
pictures of their pages, where Chromium is installed, in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from rhapsody_lib.music.midi import midi_to_score
from rhapsody_lib.music.score import Score
from rhapsody_lib.optional import is_installed
from rhapsody_lib.song.guide_vocal import octave_shift
from rhapsody_lib.song.notation import upper_voice
from rhapsody_lib.song.render import TAIL_S
from rhapsody_lib.song.syllable_notes import syllable_runs
from tests.benchmarks.song import COMMAND
from tests.benchmarks.table import Row, at_most, show
from tests.browser import BROWSER, open_browser

SONGS = (
    ("the sky is blue", 1),
    ("my old truck will not start", 2),
    ("we danced until the lights came on", 3),
    ("snow on the harbour wall", 4),
    ("tell me a lie that I can live with", 5),
)
WIDTHS_PX = (1280, 500)
#: Quieter than this a second is silent, and a part is not there.
SILENT_DBFS = -60.0
MAX_PAGE_MB = 5
#: A decoder that meets full scale was handed a clipped sound.
FULL_SCALE = 0.999


def decoded(path: Path) -> tuple[np.ndarray, int]:
    """Samples [frames, channels] and rate of an MP3."""
    import soundfile

    samples, rate = soundfile.read(path, always_2d=True)
    return samples, rate


def dbfs(samples: np.ndarray) -> float:
    """Root mean square against full scale."""
    return float(10 * np.log10(max(np.mean(samples**2), 1e-12)))


def seconds_dbfs(samples: np.ndarray, rate: int) -> np.ndarray:
    """Loudness of each whole second."""
    return np.array([dbfs(samples[start : start + rate]) for start in range(0, len(samples) - rate + 1, rate)])


def loudness_rows(name: str, folder: Path) -> list[Row]:
    """Loudness, silence and clipping of the recording."""
    samples, rate = decoded(folder / "song.mp3")
    found = seconds_dbfs(samples[: -int(TAIL_S * rate)], rate)
    silent, full = int((found < SILENT_DBFS).sum()), int((np.abs(samples) >= FULL_SCALE).sum())
    return [
        Row(f"{name}: quietest second, dBFS", round(float(found.min()), 1)),
        Row(f"{name}: median second, dBFS", round(float(np.median(found)), 1)),
        Row(f"{name}: loudest second, dBFS", round(float(found.max()), 1)),
        at_most(f"{name}: silent seconds", silent, 0),
        at_most(f"{name}: samples at full scale", full, 0),
        at_most(f"{name}: peak, dBFS", float(20 * np.log10(np.abs(samples).max())), -0.5),
    ]


def parts_row(name: str, folder: Path, info: dict[str, Any]) -> Row:
    """Parts that the score has and whose file is heard."""
    wanted = [part for part, notes in info["music"]["notes"].items() if notes]
    heard = [part for part in wanted if _is_heard(folder / "stems" / f"{part}.mp3")]
    return Row(f"{name}: parts heard", len(heard), target=f"{len(wanted)}", met=heard == wanted)


def _is_heard(path: Path) -> bool:
    return path.is_file() and bool((seconds_dbfs(*decoded(path)) > SILENT_DBFS).any())


def pitch_rows(name: str, folder: Path, score: Score) -> list[Row]:
    """How far the guide vocal's median pitch on each sung note is from the written one."""
    from rhapsody_lib.song.world import world

    samples, rate = decoded(folder / "guide_vocal.mp3")
    sound, vocoder = np.ascontiguousarray(samples[:, 0]), world()
    rough, times = vocoder.dio(sound, rate, f0_floor=60.0, f0_ceil=800.0)
    tone = vocoder.stonemask(sound, rough, times, rate)
    notes, shift, cents = upper_voice(score), octave_shift(score), []
    for sung in syllable_runs(notes, score.syllables, score.sections):
        for note in notes[sung.first : sung.last + 1]:
            start, end = score.seconds_at(note.start_ticks) + 0.05, score.seconds_at(note.end_ticks) - 0.05
            heard = tone[(times >= start) & (times < end) & (tone > 0)]
            if heard.size:
                wanted = 440 * 2 ** ((note.pitch - shift - 69) / 12)
                cents.append(abs(1200 * np.log2(np.median(heard) / wanted)))
    return [
        at_most(f"{name}: guide vocal beside the melody, median cents", float(np.median(cents)), 5),
        at_most(f"{name}: the same, 95th percentile", float(np.percentile(cents, 95)), 50),
    ]


def words_row(name: str, score: Score) -> Row:
    """Syllables that begin with a note of the melody."""
    starts = {note.start_ticks for note in score.parts["melody"]}
    placed = sum(syllable.start_ticks in starts for syllable in score.syllables)
    total = len(score.syllables)
    return Row(f"{name}: syllables on notes", placed, target=f"{total}", met=placed == total > 0)


def page_rows(name: str, page: Path, pictures: Path) -> list[Row]:
    """The page's complaints and its pictures in a wide and a narrow window; from its beginning and while it plays."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, open_browser(Path(profile)) as tab:
        wide = 0
        for width in WIDTHS_PX:
            tab.open(page, width, 900)
            tab.picture(pictures / f"{page.parent.name}-{width}.png")
            wide += tab.run("document.documentElement.scrollWidth") > width
            tab.run("seek(song.sections[Math.min(2, song.sections.length - 1)].start + 1); byId('mixer').click()")
            tab.wait("root.dataset.stems")
            tab.picture(pictures / f"{page.parent.name}-{width}-mixer.png")
        complaints = tab.complaints()
    for complaint in complaints:
        sys.stderr.write(f"{name}: {complaint}\n")
    return [
        at_most(f"{name}: page, MB", page.stat().st_size / 1e6, MAX_PAGE_MB),
        at_most(f"{name}: page's complaints, and widths it does not fit", len(complaints) + wide, 0),
    ]


def song_rows(name: str, folder: Path, pictures: Path) -> list[Row]:
    """All that is measured of one song."""
    info = json.loads((folder / "song.json").read_text(encoding="utf-8"))
    score = midi_to_score((folder / "song.mid").read_bytes(), name)
    rows = [*loudness_rows(name, folder), parts_row(name, folder, info), words_row(name, score)]
    if (folder / "guide_vocal.mp3").is_file():
        rows += pitch_rows(name, folder, score)
    if BROWSER and is_installed("websockets"):
        rows += page_rows(name, folder / "index.html", pictures)
    return rows


def listen(folder: Path, environment: dict[str, str], songs: int = len(SONGS)) -> list[Row]:
    """Make the songs in a folder, or take those that are there, and measure them."""
    rows: list[Row] = []
    voice = ["--vocal"] if is_installed("pyworld") and is_installed("espeakng_loader") else []
    for prompt, seed in SONGS[:songs]:
        out = folder / f"{prompt.split()[-1]}-{seed}"
        if not out.exists():
            command = [COMMAND, "song", prompt, "--seed", str(seed), "--out", str(out), *voice]
            subprocess.run(command, env={**os.environ, **environment}, check=True, stdout=subprocess.DEVNULL)
        rows += song_rows(f"{prompt.split()[-1]} {seed}", out, folder)
    return rows


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", metavar="FOLDER")
    parser.add_argument("--songs", type=int, default=len(SONGS))
    options = parser.parse_args()
    environment = {name: os.environ[name] for name in ("RHAPSODY_STORE",) if name in os.environ}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(options.keep or name)
        folder.mkdir(parents=True, exist_ok=True)
        show(listen(folder, environment, options.songs), as_json=options.json)


if __name__ == "__main__":
    main()
