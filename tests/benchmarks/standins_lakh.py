"""A Lakh tree of any size: LPD-5 cleansed, matched MIDI, ids, scores, MIDI info, and what `standins_msd` writes."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rhapsody_lib.seeding import split_seed
from tests.benchmarks.standins_msd import track_name, write_metadata
from tests.benchmarks.standins_music import Song, make_song, midi_of, npz_of, read_bases

#: Songs of LPD-5 cleansed and rows of the Million Song Dataset, as published.
CLEANSED_SONGS, MSD_TRACKS = 21_425, 1_000_000
#: Share of Lakh MIDI files that no reader converts, as published of the whole set; of damaged piano rolls, assumed.
BAD_MIDI, BAD_NPZ = 0.014, 0.001
#: Matched MIDI files beside the best one: 45,129 files for 31,034 songs.
SECOND_MATCH = 0.45
#: Songs whose MIDI is that of an earlier song: the ids of LPD repeat some md5s. How many is not published.
REPEATED = 0.01
_KEPT = 500


@dataclass(frozen=True)
class _Entry:
    """A song of the tree: its Million Song Dataset id, the digest that names its files, and their contents."""

    track_id: str
    md5: str
    midi: bytes
    npz: bytes
    song: Song


def _entries(datasets: Path, songs: int, seed: int) -> Iterator[tuple[_Entry, bytes]]:
    """Songs, each with another MIDI file that matches it less well, or b''."""
    bases, kept = read_bases(datasets), list[_Entry]()
    for number in range(songs):
        dice = random.Random(split_seed(seed, "lakh", number))  # no secret: the same songs in every run
        name = track_name(seed, number)
        second = midi_of(make_song(dice, bases)) if dice.random() < SECOND_MATCH else b""
        if kept and dice.random() < REPEATED:
            old = dice.choice(kept)
            yield _Entry(name, old.md5, old.midi, old.npz, old.song), second
            continue
        song = make_song(dice, bases)
        midi = midi_of(song)
        if dice.random() < BAD_MIDI:
            midi = midi[: dice.randrange(len(midi) // 2)]
        md5 = hashlib.md5(midi, usedforsecurity=False).hexdigest()
        npz = npz_of(song, md5)
        if dice.random() < BAD_NPZ:
            npz = npz[: dice.randrange(len(npz))]
        entry = _Entry(name, md5, midi, npz, song)
        if len(kept) < _KEPT:
            kept.append(entry)
        else:
            kept[dice.randrange(_KEPT)] = entry
        yield entry, second


def _place(root: Path, track_id: str, file: str) -> Path:
    path = root / track_id[2] / track_id[3] / track_id[4] / track_id / file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _midi_info(song: Song) -> dict[str, object]:
    constant = song.tempi[0][1] if len(song.tempi) == 1 else None
    return {
        "first_beat_time": 0.0,
        "num_time_signature_change": 1,
        "constant_time_signature": "4/4",
        "constant_tempo": constant,
    }


def write_lakh(folder: Path, datasets: Path, songs: int, *, tracks: int = MSD_TRACKS, seed: int = 1) -> Path:
    """Write a tree of Lakh files with metadata.

    Args:
        folder: made if missing.
        datasets: where `mini_lpd`, `pop909.zip` and `lyrics` are.
        songs: of LPD-5 cleansed.
        tracks: rows of `track_metadata.db`, the songs among them.
        seed: of all choices.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    infos: dict[str, None] = {}
    with ExitStack() as stack:
        ids, scores, info = (
            stack.enter_context((folder / name).open("w", encoding="utf-8"))
            for name in ("cleansed_ids.txt", "match_scores.json", "midi_info.json")
        )
        scores.write("{")
        info.write("{")
        for number, (entry, second) in enumerate(_entries(datasets, songs, seed)):
            _place(folder / "lpd_5_cleansed", entry.track_id, f"{entry.md5}.npz").write_bytes(entry.npz)
            _place(folder / "lmd_matched", entry.track_id, f"{entry.md5}.mid").write_bytes(entry.midi)
            dice = random.Random(split_seed(seed, "score", number))
            matches = {entry.md5: dice.uniform(0.6, 0.9)}
            if second:
                md5 = hashlib.md5(second, usedforsecurity=False).hexdigest()
                matches[md5] = dice.uniform(0.5, 0.6)
                _place(folder / "lmd_matched", entry.track_id, f"{md5}.mid").write_bytes(second)
            ids.write(f"{entry.md5}    {entry.track_id}\n")
            scores.write(f"{', ' if number else ''}{json.dumps(entry.track_id)}: {json.dumps(matches)}")
            if entry.md5 not in infos:
                info.write(f"{', ' if infos else ''}{json.dumps(entry.md5)}: {json.dumps(_midi_info(entry.song))}")
                infos[entry.md5] = None
        scores.write("}")
        info.write("}")
    write_metadata(folder, datasets, songs, tracks=max(tracks, songs), seed=seed)
    return folder
