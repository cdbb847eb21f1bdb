"""Lakh corpora of a few songs, in the published formats."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rhapsody_lib.corpus.found import Job, Reject
from rhapsody_lib.corpus.sources import list_jobs, open_source
from tests.unit.corpus.corpus_samples import midi_bytes
from tests.unit.music.rolls import tune_bytes

SCHEMA = (
    "CREATE TABLE songs (track_id text PRIMARY KEY, title text, song_id text, release text, artist_id text, "
    "artist_mbid text, artist_name text, duration real, artist_familiarity real, artist_hotttnesss real, year int, "
    "track_7digitalid int, shs_perf int, shs_work int)"
)
WORDS = "Down by the river we were singing\nAll of the evening bells were ringing\nHome we went over the hill"


def track_id(number: int) -> str:
    return f"TRABC{chr(65 + number % 26)}{number:04d}128F000"[:18].ljust(18, "0")


def md5(number: int) -> str:
    return f"{number:032x}"


@dataclass
class TreeWriter:
    """Writes the parts of a Lakh corpus below `root`, one call a thing."""

    root: Path
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    def place(self, folder: str, track: int, name: str) -> Path:
        song = track_id(track)
        path = self.root / folder / song[2] / song[3] / song[4] / song / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def roll(self, track: int, digest: int, *, folder: str = "lpd_5_cleansed", data: bytes | None = None) -> None:
        self.place(folder, track, f"{md5(digest)}.npz").write_bytes(tune_bytes() if data is None else data)

    def midi(self, track: int, digest: int, *, words: str = "", folder: str = "lmd_matched") -> None:
        self.place(folder, track, f"{md5(digest)}.mid").write_bytes(midi_bytes(words))

    def ids(self, *pairs: tuple[int, int]) -> None:
        """(md5, track) of each line."""
        lines = [f"{md5(digest)}    {track_id(track)}\n" for digest, track in pairs]
        (self.root / "cleansed_ids.txt").write_text("".join(lines))

    def score(self, track: int, digest: int, score: float) -> None:
        self.scores.setdefault(track_id(track), {})[md5(digest)] = score
        (self.root / "match_scores.json").write_text(json.dumps(self.scores))

    def metadata(self, *rows: tuple[int, str, str, int]) -> None:
        """(track, title, artist, year) of each row."""
        path = self.root / "track_metadata.db"
        with sqlite3.connect(path) as database:
            database.execute(SCHEMA)
            for track, title, artist, year in rows:
                database.execute(
                    "INSERT INTO songs (track_id, title, artist_name, year) VALUES (?, ?, ?, ?)",
                    (track_id(track), title, artist, year),
                )
        database.close()

    def genres(self, *rows: tuple[int, str], name: str = "msd_tagtraum_cd1.cls") -> None:
        """(track, genres parted by tabs) of each line."""
        (self.root / name).write_text("".join(f"{track_id(track)}\t{genres}\n" for track, genres in rows))

    def lyrics(self, *rows: tuple[int, str]) -> None:
        """(track, words) of each row."""
        with (self.root / "matched_lyrics.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["track_id", "title", "artist_name", "Lyrics"])
            writer.writerows([track_id(track), f"Song {track}", "A Band", words] for track, words in rows)


def listed(tree: TreeWriter) -> tuple[dict[str, Job], Counter[str]]:
    """Jobs by MSD id, and how many rejects there are of each reason."""
    items = list(list_jobs(open_source(str(tree.root))))
    names = [item.name if isinstance(item, Job) else item.path for item in items]
    assert len(set(names)) == len(names)
    jobs = {item.known.track_id: item for item in items if isinstance(item, Job) and item.known is not None}
    return jobs, Counter(item.code.value for item in items if isinstance(item, Reject))
